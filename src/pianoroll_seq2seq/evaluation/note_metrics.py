"""Metrics of single notes: their lengths, how many repeat the note before, and their velocities.

Each is a plain function of one roll, as in :mod:`~pianoroll_seq2seq.evaluation.music_metrics`, and NaN if it is
undefined for the roll. Lengths and repeated notes are those of each part by itself, without drums.
"""

import math

import numpy as np
from jaxtyping import Float64, Int64

from pianoroll_seq2seq.evaluation.pitched import pitched_columns, pitched_notes
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.pianoroll import PianoRoll


def note_beats(roll: PianoRoll) -> Float64[np.ndarray, " notes"]:
    """The length of each note in beats (quarter notes), in the order of :meth:`PianoRoll.notes`, without drums."""
    onset_frame, end_frame = pitched_notes(roll)[:2]
    if isinstance(roll.grid, BeatGrid):
        beats: np.ndarray = (end_frame - onset_frame) / roll.grid.frames_per_beat
        return beats
    ticks: np.ndarray = roll.grid.ticks_at(end_frame, roll.tempo) - roll.grid.ticks_at(onset_frame, roll.tempo)
    return ticks / roll.tempo.ticks_per_beat


def mean_note_beats(roll: PianoRoll) -> float:
    """The mean of :func:`note_beats`; NaN without notes."""
    beats = note_beats(roll)
    return float(beats.mean()) if len(beats) else math.nan


def median_note_beats(roll: PianoRoll) -> float:
    """The median of :func:`note_beats`; NaN without notes."""
    beats = note_beats(roll)
    return float(np.median(beats)) if len(beats) else math.nan


def repeated_notes(roll: PianoRoll) -> float:
    """The share of the notes that begin where a note of the same part and pitch ends, without a gap between them.

    Models without an onset plane cannot write such notes: they become one long note. Notes in the first frame do not
    count, because the frame before is unknown.

    Returns:
        A share; NaN if no note begins after the first frame.
    """
    columns = pitched_columns(roll)
    onset, before = roll.note_starts()[1:, columns], roll.active[:-1, columns]
    count = int(onset.sum())
    return float((onset & before).sum() / count) if count else math.nan


def velocities(roll: PianoRoll) -> Int64[np.ndarray, " notes"]:
    """The velocities that are known, 1..127, of the notes of all parts, with drums; empty if there are none."""
    known = np.zeros(0, dtype=np.uint8) if roll.velocity is None else roll.velocity[roll.velocity > 0]
    result: np.ndarray = known.astype(np.int64)
    return result


def mean_velocity(roll: PianoRoll) -> float:
    """The mean of :func:`velocities`; NaN if none is known."""
    known = velocities(roll)
    return float(known.mean()) if len(known) else math.nan


def velocity_std(roll: PianoRoll) -> float:
    """The standard deviation of :func:`velocities`: 0 for notes of one velocity; NaN if none is known."""
    known = velocities(roll)
    return float(known.std()) if len(known) else math.nan
