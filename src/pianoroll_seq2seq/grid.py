"""Grids: how long the frames of a piano roll are.

Line ``t`` of a grid is at ``t`` grid steps; frame ``t`` covers the time from line ``t`` to line ``t + 1``. A note's
onset and its end each go to the nearest line, halves up, in exact integers.

In some files the music does not begin on a beat: all notes are a constant number of ticks after the beats that the
file counts from 0. ``BeatGrid(4, offset="auto")`` finds that number for each file (:func:`estimate_offset`) and moves
the file's music onto the grid when it is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Literal, Protocol, runtime_checkable

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

    def settings(self) -> Mapping[str, int | float | str]:
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
        offset: ``"auto"`` to move the music of each file onto the grid when it is read, by the constant number of
            ticks that :func:`estimate_offset` finds, at most half a frame; None to keep the file's ticks. It says how
            files are read, not what a frame is. So it is not compared: rolls that were read with and without it, from
            files with any offsets, are on equal grids.

    Raises:
        GridError: fewer than one frame in a quarter note, more than 32,767, or another offset.

    Example:
        >>> BeatGrid(4).lines_at(np.array([0, 59, 60, 480]), TempoMap(480)).tolist()
        [0, 0, 1, 4]
        >>> BeatGrid(4, offset="auto") == BeatGrid(4)
        True
    """

    frames_per_beat: int = 4
    offset: Literal["auto"] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Validates the number of frames and the offset."""
        if not 1 <= self.frames_per_beat <= MAX_TICKS_PER_BEAT:
            raise GridError(
                f"frames_per_beat must be in 1..{MAX_TICKS_PER_BEAT}, got {self.frames_per_beat!r} (sixteenths are 4)."
            )
        if self.offset not in (None, "auto"):
            raise GridError(
                f"offset must be 'auto' or None, got {self.offset!r}. To move the music by a number of ticks that you "
                f"know, read it with read_midi(path).shift(-ticks), then PianoRoll.from_score."
            )

    def __repr__(self) -> str:
        """The arguments; the offset only if it is given."""
        offset = "" if self.offset is None else f", offset={self.offset!r}"
        return f"BeatGrid(frames_per_beat={self.frames_per_beat}{offset})"

    def lines_at(self, ticks: Int[np.ndarray, " n"], tempo: TempoMap) -> Int64[np.ndarray, " n"]:
        """The grid line nearest to each tick, halves up."""
        return divide_half_up(np.asarray(ticks, dtype=np.int64) * self.frames_per_beat, tempo.ticks_per_beat)

    def ticks_at(self, lines: Int[np.ndarray, " n"], tempo: TempoMap) -> Int64[np.ndarray, " n"]:
        """The tick nearest to each grid line, halves up."""
        return divide_half_up(np.asarray(lines, dtype=np.int64) * tempo.ticks_per_beat, self.frames_per_beat)

    def seconds_at(self, lines: Int[np.ndarray, " n"], tempo: TempoMap) -> Float64[np.ndarray, " n"]:
        """The time of each grid line in seconds, rounded to a float; for display."""
        return tempo.seconds(self.ticks_at(lines, tempo))

    def settings(self) -> dict[str, int | float | str]:
        """The constructor's arguments, as JSON values; the offset only if it is given."""
        given: dict[str, int | float | str] = {"frames_per_beat": self.frames_per_beat}
        return given if self.offset is None else {**given, "offset": self.offset}


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


def offset_in(grid: FrameGrid, onset_ticks: Sequence[Int[np.ndarray, " _"]], tempo: TempoMap) -> int:
    """The tick of a file that becomes tick 0 of its roll: 0, unless the grid has ``offset="auto"``.

    Args:
        grid: the grid of the roll.
        onset_ticks: the onsets of all notes of the file, in arrays of any lengths. All parts of a file are moved
            together, also those that are not kept.
        tempo: the tempo map of the ticks.
    """
    if not isinstance(grid, BeatGrid) or grid.offset is None or not onset_ticks:
        return 0
    return estimate_offset(np.concatenate(onset_ticks), grid.frames_per_beat, tempo.ticks_per_beat)


def estimate_offset(onset_tick: Int[np.ndarray, " notes"], frames_per_beat: int, ticks_per_beat: int) -> int:
    """The constant offset of music from the beats that its file counts, for a grid in beats.

    A note counts the more, the closer it is to a line, and not at all from a fifth of a frame on. So ornaments,
    triplets and swing do not pull the grid away from the notes that are on it. The offset is exact: if each note begins
    on the tick nearest to a line, it is 0. It is known up to whole frames only.

    Args:
        onset_tick: the onset of each note, in ticks, in any order.
        frames_per_beat: frames in a quarter note.
        ticks_per_beat: ticks in a quarter note.

    Returns:
        The ticks from a line of the file's own grid to the music's, at most half a frame. Of offsets that fit equally
        well, the one closest to 0; 0 without notes.

    Example:
        >>> estimate_offset(np.array([37, 157, 277, 300, 517]), frames_per_beat=4, ticks_per_beat=480)
        37
    """
    # A line is every ticks_per_beat / frames_per_beat ticks. In units of 1 / frames_per_beat of a tick, lines are
    # ticks_per_beat apart, and all distances are integers.
    size, reach = ticks_per_beat, max(ticks_per_beat // 5, 1)
    counts = np.bincount(np.asarray(onset_tick, dtype=np.int64) * frames_per_beat % size, minlength=size)
    first, second, offsets = _offset_table(frames_per_beat, size, reach)
    # The fit of every offset is the circular convolution of counts with weights. The second difference of weights has
    # three values that are not 0, so two cumulative sums give all fits in exact integers.
    circle = np.concatenate([counts[-reach:], counts, counts[:reach]])
    slopes = circle[: len(counts)] + circle[2 * reach :] - 2 * counts
    slopes[0] = counts @ second - counts @ first
    fits = slopes.cumsum()
    fits[-1] = counts @ first
    fits = np.roll(fits, 1)
    fits.cumsum(out=fits)
    return int(offsets[np.argmax(fits[offsets * frames_per_beat % size])])


@lru_cache(maxsize=32)
def _offset_table(frames_per_beat: int, size: int, reach: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The weights of all phases for the offset 0 and for the next one, and the offsets, closest to 0 first."""
    phase = np.arange(size)
    weights = np.maximum(reach - np.minimum(phase, size - phase), 0)
    half = size // (2 * frames_per_beat)
    offsets = np.arange(-half, half + 1)
    return weights, np.roll(weights, 1), offsets[np.argsort(np.abs(offsets) * 2 - (offsets > 0))]
