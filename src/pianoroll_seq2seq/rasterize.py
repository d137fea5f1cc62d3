"""Notes in ticks to planes on a grid, checked before memory is taken; and straight from a file."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Unpack

import numpy as np
from jaxtyping import Bool, Int

from pianoroll_seq2seq.errors import LimitError, NoNotesError, PitchRangeError, SettingsError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq.midi_io import MidiSource, Policies, read_notes
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.quantize import fill_planes, quantize
from pianoroll_seq2seq.score import matching_parts
from pianoroll_seq2seq.tempo import TempoMap


class Reading(Policies, total=False):
    """What may be said of reading a file, beside its grid and pitches.

    Attributes:
        track: only this track, by index or name (see :meth:`~pianoroll_seq2seq.score.Score.only`).
        program: only this General MIDI program.
        channel: only this channel, 0..15.
        drums: whether the drum kit (channel 10) counts as pitches; it does not by default.
        on_damage: see :func:`~pianoroll_seq2seq.midi_io.read_midi`.
        limits: how large a file, and the roll of it, may be.
        compiled: see :func:`~pianoroll_seq2seq.midi_io.read_midi`.
    """

    track: int | str | None
    program: int | None
    channel: int | None
    drums: bool
    on_damage: Literal["error", "salvage"]
    limits: Limits
    compiled: bool


class PlanesOfFile(NamedTuple):
    """A file's planes, bool of shape (frames, pitches), with its tempo map and name."""

    active: np.ndarray
    onset: np.ndarray
    tempo: TempoMap
    name: str


def rasterize(
    onset_tick: Int[np.ndarray, " notes"],
    end_tick: Int[np.ndarray, " notes"],
    pitch: Int[np.ndarray, " notes"],
    *,
    tempo: TempoMap,
    grid: FrameGrid,
    pitches: PitchRange,
    outside: Literal["error", "drop"] = "error",
    limits: Limits = DEFAULT_LIMITS,
    compiled: bool = False,
    label: str = "the score",
) -> tuple[Bool[np.ndarray, "frames pitches"], Bool[np.ndarray, "frames pitches"]]:
    """The (active, onset) planes of notes, from frame 0 to the end of the last.

    Args:
        onset_tick: where each note is struck, in ticks.
        end_tick: where it ends.
        pitch: MIDI note numbers.
        tempo: what the ticks mean.
        grid: where the frames lie in time.
        pitches: the pitches to keep.
        outside: what becomes of notes outside ``pitches``: an error, or they are dropped.
        limits: how large the planes may be.
        compiled: whether loops compiled by numba (extra ``fast``) fill them.
        label: what to call the notes in messages.

    Raises:
        NoNotesError: no notes.
        PitchRangeError: notes outside the range, and they were not to be dropped; or none inside.
        LimitError: more frames or cells than the limits allow.
        SettingsError: another ``outside``.
    """
    if outside not in ("error", "drop"):
        raise SettingsError(f"outside must be 'error' or 'drop', got {outside!r}.")
    if not len(pitch):
        raise NoNotesError(f"{label}: no notes.")
    lowest, highest = int(pitch.min()), int(pitch.max())
    if lowest < pitches.lowest or highest > pitches.highest:
        inside = pitches.contains(pitch)
        if outside == "error" or not inside.any():
            raise PitchRangeError(
                f"{label}: {int((~inside).sum())} of {len(pitch)} notes lie outside {pitches}; the piece needs "
                f"PitchRange({lowest}, {highest}). Widen the range, or pass outside='drop' to leave them out."
            )
        onset_tick, end_tick, pitch = onset_tick[inside], end_tick[inside], pitch[inside]
    onset_frame, end_frame = quantize(onset_tick, end_tick, grid=grid, tempo=tempo)
    frames, columns = int(end_frame.max()), len(pitches)
    if frames > limits.frames or frames * columns > limits.cells:
        raise LimitError(
            f"{label}: {frames} frames of {columns} pitches, over the limits of {limits.frames} frames and "
            f"{limits.cells} cells: {_last_ends(end_tick, tempo)}. Cut off strays with "
            f"read_midi(path).until(seconds), use a coarser grid, or pass limits=Limits(...)."
        )
    column = pitch - np.int64(pitches.lowest)
    return fill_planes(onset_frame, end_frame, column, frames=frames, columns=columns, compiled=compiled)


def _last_ends(end_tick: np.ndarray, tempo: TempoMap) -> str:
    ends = np.sort(end_tick)
    most, last = tempo.seconds(ends[[int(0.99 * (len(ends) - 1)), -1]])
    return f"its last note ends at {last:.0f} s, while 99 % of its notes have ended by {most:.0f} s"


def read_planes(
    source: MidiSource,
    *,
    grid: FrameGrid,
    pitches: PitchRange,
    outside: Literal["error", "drop"] = "error",
    track: int | str | None = None,
    program: int | None = None,
    channel: int | None = None,
    drums: bool = False,
    on_damage: Literal["error", "salvage"] = "error",
    limits: Limits = DEFAULT_LIMITS,
    compiled: bool = False,
    **policies: Unpack[Policies],
) -> PlanesOfFile:
    """Reads a MIDI file straight into planes, without putting its notes in order on the way.

    The planes are those of :meth:`~pianoroll_seq2seq.pianoroll.PianoRoll.from_score` of what
    :func:`~pianoroll_seq2seq.midi_io.read_midi` reads, in half the time.

    Args:
        source: a path, the bytes of a file, or a file opened in binary mode.
        grid: see :func:`rasterize`, as are ``pitches``, ``outside``.
        pitches: the pitches to keep.
        outside: what becomes of notes outside them.
        track: see :class:`Reading`, as are all that follow.
        program: only this program.
        channel: only this channel.
        drums: whether the drum kit counts.
        on_damage: what becomes of damaged files.
        limits: how large the file and the planes may be.
        compiled: who reads the file.
        **policies: what counts as a note.

    Raises:
        MidiError, NoNotesError, PitchRangeError, LimitError, SettingsError: as those do.
    """
    narrowed = not (track is None and program is None and channel is None)
    notes = read_notes(source, on_damage=on_damage, limits=limits, compiled=compiled, parts=narrowed, **policies)
    chosen: Sequence[int] = range(len(notes.parts))
    if narrowed:
        chosen = matching_parts(notes.parts, track=track, program=program, channel=channel, label=notes.label)
    columns = [notes.columns[index][:3] for index in chosen if drums or not notes.parts[index].drums]
    if not columns:
        hint = " It has drums: pass drums=True to keep them." if chosen else ""
        raise NoNotesError(f"{notes.label}: no notes.{hint}")
    onset_tick, end_tick, pitch = columns[0] if len(columns) == 1 else map(np.concatenate, zip(*columns, strict=True))
    planes = rasterize(
        onset_tick,
        end_tick,
        pitch,
        tempo=notes.tempo,
        grid=grid,
        pitches=pitches,
        outside=outside,
        limits=limits,
        compiled=compiled,
        label=notes.label,
    )
    return PlanesOfFile(*planes, notes.tempo, notes.name)
