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


def struck(roll: PianoRoll) -> Bool[np.ndarray, "frames pitches"]:
    """A roll's onsets, and those that go without saying: what begins to sound is struck, unless in its first frame."""
    onset = roll.onset.copy()
    onset[1:] |= roll.active[1:] & ~roll.active[:-1]
    return onset


@dataclass(frozen=True)
class PackedPieces:
    """Pieces whose packed planes lie end to end in a few arrays.

    Attributes:
        shards: the active planes, uint8 arrays of shape (frames, bytes), in memory or mapped into it.
        shard: in which of them each piece lies; int64 of shape (pieces,).
        offset: its first frame there.
        frames: how many it has.
        names: what the pieces are called.
        grid: where the frames lie in time.
        pitches: what the bits stand for.
        onset_shards: the onset planes, as ``shards`` are; none where they were not asked for.
    """

    shards: Sequence[UInt8[np.ndarray, "_ bytes"]]
    shard: Int64[np.ndarray, " pieces"]
    offset: Int64[np.ndarray, " pieces"]
    frames: Int64[np.ndarray, " pieces"]
    names: Sequence[str]
    grid: FrameGrid
    pitches: PitchRange
    onset_shards: Sequence[UInt8[np.ndarray, "_ bytes"]] = ()


def pack_rolls(rolls: Sequence[PianoRoll], *, onsets: bool = False) -> PackedPieces:
    """Rolls in memory as packed pieces of one shard.

    Args:
        rolls: the pieces.
        onsets: whether to pack the onset planes, too (see :func:`struck`).

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
    planes = np.zeros((2 if onsets else 1, int(frames.sum()), bytes_per_frame(first.pitches)), dtype=np.uint8)
    for begin, roll in zip(offset.tolist(), rolls, strict=True):
        planes[0, begin : begin + len(roll)] = pack(roll.active)
        if onsets:
            planes[1, begin : begin + len(roll)] = pack(struck(roll))
    names = [roll.name for roll in rolls]
    return PackedPieces(
        [planes[0]], np.zeros_like(offset), offset, frames, names, first.grid, first.pitches, list(planes[1:])
    )
