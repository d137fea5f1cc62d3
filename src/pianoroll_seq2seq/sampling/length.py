"""The length of new music in frames, beats or seconds."""

import math
from dataclasses import dataclass

import numpy as np

from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.tempo import MAX_TICK, TempoMap


@dataclass(frozen=True)
class Length:
    """A length in one unit, or none.

    Args:
        num_frames: the length in frames,
        beats: or in beats (quarter notes),
        seconds: or in seconds.

    Raises:
        SettingsError: several units at once, a number that is not above 0, or a part of a frame.
    """

    num_frames: int | None = None
    beats: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Validates the numbers."""
        given = [value for value in (self.num_frames, self.beats, self.seconds) if value is not None]
        if len(given) > 1 or not all(0 < value < math.inf for value in given):
            raise SettingsError(f"A length is one number above 0: num_frames, beats or seconds. Got {given}.")
        if self.num_frames is not None and self.num_frames % 1:
            raise SettingsError(f"num_frames must be a whole number, got {self.num_frames}.")

    def __bool__(self) -> bool:
        """Whether a length is given."""
        return self != Length()

    def in_frames(self, grid: FrameGrid, tempo: TempoMap, *, after: int = 0) -> int:
        """The number of frames, at least 1.

        Args:
            grid: the time grid of the frames.
            tempo: the tempo from frame 0 on.
            after: the first frame of the stretch.

        Raises:
            SettingsError: more frames than the limits allow.

        Example:
            >>> from pianoroll_seq2seq.grid import BeatGrid
            >>> Length(seconds=2.5).in_frames(BeatGrid(4), TempoMap.from_bpm(60))
            10
        """
        count = self.num_frames
        if count is None:
            start = int(grid.ticks_at(np.array([after]), tempo)[0])
            end = round(min(start + (self.beats or 0) * tempo.ticks_per_beat, MAX_TICK))
            if self.seconds is not None:
                begin = int(tempo.time_units(np.array([start]))[0])
                units = begin + round(min(self.seconds, 1e9) * 1e6) * tempo.ticks_per_beat
                end = int(tempo.nearest_ticks(np.array([units], dtype=object))[0])
            count = int(grid.lines_at(np.array([min(end, MAX_TICK)]), tempo)[0]) - after
        if count > DEFAULT_LIMITS.max_frames:
            raise SettingsError(f"{self} is {count} frames; at most {DEFAULT_LIMITS.max_frames} are allowed.")
        return max(count, 1)
