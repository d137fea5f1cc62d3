"""Lengths in frames, beats or seconds, as frames."""

import math
from dataclasses import dataclass

import numpy as np

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.limits import DEFAULT_LIMITS
from pianoroll_seq2seq.tempo import MAX_TICK, TempoMap


@dataclass(frozen=True)
class Length:
    """A length in one unit, or none.

    Args:
        frames: in frames,
        beats: or in beats,
        seconds: or in seconds.

    Raises:
        SettingsError: several at once, or one that is not above 0.
    """

    frames: int | None = None
    beats: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Checks the numbers."""
        said = [value for value in (self.frames, self.beats, self.seconds) if value is not None]
        if len(said) > 1 or not all(0 < value < math.inf for value in said):
            raise SettingsError(f"A length is one number above 0, of frames, of beats or of seconds; got {said}.")

    def __bool__(self) -> bool:
        """Whether it says anything."""
        return self != Length()

    def in_frames(self, grid: FrameGrid, tempo: TempoMap, *, after: int = 0) -> int:
        """How many frames a stretch of this length has, at least 1.

        Args:
            grid: where the frames lie.
            tempo: from frame 0 on.
            after: the frame with which the stretch begins.

        Raises:
            SettingsError: a length beyond all limits.

        Example:
            >>> from pianoroll_seq2seq.grid import BeatGrid
            >>> Length(seconds=2.5).in_frames(BeatGrid(4), TempoMap.from_bpm(60))
            10
        """
        count = self.frames
        if count is None:
            start = int(grid.ticks_at(np.array([after]), tempo)[0])
            end = round(start + (self.beats or 0) * tempo.ticks_per_beat)
            if self.seconds is not None:
                begin = int(tempo.time_units(np.array([start]))[0])
                units = begin + round(self.seconds * 1e6) * tempo.ticks_per_beat
                end = int(tempo.nearest_ticks(np.array([units], dtype=object))[0])
            count = int(grid.lines_at(np.array([min(end, MAX_TICK)]), tempo)[0]) - after
        if count > DEFAULT_LIMITS.frames:
            raise SettingsError(f"{self} is {count} frames, more than the {DEFAULT_LIMITS.frames} that are allowed.")
        return max(count, 1)
