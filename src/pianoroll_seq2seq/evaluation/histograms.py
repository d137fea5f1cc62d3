"""Histograms over all notes, or all frames, of a set of pieces, and how much two of them overlap."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int64

from pianoroll_seq2seq.evaluation.note_metrics import velocities
from pianoroll_seq2seq.evaluation.pitched import notes_at_once, pitched_notes
from pianoroll_seq2seq.pianoroll import PianoRoll

_VELOCITY_BIN = 4
"""Velocities in a bin. Single velocities would differ by chance alone in sets of some hundred notes."""


def _empty() -> Int64[np.ndarray, "0"]:
    return np.zeros(0, dtype=np.int64)


@dataclass
class Histograms:
    """Counts over a set of pieces on one grid.

    Args:
        polyphony: frames with 0, 1, 2, ... notes at once, without drums.
        note_frames: notes of 0, 1, 2, ... frames, without drums.
        velocities: notes in each bin of four velocities: 0..3, 4..7, ...
    """

    polyphony: Int64[np.ndarray, " counts"] = field(default_factory=_empty)
    note_frames: Int64[np.ndarray, " frames"] = field(default_factory=_empty)
    velocities: Int64[np.ndarray, " bins"] = field(default_factory=_empty)

    @classmethod
    def of(cls, rolls: Iterable[PianoRoll]) -> "Histograms":
        """The histograms of some pieces."""
        histograms = cls()
        for roll in rolls:
            histograms.add(roll)
        return histograms

    def add(self, roll: PianoRoll) -> None:
        """Counts one more piece."""
        notes = pitched_notes(roll)
        self.polyphony = _sum(self.polyphony, np.bincount(notes_at_once(roll)))
        self.note_frames = _sum(self.note_frames, np.bincount(notes.end_frame - notes.onset_frame))
        self.velocities = _sum(self.velocities, np.bincount(velocities(roll) // _VELOCITY_BIN))


def overlap(one: Int64[np.ndarray, " bins"], other: Int64[np.ndarray, " others"]) -> float:
    """The overlap of two histograms as shares: 1 for equal ones, 0 for disjoint ones, NaN if one is empty.

    Example:
        >>> overlap(np.array([2, 2]), np.array([0, 1, 1]))
        0.5
    """
    if not one.any() or not other.any():
        return math.nan
    size = min(len(one), len(other))
    return float(np.minimum(one[:size] / one.sum(), other[:size] / other.sum()).sum())


def _sum(one: Int64[np.ndarray, " bins"], other: Int64[np.ndarray, " others"]) -> Int64[np.ndarray, " most"]:
    """The sum of two histograms, as long as the longer one."""
    total = np.zeros(max(len(one), len(other)), dtype=np.int64)
    total[: len(one)] += one
    total[: len(other)] += other
    return total
