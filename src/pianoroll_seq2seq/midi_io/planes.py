"""From a MIDI file directly to the planes of a piano roll."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Unpack

import numpy as np

from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq.errors import NoNotesError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.midi_io.policy import Policies
from pianoroll_seq2seq.midi_io.read import read_notes
from pianoroll_seq2seq.midi_io.source import MidiSource
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.quantize import rasterize
from pianoroll_seq2seq.score import matching_parts
from pianoroll_seq2seq.tempo import TempoMap


class Reading(Policies, total=False):
    """Keyword arguments for reading a file, except its grid and pitches.

    Attributes:
        track: only this track, by index or name (see :meth:`~pianoroll_seq2seq.score.Score.select`).
        program: only this General MIDI program.
        channel: only this channel, 0..15.
        drums: whether to keep the notes of drums (channel 10) as pitches; dropped by default.
        on_damage: see :func:`~pianoroll_seq2seq.midi_io.read_midi`.
        limits: how large the file and its roll may be.
    """

    track: int | str | None
    program: int | None
    channel: int | None
    drums: bool
    on_damage: Literal["error", "salvage"]
    limits: Limits


class PlanesOfFile(NamedTuple):
    """The planes of a file, bool of shape (frames, pitches), with its tempo map and name."""

    active: np.ndarray
    onset: np.ndarray
    tempo: TempoMap
    name: str


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
    **policies: Unpack[Policies],
) -> PlanesOfFile:
    """Reads a MIDI file into planes, without sorting its notes.

    The planes are those of :func:`~pianoroll_seq2seq.midi_io.read_midi` followed by
    :meth:`~pianoroll_seq2seq.pianoroll.PianoRoll.from_score`, in half the time.

    Args:
        source: a path, the bytes of a file, or a file opened in binary mode.
        grid: see :func:`rasterize`, as are ``pitches``, ``outside``.
        pitches: the pitches to keep.
        outside: what to do with notes outside them.
        track: see :class:`Reading`, as for all that follow.
        program: only this program.
        channel: only this channel.
        drums: whether to keep drums.
        on_damage: what to do with damaged files.
        limits: how large the file and the planes may be.
        **policies: see :class:`Policies`.

    Raises:
        MidiError, NoNotesError, PitchRangeError, LimitError, SettingsError: as those do.
    """
    narrowed = not (track is None and program is None and channel is None)
    notes = read_notes(source, on_damage=on_damage, limits=limits, parts=narrowed, **policies)
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
        label=notes.label,
        last_tick=notes.end_tick,
    )
    return PlanesOfFile(*planes, notes.tempo, notes.name)
