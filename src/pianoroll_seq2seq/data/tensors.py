"""Packed frames as the tensors that models read: float32 zeros and ones, and velocities divided by 127."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq.data.corpus.bits import bit_positions
from pianoroll_seq2seq.data.corpus.packing import PackedFrames
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

    Raises:
        CorpusError: other velocities than onsets, or onsets beyond the last column.
    """
    batch, num_frames, _ = packed.active.shape
    if out is None:
        out = torch.from_numpy(np.empty((batch, num_frames, layout.frame_size), np.float32))
    frames = out[:batch]
    if packed.velocities is not None:
        if frames.is_contiguous():
            _copy_with_velocities(frames, packed, layout.plane_size)
        else:
            frames.copy_(frames_to_tensor(packed, layout))
        return frames
    size = layout.plane_size
    frames[..., :size].copy_(torch.from_numpy(_unpacked(packed.active)[..., :size]))
    if packed.onset is not None:
        frames[..., size:].copy_(torch.from_numpy(_unpacked(packed.onset)[..., :size]))
    return frames


def _unpacked(plane: UInt8[np.ndarray, "batch frames bytes"]) -> UInt8[np.ndarray, "batch frames bits"]:
    """The bits of a plane as zeros and ones."""
    return np.unpackbits(plane.reshape(-1)).reshape(*plane.shape[:2], 8 * plane.shape[2])


def _copy_with_velocities(frames: Float32[Tensor, "batch frames columns"], packed: PackedFrames, size: int) -> None:
    """Sets all three planes. Onsets are rare: setting them is faster than unpacking their plane."""
    velocities, positions = packed.velocities, packed.onset_positions
    assert velocities is not None
    assert packed.onset is not None
    if positions is None:
        positions = bit_positions(packed.onset)
    bits = 8 * packed.onset.shape[2]  # of a frame
    row = positions // bits
    column = positions - row * bits
    if column.max(initial=0) >= size or len(velocities) != len(column) or velocities.max(initial=0) > 127:
        raise CorpusError(
            "Onsets without velocities, or beyond the last column: the corpus is damaged. Corpus(folder).verify() "
            "names the pieces."
        )
    levels = _LEVELS.take(velocities)
    loops.decide()
    if loops.is_active():
        rows = frames.view(-1, 3 * size).numpy()
        loops.compiled(fill_rows)(rows, _unpacked(packed.active).reshape(-1, bits), row, column, levels)
        return
    loops.count_cells(frames.numel())
    frames.zero_()
    frames[..., :size].copy_(torch.from_numpy(_unpacked(packed.active)[..., :size]))
    cells = frames.view(-1).numpy()
    column += row * (3 * size)  # now counted through all cells
    cells[column + size] = 1
    cells[column + 2 * size] = levels


def fill_rows(rows: Any, active: Any, row: Any, column: Any, levels: Any) -> None:
    """Fills rows with the active plane, the onset plane and the velocity plane; to be compiled.

    Each row is written to the end before the next, while it is in the processor's fastest memory.

    Args:
        rows: the rows to fill, (rows, 3 * columns).
        active: the active plane, zeros and ones, and columns that are left out, (rows, at least columns).
        row: the row of each onset, ascending, (onsets,).
        column: its column of the plane, (onsets,).
        levels: its velocity / 127, (onsets,).
    """
    size = rows.shape[1] // 3
    onset = 0
    for number in range(len(rows)):
        cells, sounding = rows[number, :size], active[number]
        for place in range(size):
            cells[place] = sounding[place]
        others = rows[number, size:]
        for place in range(2 * size):
            others[place] = 0
        while onset < len(row) and row[onset] == number:
            others[column[onset]] = 1
            others[size + column[onset]] = levels[onset]
            onset += 1
