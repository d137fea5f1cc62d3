"""Packed frames as the tensors that models read: float32 zeros and ones, and velocities divided by 127."""

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from pianoroll_seq2seq.data.corpus.packing import PackedFrames, bit_positions
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
    batch, num_frames, _ = packed.active.shape
    if out is None:
        out = torch.from_numpy(np.empty((batch, num_frames, layout.frame_size), np.float32))
    frames = out[:batch]
    size = layout.plane_size
    frames[..., :size].copy_(_unpacked(packed.active, size))
    if packed.velocities is not None:
        frames[..., size:].zero_()
        _set_onsets(packed, layout, frames)
    elif packed.onset is not None:
        frames[..., size:].copy_(_unpacked(packed.onset, size))
    return frames


def _unpacked(plane: UInt8[np.ndarray, "batch frames bytes"], size: int) -> Tensor:
    """Zeros and ones, (batch, frames, size)."""
    batch, num_frames, width = plane.shape
    cells = np.unpackbits(plane.reshape(batch * num_frames * width))
    return torch.from_numpy(cells.reshape(batch, num_frames, 8 * width)[..., :size])


def _set_onsets(packed: PackedFrames, layout: FrameLayout, frames: Tensor) -> None:
    """Sets the onsets and their velocities in columns of zeros. Onsets are rare: faster than unpacking their plane."""
    velocities, positions = packed.velocities, packed.onset_positions
    assert velocities is not None
    assert packed.onset is not None
    row, column = np.divmod(bit_positions(packed.onset) if positions is None else positions, 8 * packed.onset.shape[2])
    if column.max(initial=0) >= layout.plane_size or len(velocities) != len(column) or velocities.max(initial=0) > 127:
        raise CorpusError(
            "Onsets without velocities, or beyond the last column: the corpus is damaged. Corpus(folder).verify() "
            "names the pieces."
        )
    levels = _LEVELS[velocities]
    if frames.is_contiguous():
        cells = frames.view(-1).numpy()
        row *= layout.frame_size
        row += column
        cells[row + layout.plane_size] = 1
        cells[row + 2 * layout.plane_size] = levels
    else:
        batch, frame = np.divmod(row, frames.shape[1])
        frames.numpy()[batch, frame, column + layout.plane_size] = 1
        frames.numpy()[batch, frame, column + 2 * layout.plane_size] = levels
