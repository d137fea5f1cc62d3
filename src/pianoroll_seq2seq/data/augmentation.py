"""Random transpositions and tempi of windows, drawn as windows are fetched: no copy of the pieces is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from pianoroll_seq2seq.data.corpus.packing import PackedFrames
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.parts import Part

FrameIndices = Int64[np.ndarray, "batch frames"]
PackedWindows = UInt8[np.ndarray, "batch frames bytes"]
Semitones = Int64[np.ndarray, " batch"]


@dataclass(frozen=True)
class Augmentation:
    """Random variations of windows, drawn again each time a window is fetched.

    Args:
        semitones: the lowest and the highest transposition, both included. It is drawn evenly from those that keep
            every note of the window within the pitches of its part; 0 always does. All parts but drums are transposed
            by it.
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

    def transpose(self, frames: PackedFrames, parts: Sequence[Part], generator: np.random.Generator) -> PackedFrames:
        """Transposes each window by its own interval: :meth:`draw_semitones`, then :func:`transpose_packed`."""
        return transpose_packed(frames, parts, self.draw_semitones(frames.active, parts, generator))

    def draw_semitones(
        self, windows: PackedWindows, parts: Sequence[Part], generator: np.random.Generator
    ) -> Semitones:
        """The transposition of each window, in semitones.

        Args:
            windows: their active planes as bits, as :func:`~pianoroll_seq2seq.data.corpus.packing.pack` gives them.
            parts: the parts of a plane.
            generator: draws the transpositions.
        """
        if self.semitones == (0, 0) or all(part.drums for part in parts):
            return np.zeros(len(windows), dtype=np.int64)
        sounds = np.unpackbits(_sounding(windows), axis=1)
        farthest = sum(len(part.pitches) for part in parts) - 1
        down, up = (np.full(len(windows), bound) for bound in self.semitones)
        start = 0
        for part in parts:
            size = len(part.pitches)
            columns = sounds[:, start : start + size]
            start += size
            if part.drums:
                continue
            silent = ~columns.any(axis=1)
            down = np.maximum(down, -np.where(silent, farthest, columns.argmax(axis=1)))
            up = np.minimum(up, np.where(silent, farthest, columns[:, ::-1].argmax(axis=1)))
        semitones = generator.integers(down, up, endpoint=True)
        if self.share < 1:
            semitones[generator.random(len(semitones)) >= self.share] = 0
        return semitones


def transpose_packed(frames: PackedFrames, parts: Sequence[Part], semitones: Semitones) -> PackedFrames:
    """Transposes each window by its own interval, which must keep its notes within the pitches of their parts.

    The onset plane moves with the active plane; onsets are active, so they stay in the range too. They keep their
    order, so that the velocities need not be moved. Drums stay as they are.

    Args:
        frames: the windows.
        parts: the parts of a plane.
        semitones: of each window, upwards above 0.
    """
    if not semitones.any():
        return frames
    onset = None if frames.onset is None else _transpose_plane(frames.onset, parts, semitones)
    return PackedFrames(_transpose_plane(frames.active, parts, semitones), onset, frames.velocities)


def _transpose_plane(windows: PackedWindows, parts: Sequence[Part], semitones: Semitones) -> PackedWindows:
    bits = windows.reshape(len(windows), windows.shape[1] * windows.shape[2])
    drums = pitched = None
    if any(part.drums for part in parts):
        plane = np.repeat([part.drums for part in parts], [len(part.pitches) for part in parts])
        drums = np.tile(np.packbits(plane), windows.shape[1])
        pitched = bits & ~drums
    transposed = bits.copy()
    for interval in np.unique(semitones[semitones != 0]).tolist():
        here = np.flatnonzero(semitones == interval)
        transposed[here] = _shift_bits((bits if pitched is None else pitched)[here], interval)
        if drums is not None:
            transposed[here] |= bits[here] & drums
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
