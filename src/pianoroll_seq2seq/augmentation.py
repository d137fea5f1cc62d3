"""Variations of windows, drawn as they are fetched: no copy of the pieces is kept."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from pianoroll_seq2seq.errors import SettingsError

Frames = Int64[np.ndarray, "batch frames"]
Packed = UInt8[np.ndarray, "batch frames bytes"]
Steps = Int64[np.ndarray, " batch"]


@dataclass(frozen=True)
class Augmentation:
    """Variations of windows, drawn anew each time: a scale in all keys, a song at any pace.

    Args:
        semitones: lowest and highest transposition, both included. It is drawn evenly from those that keep every
            note of the window within the pitch range; 0 always does.
        tempo: slowest and fastest factor of the tempo, such as ``(0.9, 1.1)``, on a grid in seconds; drawn so
            that its logarithm is even. A frame takes what sounds in the frame of the original whose time it
            stands for; at the end of a piece the factor goes no higher than the frames suffice.
        share: of the windows that are transposed at all, 0 <= share <= 1; the others stay in the key of the data.

    Raises:
        SettingsError: bounds in the wrong order, a tempo of 0 or below, or a share out of range.

    Example:
        >>> Augmentation(semitones=(-5, 6))
        Augmentation(semitones=(-5, 6), tempo=(1.0, 1.0), share=1.0)
    """

    semitones: tuple[int, int] = (0, 0)
    tempo: tuple[float, float] = (1.0, 1.0)
    share: float = 1.0

    def __post_init__(self) -> None:
        """Checks the bounds."""
        if not self.semitones[0] <= 0 <= self.semitones[1]:
            raise SettingsError(f"semitones must be two bounds around 0, such as (-5, 6), got {self.semitones}.")
        if not 0 < self.tempo[0] <= self.tempo[1] < np.inf:
            raise SettingsError(f"tempo must be two factors above 0 in order, such as (0.9, 1.1), got {self.tempo}.")
        if not 0 <= self.share <= 1:
            raise SettingsError(f"share must lie in [0, 1], got {self.share}.")

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

    def transpose(self, windows: Packed, pitches: int, generator: np.random.Generator) -> Packed:
        """Each window's notes moved by a step of its own: :meth:`steps`, then :func:`moved`."""
        return moved(windows, self.steps(windows, pitches, generator))

    def steps(self, windows: Packed, pitches: int, generator: np.random.Generator) -> Steps:
        """By how many semitones each window is to be moved.

        Args:
            windows: frames as bits, as :func:`~pianoroll_seq2seq.corpus.packing.pack` gives them.
            pitches: how many bits of a frame stand for pitches.
            generator: what the steps are drawn from.
        """
        if self.semitones == (0, 0):
            return np.zeros(len(windows), dtype=np.int64)
        sounds = np.unpackbits(_sounding(windows), axis=1)[:, :pitches]
        silent = ~sounds.any(axis=1)
        below = np.where(silent, pitches - 1, sounds.argmax(axis=1))
        above = np.where(silent, pitches - 1, sounds[:, ::-1].argmax(axis=1))
        down = np.maximum(self.semitones[0], -below)
        up = np.minimum(self.semitones[1], above)
        steps = generator.integers(down, up, endpoint=True)
        if self.share < 1:
            steps[generator.random(len(steps)) >= self.share] = 0
        return steps


def moved(windows: Packed, steps: Steps) -> Packed:
    """Each window's notes moved by its step, which keeps them within the pitch range.

    Args:
        windows: frames as bits.
        steps: semitones, upwards above 0.
    """
    if not steps.any():
        return windows
    bits = windows.reshape(len(windows), windows.shape[1] * windows.shape[2])
    after = bits.copy()
    for step in np.unique(steps[steps != 0]).tolist():
        here = np.flatnonzero(steps == step)
        after[here] = _shifted(bits[here], step)
    return after.reshape(windows.shape)


def _sounding(windows: Packed) -> UInt8[np.ndarray, "batch bytes"]:
    """Which pitches sound in each window: halves laid on one another, which is quicker than frame by frame."""
    while windows.shape[1] > 1:
        half = windows.shape[1] // 2
        rest = windows[:, 2 * half :]
        windows = windows[:, :half] | windows[:, half : 2 * half]
        windows[:, : rest.shape[1]] |= rest
    return windows[:, 0]


def _shifted(bits: UInt8[np.ndarray, "rows bytes"], step: int) -> UInt8[np.ndarray, "rows bytes"]:
    """Each row moved on by ``step`` bits (back, below 0).

    In a window no note leaves its frame, so its frames can be moved as one; what is left over is silence.
    """
    whole, rest = divmod(abs(step), 8)
    moved = np.zeros_like(bits)
    size = bits.shape[1]
    if step > 0:
        moved[:, whole:] = bits[:, : size - whole] >> rest
        if rest:
            moved[:, whole + 1 :] |= bits[:, : size - whole - 1] << 8 - rest
    else:
        moved[:, : size - whole] = bits[:, whole:] << rest
        if rest:
            moved[:, : size - whole - 1] |= bits[:, whole + 1 :] >> 8 - rest
    return moved
