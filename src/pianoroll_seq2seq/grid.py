"""Grids: how long the frames of a piano roll are.

Line ``t`` of a grid is at ``t`` grid steps; frame ``t`` covers the time from line ``t`` to line ``t + 1``. A note's
onset and its end each go to the nearest line, halves up, in exact integers.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int, Int64

from pianoroll_seq2seq.errors import GridError
from pianoroll_seq2seq.tempo import MAX_TICKS_PER_BEAT, TempoMap, divide_half_up, widen


@runtime_checkable
class FrameGrid(Protocol):
    """Ticks to grid lines and back. Hashable and comparable: equal grids make comparable rolls."""

    def lines_at(self, ticks: Int[np.ndarray, " n"], tempo: TempoMap) -> Int64[np.ndarray, " n"]:
        """The grid line nearest to each tick, halves up."""
        ...

    def ticks_at(self, lines: Int[np.ndarray, " n"], tempo: TempoMap) -> Int64[np.ndarray, " n"]:
        """The tick nearest to each grid line, halves up."""
        ...

    def seconds_at(self, lines: Int[np.ndarray, " n"], tempo: TempoMap) -> Float64[np.ndarray, " n"]:
        """The time of each grid line in seconds, rounded to a float; for display."""
        ...

    def settings(self) -> dict[str, int | float]:
        """The constructor's arguments, as JSON values."""
        ...


@dataclass(frozen=True)
class SecondsGrid:
    """Frames of equal length in seconds, whatever the tempo.

    Args:
        frame_seconds: length of a frame, in seconds. Taken as the nearest fraction with a denominator
            of at most 10**6, so that ``0.02`` is exactly 1/50 and ``1 / 60`` exactly 1/60.

    Raises:
        GridError: a length that is not positive, or over an hour.

    Example:
        >>> SecondsGrid(0.02).lines_at(np.array([0, 48, 960]), TempoMap(960)).tolist()
        [0, 1, 25]
    """

    frame_seconds: float

    def __post_init__(self) -> None:
        """Validates the length."""
        if not 1e-6 <= self.frame_seconds <= 3600:
            raise GridError(f"frame_seconds must be in 1e-6..3600, got {self.frame_seconds!r} (20 ms is 0.02).")

    @cached_property
    def _frame_us(self) -> Fraction:
        return Fraction(self.frame_seconds).limit_denominator(1_000_000) * 1_000_000

    def lines_at(self, ticks: Int[np.ndarray, " n"], tempo: TempoMap) -> Int64[np.ndarray, " n"]:
        """The grid line nearest to each tick, halves up."""
        frame_us = self._frame_us
        units = widen(tempo.time_units(ticks), 4 * frame_us.denominator)
        if frame_us.denominator > 1:
            units = units * frame_us.denominator
        lines = divide_half_up(units, tempo.ticks_per_beat * frame_us.numerator)
        return lines.astype(np.int64, copy=False)

    def ticks_at(self, lines: Int[np.ndarray, " n"], tempo: TempoMap) -> Int64[np.ndarray, " n"]:
        """The tick nearest to each grid line, halves up."""
        frame_us = self._frame_us
        step = tempo.ticks_per_beat * frame_us.numerator
        return tempo.nearest_ticks(widen(lines, 4 * step) * step, frame_us.denominator)

    def seconds_at(self, lines: Int[np.ndarray, " n"], tempo: TempoMap) -> Float64[np.ndarray, " n"]:
        """The time of each grid line in seconds, rounded to a float; for display."""
        return np.asarray(lines, dtype=np.float64) * float(self._frame_us / 1_000_000)

    def settings(self) -> dict[str, int | float]:
        """The constructor's arguments, as JSON values."""
        return {"frame_seconds": self.frame_seconds}


@dataclass(frozen=True)
class BeatGrid:
    """Frames of equal length in beats (quarter notes): ``frames_per_beat=4`` is a grid of sixteenths.

    Args:
        frames_per_beat: frames in a quarter note, at least 1.

    Raises:
        GridError: fewer than one frame in a quarter note, or more than 32,767.

    Example:
        >>> BeatGrid(4).lines_at(np.array([0, 59, 60, 480]), TempoMap(480)).tolist()
        [0, 0, 1, 4]
    """

    frames_per_beat: int = 4

    def __post_init__(self) -> None:
        """Validates the number of frames."""
        if not 1 <= self.frames_per_beat <= MAX_TICKS_PER_BEAT:
            raise GridError(
                f"frames_per_beat must be in 1..{MAX_TICKS_PER_BEAT}, got {self.frames_per_beat!r} (sixteenths are 4)."
            )

    def lines_at(self, ticks: Int[np.ndarray, " n"], tempo: TempoMap) -> Int64[np.ndarray, " n"]:
        """The grid line nearest to each tick, halves up."""
        return divide_half_up(np.asarray(ticks, dtype=np.int64) * self.frames_per_beat, tempo.ticks_per_beat)

    def ticks_at(self, lines: Int[np.ndarray, " n"], tempo: TempoMap) -> Int64[np.ndarray, " n"]:
        """The tick nearest to each grid line, halves up."""
        return divide_half_up(np.asarray(lines, dtype=np.int64) * tempo.ticks_per_beat, self.frames_per_beat)

    def seconds_at(self, lines: Int[np.ndarray, " n"], tempo: TempoMap) -> Float64[np.ndarray, " n"]:
        """The time of each grid line in seconds, rounded to a float; for display."""
        return tempo.seconds(self.ticks_at(lines, tempo))

    def settings(self) -> dict[str, int | float]:
        """The constructor's arguments, as JSON values."""
        return {"frames_per_beat": self.frames_per_beat}


SIXTEENTHS = BeatGrid(4)
"""Four frames to a quarter note."""


def beats_at(grid: FrameGrid, lines: Int[np.ndarray, " n"], tempo: TempoMap) -> Float64[np.ndarray, " n"]:
    """The position of each grid line in beats (quarter notes).

    Example:
        >>> beats_at(BeatGrid(4), np.array([0, 2, 4]), TempoMap()).tolist()
        [0.0, 0.5, 1.0]
    """
    if isinstance(grid, BeatGrid):
        beats: np.ndarray = np.asarray(lines) / grid.frames_per_beat
        return beats
    ticks: np.ndarray = grid.ticks_at(lines, tempo)
    return ticks / tempo.ticks_per_beat
