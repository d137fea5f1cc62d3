"""Variations of windows, drawn as they are fetched: no copy of the pieces is kept."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from pianoroll_seq2seq.errors import SettingsError

Frames = Int64[np.ndarray, "batch frames"]
Cells = UInt8[np.ndarray, "batch frames pitches"]


@dataclass(frozen=True)
class Augmentation:
    """Variations of windows, drawn anew each time: a scale in all keys, a song at any pace.

    Args:
        semitones: lowest and highest transposition, both included. It is drawn evenly from those that keep every
            note of the window within the pitch range; 0 always does.
        tempo: slowest and fastest factor of the tempo, such as ``(0.9, 1.1)``, on a grid in seconds; drawn so
            that its logarithm is even. A frame takes what sounds in the frame of the original whose time it
            stands for; at the end of a piece the factor goes no higher than the frames suffice.

    Raises:
        SettingsError: bounds in the wrong order, or a tempo of 0 or below.

    Example:
        >>> Augmentation(semitones=(-5, 6))
        Augmentation(semitones=(-5, 6), tempo=(1.0, 1.0))
    """

    semitones: tuple[int, int] = (0, 0)
    tempo: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        """Checks the bounds."""
        if not self.semitones[0] <= 0 <= self.semitones[1]:
            raise SettingsError(f"semitones must be two bounds around 0, such as (-5, 6), got {self.semitones}.")
        if not 0 < self.tempo[0] <= self.tempo[1] < np.inf:
            raise SettingsError(f"tempo must be two factors above 0 in order, such as (0.9, 1.1), got {self.tempo}.")

    def frames(self, available: Int64[np.ndarray, " batch"], count: int, generator: np.random.Generator) -> Frames:
        """Which frames of the original each window takes, counted from the window's beginning.

        Args:
            available: frames of the piece from the beginning of each window on, at least ``count``.
            count: frames of a window.
            generator: what the tempi are drawn from.
        """
        slowest, fastest = np.log(self.tempo)
        factor = np.exp(generator.uniform(slowest, fastest, size=len(available)))
        factor = np.minimum(factor, available / count)
        frames: Frames = (np.arange(count) * factor[:, None]).astype(np.int64)
        return frames

    def transpose(self, windows: Cells, generator: np.random.Generator) -> Cells:
        """Each window's notes moved by a step of its own.

        Args:
            windows: zeros and ones.
            generator: what the steps are drawn from.
        """
        if self.semitones == (0, 0):
            return windows
        pitches = windows.shape[2]
        sounds = _sounding(windows)
        silent = ~sounds.any(axis=1)
        below = np.where(silent, pitches - 1, sounds.argmax(axis=1))
        above = np.where(silent, pitches - 1, sounds[:, ::-1].argmax(axis=1))
        down = np.maximum(self.semitones[0], -below)
        up = np.minimum(self.semitones[1], above)
        steps = generator.integers(down, up, endpoint=True)
        # No note leaves its row, so a row after another the cells move as one; what is left over is silence.
        cells = windows.reshape(len(windows), windows.shape[1] * pitches)
        moved = np.zeros_like(cells)
        for window, step in enumerate(steps.tolist()):
            if step >= 0:
                moved[window, step:] = cells[window, : cells.shape[1] - step]
            else:
                moved[window, :step] = cells[window, -step:]
        return moved.reshape(windows.shape)


def _sounding(windows: Cells) -> Bool[np.ndarray, "batch pitches"]:
    """Which pitches sound in each window: halves laid on one another, which is quicker than frame by frame."""
    while windows.shape[1] > 1:
        half = windows.shape[1] // 2
        rest = windows[:, 2 * half :]
        windows = windows[:, :half] | windows[:, half : 2 * half]
        windows[:, : rest.shape[1]] |= rest
    return windows[:, 0].astype(bool)
