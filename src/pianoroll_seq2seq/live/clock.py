"""The clock of the frames: seconds to positions in frames, and back."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FrameClock:
    """Lines of frames in time: frame ``n`` is between the lines ``n`` and ``n + 1``.

    Args:
        frame_seconds: length of a frame.
        begin: the time of line 0, in seconds.
    """

    frame_seconds: float
    begin: float = 0.0

    def seconds(self, position: float) -> float:
        """The time of a position in frames.

        Example:
            >>> FrameClock(0.125, begin=10.0).seconds(4)
            10.5
        """
        return self.begin + position * self.frame_seconds

    def position(self, seconds: float) -> float:
        """The position in frames at a time.

        Example:
            >>> FrameClock(0.125, begin=10.0).position(10.25)
            2.0
        """
        return (seconds - self.begin) / self.frame_seconds
