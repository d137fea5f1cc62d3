"""From a MIDI file directly to notes on a grid, from which a piano roll fills its planes."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, Unpack

from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq.grid import FrameGrid, offset_in
from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.midi_io.policy import Policies
from pianoroll_seq2seq.midi_io.read import MidiNotes, read_notes
from pianoroll_seq2seq.midi_io.source import MidiSource
from pianoroll_seq2seq.part_selection import PartsOption, columns_by_part, is_one_part
from pianoroll_seq2seq.parts import Part, matching_parts
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.quantize import PlacedNotes, place_parts
from pianoroll_seq2seq.tempo import TempoMap


class Reading(Policies, total=False):
    """Keyword arguments for reading a file, except its grid and pitches.

    Attributes:
        track: only this track, by index or name (see :meth:`~pianoroll_seq2seq.score.Score.select`).
        program: only this General MIDI program.
        channel: only this channel, 0..15.
        drums: whether to keep the notes of drums (channel 10). By default they are dropped from a roll of one part,
            and kept as parts of their own if ``parts`` is given.
        parts: see :meth:`~pianoroll_seq2seq.pianoroll.PianoRoll.from_midi`.
        velocity: whether to keep the velocities; they are kept by default.
        on_damage: see :func:`~pianoroll_seq2seq.midi_io.read_midi`.
        limits: how large the file and its roll may be.
    """

    track: int | str | None
    program: int | None
    channel: int | None
    drums: bool | None
    parts: PartsOption
    velocity: bool
    on_damage: Literal["error", "salvage"]
    limits: Limits


class PlacedFile(NamedTuple):
    """The notes of a file on a grid, its parts, tempo map, name and meter."""

    notes: PlacedNotes
    parts: tuple[Part, ...]
    tempo: TempoMap
    name: str
    meter: Meter


def read_placed(
    source: MidiSource,
    *,
    grid: FrameGrid,
    pitches: PitchRange | Mapping[str, PitchRange],
    outside: Literal["error", "drop"] = "error",
    track: int | str | None = None,
    program: int | None = None,
    channel: int | None = None,
    drums: bool | None = None,
    parts: PartsOption = None,
    velocity: bool = True,
    on_damage: Literal["error", "salvage"] = "error",
    limits: Limits = DEFAULT_LIMITS,
    **policies: Unpack[Policies],
) -> PlacedFile:
    """Reads a MIDI file onto a grid, without sorting its notes.

    The planes of the notes are those of :func:`~pianoroll_seq2seq.midi_io.read_midi` followed by
    :meth:`~pianoroll_seq2seq.pianoroll.PianoRoll.from_score`, in half the time.

    Args:
        source: a path, the bytes of a file, or a file opened in binary mode.
        grid: see :func:`~pianoroll_seq2seq.quantize.place_parts`, as are ``pitches``, ``outside``.
        pitches: the pitches to keep, of all parts or of each by its name.
        outside: what to do with notes outside them.
        track: see :class:`Reading`, as for all that follow.
        program: only this program.
        channel: only this channel.
        drums: whether to keep drums.
        parts: which parts the planes have.
        velocity: whether to keep velocities.
        on_damage: what to do with damaged files.
        limits: how large the file and the planes may be.
        **policies: see :class:`Policies`.

    Raises:
        MidiError, NoNotesError, PitchRangeError, LimitError, SettingsError: as those do.
    """
    narrowed = not (track is None and program is None and channel is None)
    separate = narrowed or not is_one_part(parts)
    notes = read_notes(source, on_damage=on_damage, limits=limits, parts=separate, **policies)
    if getattr(grid, "offset", None) is not None:
        notes = _on_grid(notes, grid)
    found = list(zip(notes.parts, notes.columns, strict=True))
    if narrowed:
        chosen = matching_parts(notes.parts, track=track, program=program, channel=channel, label=notes.label)
        found = [found[index] for index in chosen]
    roll_parts, columns = columns_by_part(
        found, parts, pitches=pitches, drums=drums, velocity=velocity, label=notes.label
    )
    placed = place_parts(
        columns,
        roll_parts,
        tempo=notes.tempo,
        grid=grid,
        outside=outside,
        limits=limits,
        label=notes.label,
        last_tick=notes.end_tick,
    )
    return PlacedFile(placed, roll_parts, notes.tempo, notes.name, notes.meter)


def _on_grid(notes: MidiNotes, grid: FrameGrid) -> MidiNotes:
    """The notes without their offset from the grid, if it has ``offset="auto"``. Bar lines stay on the grid."""
    offset = offset_in(grid, [onset_tick for onset_tick, *_ in notes.columns], notes.tempo)
    if not offset:
        return notes
    return notes._replace(
        columns=[[onset - offset, end - offset, *others] for onset, end, *others in notes.columns],
        tempo=notes.tempo.from_tick(offset),
        end_tick=None if notes.end_tick is None else notes.end_tick - offset,
    )
