"""Frames and ticks as beats or seconds, for the axes of plots."""

from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float64, Int

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.grid import BeatGrid, FrameGrid, beats_at
from pianoroll_seq2seq.tempo import TempoMap

TimeUnit: TypeAlias = Literal["beats", "seconds"]
"""The unit of a time axis; beats are quarter notes."""


def unit_of(grid: FrameGrid, time: TimeUnit | None) -> TimeUnit:
    """The given unit, or the grid's own by default.

    Raises:
        SettingsError: another unit.
    """
    if time is None:
        return "beats" if isinstance(grid, BeatGrid) else "seconds"
    return check_unit(time)


def check_unit(time: TimeUnit) -> TimeUnit:
    """Validates a unit.

    Raises:
        SettingsError: another unit.
    """
    if time not in ("beats", "seconds"):
        raise SettingsError(f"time must be 'beats' or 'seconds', got {time!r}.")
    return time


def times_of_lines(
    lines: Int[np.ndarray, " n"], *, grid: FrameGrid, tempo: TempoMap, unit: TimeUnit
) -> Float64[np.ndarray, " n"]:
    """The times of grid lines, in beats or seconds."""
    return grid.seconds_at(lines, tempo) if unit == "seconds" else beats_at(grid, lines, tempo)


def times_of_ticks(ticks: Int[np.ndarray, " n"], *, tempo: TempoMap, unit: TimeUnit) -> Float64[np.ndarray, " n"]:
    """The times of ticks, in beats or seconds."""
    return tempo.seconds(ticks) if unit == "seconds" else ticks / tempo.ticks_per_beat
