"""A MIDI file as a primer: its notes in the layout of a model, from the first one on."""

import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from pianoroll_seq2seq.errors import NoNotesError
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.midi_io import read_midi
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling import Length


def read_primer(
    path: str | os.PathLike[str],
    layout: FrameLayout,
    *,
    length: Length = Length(),
    outside: Literal["error", "drop"] = "drop",
    on_damage: Literal["error", "salvage"] = "error",
) -> PianoRoll:
    """Reads a MIDI file as a primer, with all parts as one and without drums.

    Args:
        path: the MIDI file.
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
    label, pitches, grid = os.fspath(path), layout.pitches, layout.grid
    score = replace(read_midi(path, on_damage=on_damage), name=label).on_grid(grid)
    if not length:
        score = replace(score, end_tick=None)
    notes = score.without_drums().notes
    if not len(notes):
        raise NoNotesError(f"{label}: no notes to continue. Drums have no pitches, so they cannot be a primer.")
    roll = PianoRoll.from_score(score, grid=grid, pitches=pitches, outside=outside).renamed(Path(label).stem)
    if length:
        start = _first_frame(roll)
        num_frames = length.in_frames(grid, roll[start:].tempo)
        onset_frame = grid.lines_at(notes.onset_tick, score.tempo)
        notes = notes.where((onset_frame >= start) & (onset_frame < start + num_frames))
        roll = roll[start : start + num_frames]
        if len(roll) < num_frames:
            _warn(
                f"{label}: the primer has {len(roll)} frames instead of {num_frames}, because the file has no more "
                f"from its first note on."
            )
    num_outside = int((~pitches.contains(notes.pitch)).sum())
    if num_outside:
        names = f"{pitches.name_of(0)} to {pitches.name_of(len(pitches) - 1)}"
        _warn(
            f"{label}: {num_outside} of {len(notes)} notes are outside the model's pitches, {names}, and are left out "
            f"of the primer."
        )
    return roll


def _first_frame(roll: PianoRoll) -> int:
    """The frame of the first note, or of its beat on a grid in beats."""
    first = int(np.argmax(roll.active.any(axis=1)))
    return first - first % roll.grid.frames_per_beat if isinstance(roll.grid, BeatGrid) else first


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=4)
