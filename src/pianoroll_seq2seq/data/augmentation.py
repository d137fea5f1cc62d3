"""Random transpositions and tempi of windows, drawn as windows are fetched: no copy of the pieces is kept."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from pianoroll_seq2seq.errors import SettingsError

FrameIndices = Int64[np.ndarray, "batch frames"]
PackedWindows = UInt8[np.ndarray, "batch frames bytes"]
Semitones = Int64[np.ndarray, " batch"]


@dataclass(frozen=True)
class Augmentation:
    """Random variations of windows, drawn again each time a window is fetched.

    Args:
        semitones: the lowest and the highest transposition, both included. It is drawn evenly from those that keep
            every note of the window within the pitch range; 0 always does.
        tempo: the lowest and the highest factor of the tempo, such as ``(0.9, 1.1)``, on a grid in seconds. Its
            logarithm is drawn evenly. A frame becomes the frame of the original at the corresponding time; at the end
            of a piece the factor is bounded by the number of frames left.
        share: of the windows that are transposed, 0 <= share <= 1; the others stay in the key of the data.

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
        """Validates the bounds."""
        if not self.semitones[0] <= 0 <= self.semitones[1]:
            raise SettingsError(f"semitones must be two bounds around 0, such as (-5, 6), got {self.semitones}.")
        if not 0 < self.tempo[0] <= self.tempo[1] < np.inf:
            raise SettingsError(f"tempo must be two factors above 0 in order, such as (0.9, 1.1), got {self.tempo}.")
        if not 0 <= self.share <= 1:
            raise SettingsError(f"share must be in [0, 1], got {self.share}.")

    def draw_frame_indices(
        self, available: Int64[np.ndarray, " batch"], num_frames: int, generator: np.random.Generator
    ) -> FrameIndices:
        """The frames of the original that each window takes, counted from the window's first frame.

        Args:
            available: frames of the piece from the first frame of each window on, at least ``num_frames``.
            num_frames: frames of a window.
            generator: draws the tempi.
        """
        lowest, highest = np.log(self.tempo)
        factor = np.exp(generator.uniform(lowest, highest, size=len(available)))
        factor = np.minimum(factor, available / num_frames)
        indices: FrameIndices = (np.arange(num_frames) * factor[:, None]).astype(np.int64)
        return indices

    def transpose(self, windows: PackedWindows, num_pitches: int, generator: np.random.Generator) -> PackedWindows:
        """Transposes each window by its own interval: :meth:`draw_semitones`, then :func:`transpose_packed`."""
        return transpose_packed(windows, self.draw_semitones(windows, num_pitches, generator))

    def draw_semitones(self, windows: PackedWindows, num_pitches: int, generator: np.random.Generator) -> Semitones:
        """The transposition of each window, in semitones.

        Args:
            windows: frames as bits, as :func:`~pianoroll_seq2seq.data.corpus.packing.pack` gives them.
            num_pitches: bits of a frame's active plane; they come first.
            generator: draws the transpositions.
        """
        if self.semitones == (0, 0):
            return np.zeros(len(windows), dtype=np.int64)
        sounds = np.unpackbits(_sounding(windows), axis=1)[:, :num_pitches]
        silent = ~sounds.any(axis=1)
        below = np.where(silent, num_pitches - 1, sounds.argmax(axis=1))
        above = np.where(silent, num_pitches - 1, sounds[:, ::-1].argmax(axis=1))
        down = np.maximum(self.semitones[0], -below)
        up = np.minimum(self.semitones[1], above)
        semitones = generator.integers(down, up, endpoint=True)
        if self.share < 1:
            semitones[generator.random(len(semitones)) >= self.share] = 0
        return semitones


def transpose_packed(windows: PackedWindows, semitones: Semitones) -> PackedWindows:
    """Transposes each window by its own interval, which must keep its notes within the pitch range.

    Args:
        windows: frames as bits.
        semitones: of each window, upwards above 0.
    """
    if not semitones.any():
        return windows
    bits = windows.reshape(len(windows), windows.shape[1] * windows.shape[2])
    transposed = bits.copy()
    for interval in np.unique(semitones[semitones != 0]).tolist():
        here = np.flatnonzero(semitones == interval)
        transposed[here] = _shift_bits(bits[here], interval)
    return transposed.reshape(windows.shape)


def _sounding(windows: PackedWindows) -> UInt8[np.ndarray, "batch bytes"]:
    """The pitches that sound in each window; combining halves is faster than combining frame by frame."""
    while windows.shape[1] > 1:
        half = windows.shape[1] // 2
        rest = windows[:, 2 * half :]
        windows = windows[:, :half] | windows[:, half : 2 * half]
        windows[:, : rest.shape[1]] |= rest
    return windows[:, 0]


def _shift_bits(bits: UInt8[np.ndarray, "rows bytes"], step: int) -> UInt8[np.ndarray, "rows bytes"]:
    """Each row shifted right by ``step`` bits (left, below 0).

    No note of a window leaves its frame, so all its frames can be shifted as one row; the bits that are shifted in are
    zero.
    """
    whole, rest = divmod(abs(step), 8)
    shifted = np.zeros_like(bits)
    size = bits.shape[1]
    if step > 0:
        shifted[:, whole:] = bits[:, : size - whole] >> rest
        if rest:
            shifted[:, whole + 1 :] |= bits[:, : size - whole - 1] << 8 - rest
    else:
        shifted[:, : size - whole] = bits[:, whole:] << rest
        if rest:
            shifted[:, : size - whole - 1] |= bits[:, whole + 1 :] >> 8 - rest
    return shifted
