"""Packed frames as the tensors that models read: float32 zeros and ones, and velocities divided by 127."""

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from pianoroll_seq2seq.data.corpus.packing import PackedFrames, bit_positions, bytes_per_frame, num_bit_planes
from pianoroll_seq2seq.errors import CorpusError
from pianoroll_seq2seq.layout import FrameLayout

_LEVELS = np.arange(128, dtype=np.float32) / np.float32(127)


def frames_to_tensor(
    packed: PackedFrames, layout: FrameLayout, out: Float32[Tensor, "capacity frames columns"] | None = None
) -> Float32[Tensor, "batch frames columns"]:
    """Frames in the columns of a layout.

    Args:
        packed: the frames.
        layout: what the columns mean.
        out: memory to use; new memory by default.

    Returns:
        float32 of shape (batch, frames, layout.frame_size). Velocity columns hold velocity / 127 at onsets, else 0.
    """
    batch, num_frames, num_bytes = packed.bits.shape
    planes, size = num_bit_planes(layout), layout.plane_size
    cells = np.unpackbits(packed.bits.reshape(batch, num_frames * num_bytes), axis=1)
    cells = cells.reshape(batch, num_frames, planes, 8 * bytes_per_frame(size))[..., :size]
    if out is None:
        out = torch.from_numpy(np.empty((batch, num_frames, layout.frame_size), np.float32))
    frames = out[:batch]
    if packed.velocities is None:
        return frames.copy_(torch.from_numpy(cells.reshape(batch, num_frames, layout.frame_size)))
    by_plane = frames.unflatten(2, (len(layout.planes), size))
    by_plane[:, :, :planes].copy_(torch.from_numpy(cells))
    by_plane[:, :, planes:].zero_()
    _scatter_velocities(packed.bits, packed.velocities, layout, frames)
    return frames


def _scatter_velocities(bits: np.ndarray, velocities: np.ndarray, layout: FrameLayout, frames: Tensor) -> None:
    """Writes the velocities at their onsets."""
    width = bytes_per_frame(layout.plane_size)
    row, column = np.divmod(bit_positions(np.ascontiguousarray(bits[..., width:])), 8 * width)
    batch, frame = np.divmod(row, bits.shape[1])
    if column.max(initial=0) >= layout.plane_size or len(velocities) != len(column) or velocities.max(initial=0) > 127:
        raise CorpusError(
            "Onsets without velocities, or beyond the last column: the corpus is damaged. Corpus(folder).verify() "
            "names the pieces."
        )
    column += layout.columns("velocity").start
    frames.numpy()[batch, frame, column] = _LEVELS[velocities]
