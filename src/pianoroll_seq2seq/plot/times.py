"""Frames and ticks as beats or seconds, for the axes of pictures."""

from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float64, Int

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.grid import BeatGrid, FrameGrid
from pianoroll_seq2seq.tempo import TempoMap

TimeUnit: TypeAlias = Literal["beats", "seconds"]
"""What time is measured in: beats are quarter notes."""


def unit_of(grid: FrameGrid, time: TimeUnit | None) -> TimeUnit:
    """The unit that was asked for, or else the grid's own.

    Raises:
        SettingsError: another unit.
    """
    if time is None:
        return "beats" if isinstance(grid, BeatGrid) else "seconds"
    return checked_unit(time)


def checked_unit(time: TimeUnit) -> TimeUnit:
    """The unit.

    Raises:
        SettingsError: it is none.
    """
    if time not in ("beats", "seconds"):
        raise SettingsError(f"time must be 'beats' or 'seconds', got {time!r}.")
    return time


def times_of_lines(
    lines: Int[np.ndarray, " n"], *, grid: FrameGrid, tempo: TempoMap, unit: TimeUnit
) -> Float64[np.ndarray, " n"]:
    """Where grid lines stand, in beats or seconds."""
    if unit == "seconds":
        return grid.seconds_at(lines, tempo)
    if isinstance(grid, BeatGrid):
        beats: np.ndarray = lines / grid.frames_per_beat
        return beats
    ticks: np.ndarray = grid.ticks_at(lines, tempo)
    return ticks / tempo.ticks_per_beat


def times_of_ticks(ticks: Int[np.ndarray, " n"], *, tempo: TempoMap, unit: TimeUnit) -> Float64[np.ndarray, " n"]:
    """Where ticks stand, in beats or seconds."""
    return tempo.seconds(ticks) if unit == "seconds" else ticks / tempo.ticks_per_beat
