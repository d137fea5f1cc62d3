"""Which frames of which piece a window covers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int64


@dataclass(frozen=True)
class WindowIndex:
    """The windows of some pieces, numbered piece by piece.

    Args:
        num_frames: frames of each piece, at least ``window_frames``, (pieces,).
        window_frames: frames of a window.
        hop: frames from the start of one window to the next.

    Example:
        >>> index = WindowIndex(np.array([6, 4]), window_frames=4, hop=1)
        >>> len(index), index.locate(np.array([2, 3]))
        (4, (array([0, 1]), array([2, 0])))
    """

    num_frames: Int64[np.ndarray, " pieces"]
    window_frames: int
    hop: int

    @cached_property
    def first_windows(self) -> Int64[np.ndarray, " ends"]:
        """The number of each piece's first window, and last the number of all windows, (pieces + 1,)."""
        counts = (self.num_frames - self.window_frames) // self.hop + 1
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])

    def __len__(self) -> int:
        """The number of windows."""
        return int(self.first_windows[-1])

    def locate(self, windows: Int64[np.ndarray, " batch"]) -> tuple[np.ndarray, np.ndarray]:
        """The piece of each window, and the window's first frame in it: two arrays of shape (batch,).

        Raises:
            IndexError: a number that is not in ``0..len(self) - 1``.
        """
        if len(windows) and not 0 <= windows.min() <= windows.max() < len(self):
            raise IndexError(f"Windows {windows.min()} to {windows.max()} of {len(self)}.")
        piece = np.searchsorted(self.first_windows, windows, side="right") - 1
        return piece, (windows - self.first_windows[piece]) * self.hop
