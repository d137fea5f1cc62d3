"""A MIDI or MusicXML file as a primer: its notes in the layout of a model, from the first one on."""

import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS
from pianoroll_seq2seq.errors import NoNotesError
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.midi_io import read_midi
from pianoroll_seq2seq.midi_io.source import NamedBytes
from pianoroll_seq2seq.musicxml import midi_bytes_of
from pianoroll_seq2seq.part_selection import choose_parts
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PIANO
from pianoroll_seq2seq.sampling import Length
from pianoroll_seq2seq.score import Score


def read_primer(
    path: str | os.PathLike[str],
    layout: FrameLayout,
    *,
    length: Length = Length(),
    outside: Literal["error", "drop"] = "drop",
    on_damage: Literal["error", "salvage"] = "error",
) -> PianoRoll:
    """Reads a MIDI or MusicXML file as a primer.

    A model of one part gets all parts as one, without drums. The parts of another model are found by the names of the
    tracks, or are taken in their order.

    Args:
        path: the file; a MusicXML file by its ending (``.musicxml``, ``.mxl``, ``.xml``).
        layout: the model's layout.
        length: how much of the file is read, from its first note on (on a grid in beats, from the beat of the first
            note on). Without a length it is the whole file, from its beginning to the end of its last note.
        outside: leave out notes outside the model's pitches, or raise an error.
        on_damage: raise an error for a damaged file, or read it up to the damage.

    Warns:
        UserWarning: notes were left out, or the file has less music than the length.

    Raises:
        MidiError: a file that cannot be read.
        NoNotesError: no notes but drums.
        PitchRangeError: notes outside the pitches and ``outside="error"``, or no note inside them.
    """
    label, grid = os.fspath(path), layout.grid
    data, _ = midi_bytes_of(path, DEFAULT_LIMITS)
    score = replace(read_midi(NamedBytes(data, label), on_damage=on_damage), name=label).on_grid(grid)
    if not length:
        score = replace(score, end_tick=None)
    if not len(score.notes) or (len(layout.parts) == 1 and not len(score.without_drums().notes)):
        raise NoNotesError(f"{label}: no notes to continue. Drums have no pitches, so they cannot be a primer.")
    roll = PianoRoll.from_score(score, grid=grid, parts=layout.parts, outside=outside).renamed(Path(label).stem)
    start, num_frames = 0, None
    if length:
        start = _first_frame(roll)
        num_frames = length.in_frames(grid, roll[start:].tempo)
        roll = roll[start : start + num_frames]
        if len(roll) < num_frames:
            _warn(
                f"{label}: the primer has {len(roll)} frames instead of {num_frames}, because the file has no more "
                f"from its first note on."
            )
    onset_frame = grid.lines_at(score.notes.onset_tick, score.tempo)
    end = math.inf if num_frames is None else start + num_frames
    read = replace(score, notes=score.notes.where((onset_frame >= start) & (onset_frame < end)))
    message = notes_outside(read, layout.parts, label)
    if message:
        _warn(f"{message} of the primer.")
    return roll


def notes_outside(score: Score, parts: Sequence[Part], label: str) -> str:
    """How many notes of a score are outside the pitches of the parts that read them; empty if none are."""
    _, indices = choose_parts(score.parts, parts, pitches=PIANO, drums=None, label=label)
    count = num_outside = 0
    for part, chosen in zip(parts, indices, strict=True):
        pitch = score.notes.pitch[np.isin(score.notes.part, chosen)]
        count += len(pitch)
        num_outside += int((~part.pitches.contains(pitch)).sum())
    if not num_outside:
        return ""
    names = ", ".join(
        f"{part.name} {part.pitches.name_of(0)} to {part.pitches.name_of(len(part.pitches) - 1)}".strip()
        for part in parts
    )
    return f"{label}: {num_outside} of {count} notes are outside the model's pitches, {names}, and are left out"


def _first_frame(roll: PianoRoll) -> int:
    """The frame of the first note, or of its beat on a grid in beats."""
    first = int(np.argmax(roll.active.any(axis=1)))
    return first - first % roll.grid.frames_per_beat if isinstance(roll.grid, BeatGrid) else first


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=4)
