"""Frames as bits: 11 bytes a frame and plane at 88 pitches, an eighth of a byte a cell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from pianoroll_seq2seq.errors import GridError, PitchRangeError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange


def bytes_per_frame(pitches: PitchRange) -> int:
    """Bytes of one frame of one plane."""
    return -(-len(pitches) // 8)


def pack(plane: Bool[np.ndarray, "frames pitches"]) -> UInt8[np.ndarray, "frames bytes"]:
    """A plane's cells as bits: the lowest pitch is the highest bit of the first byte (as ``numpy.packbits``)."""
    frames, pitches = plane.shape
    if pitches % 8 == 0:  # then rows begin at whole bytes: five times as fast
        return np.packbits(np.ascontiguousarray(plane).reshape(-1)).reshape(frames, pitches // 8)
    return np.packbits(plane, axis=1)


def unpack(packed: UInt8[np.ndarray, "frames bytes"], pitches: int) -> Bool[np.ndarray, "frames pitches"]:
    """The inverse of :func:`pack`."""
    if pitches % 8 == 0:
        cells = np.unpackbits(np.ascontiguousarray(packed).reshape(-1)).reshape(len(packed), pitches)
    else:
        cells = np.unpackbits(packed, axis=1, count=pitches)
    return cells.view(np.bool_)


@dataclass(frozen=True)
class PackedPieces:
    """Pieces whose packed active planes lie end to end in a few arrays.

    Attributes:
        shards: uint8 arrays of shape (frames, bytes), in memory or mapped into it.
        shard: in which of them each piece lies; int64 of shape (pieces,).
        offset: its first frame there.
        frames: how many it has.
        names: what the pieces are called.
        grid: where the frames lie in time.
        pitches: what the bits stand for.
    """

    shards: Sequence[UInt8[np.ndarray, "_ bytes"]]
    shard: Int64[np.ndarray, " pieces"]
    offset: Int64[np.ndarray, " pieces"]
    frames: Int64[np.ndarray, " pieces"]
    names: Sequence[str]
    grid: FrameGrid
    pitches: PitchRange


def pack_rolls(rolls: Sequence[PianoRoll]) -> PackedPieces:
    """Rolls in memory as packed pieces of one shard.

    Raises:
        GridError, PitchRangeError: rolls that do not fit one another.
    """
    first = rolls[0]
    for roll in rolls[1:]:
        if roll.grid != first.grid:
            raise GridError(f"{first.name} is on {first.grid}, {roll.name} on {roll.grid}. Read all on one grid.")
        if roll.pitches != first.pitches:
            raise PitchRangeError(
                f"{first.name} has {first.pitches}, {roll.name} {roll.pitches}. Read all with one PitchRange."
            )
    frames = np.array([len(roll) for roll in rolls], dtype=np.int64)
    offset = np.cumsum(frames) - frames
    shard = np.zeros((int(frames.sum()), bytes_per_frame(first.pitches)), dtype=np.uint8)
    for begin, roll in zip(offset.tolist(), rolls, strict=True):
        shard[begin : begin + len(roll)] = pack(roll.active)
    names = [roll.name for roll in rolls]
    return PackedPieces([shard], np.zeros_like(offset), offset, frames, names, first.grid, first.pitches)
