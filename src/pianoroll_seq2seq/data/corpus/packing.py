"""Frames as bits: 11 bytes a frame and plane at 88 pitches, an eighth of a byte a cell."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from pianoroll_seq2seq.errors import GridError, PitchRangeError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange


def bytes_per_frame(pitches: PitchRange) -> int:
    """Bytes of one frame of one plane."""
    return -(-len(pitches) // 8)


def pack(plane: Bool[np.ndarray, "frames pitches"]) -> UInt8[np.ndarray, "frames bytes"]:
    """A plane's cells as bits: the lowest pitch is the highest bit of the first byte (as ``numpy.packbits``)."""
    num_frames, num_pitches = plane.shape
    if num_pitches % 8 == 0:  # then rows begin at whole bytes: five times as fast
        return np.packbits(np.ascontiguousarray(plane).reshape(-1)).reshape(num_frames, num_pitches // 8)
    return np.packbits(plane, axis=1)


def unpack(packed: UInt8[np.ndarray, "frames bytes"], num_pitches: int) -> Bool[np.ndarray, "frames pitches"]:
    """The inverse of :func:`pack`."""
    if num_pitches % 8 == 0:
        cells = np.unpackbits(np.ascontiguousarray(packed).reshape(-1)).reshape(len(packed), num_pitches)
    else:
        cells = np.unpackbits(packed, axis=1, count=num_pitches)
    return cells.view(np.bool_)


def unpack_frames(
    packed: UInt8[np.ndarray, "batch frames bytes"], layout: FrameLayout
) -> UInt8[np.ndarray, "batch frames columns"]:
    """Zeros and ones in the columns of a layout, from frames in which the bits of all planes are side by side.

    Args:
        packed: uint8 of shape (batch, frames, bytes), :func:`bytes_per_frame` for each plane of the layout.
        layout: what the columns mean.
    """
    batch, num_frames, num_bytes = packed.shape
    planes, num_pitches = len(layout.planes), len(layout.pitches)
    cells = np.unpackbits(packed.reshape(batch, num_frames * num_bytes), axis=1)
    cells = cells.reshape(batch, num_frames, planes, 8 * num_bytes // planes)[..., :num_pitches]
    return cells.reshape(batch, num_frames, layout.frame_size)


@dataclass(frozen=True)
class PackedPieces:
    """Pieces whose packed planes are end to end in a few arrays.

    Attributes:
        shards: the active planes, uint8 arrays of shape (frames, bytes), in memory or mapped into it.
        shard: the number of each piece's array; int64 of shape (pieces,).
        offset: its first frame there.
        num_frames: its number of frames.
        names: the names of the pieces.
        layout: what the columns of their frames mean.
        onset_shards: the onset planes, as ``shards`` are; empty if the layout has no onset plane.
    """

    shards: Sequence[UInt8[np.ndarray, "_ bytes"]]
    shard: Int64[np.ndarray, " pieces"]
    offset: Int64[np.ndarray, " pieces"]
    num_frames: Int64[np.ndarray, " pieces"]
    names: Sequence[str]
    layout: FrameLayout
    onset_shards: Sequence[UInt8[np.ndarray, "_ bytes"]] = ()


def pack_rolls(rolls: Sequence[PianoRoll], layout: FrameLayout | None = None) -> PackedPieces:
    """Rolls in memory as packed pieces of one shard.

    Args:
        rolls: the pieces, at least one.
        layout: what the columns of frames mean; that of the first roll, without an onset plane, by default. Onset
            planes are packed as :meth:`PianoRoll.note_starts` gives them.

    Raises:
        GridError, PitchRangeError: rolls that differ in grid or pitches, or that do not fit the layout.
    """
    first = rolls[0]
    for roll in rolls[1:]:
        if roll.grid != first.grid:
            raise GridError(f"{first.name} is on {first.grid}, {roll.name} on {roll.grid}. Read all on one grid.")
        if roll.pitches != first.pitches:
            raise PitchRangeError(
                f"{first.name} has {first.pitches}, {roll.name} {roll.pitches}. Read all with one PitchRange."
            )
    layout = FrameLayout.of(first) if layout is None else layout
    layout.check(first, f"The piece {first.name!r}" if first.name else "The first piece", owner="the layout")
    num_frames = np.array([len(roll) for roll in rolls], dtype=np.int64)
    offset = np.cumsum(num_frames) - num_frames
    shape = (len(layout.planes), int(num_frames.sum()), bytes_per_frame(layout.pitches))
    planes = np.zeros(shape, dtype=np.uint8)
    for begin, roll in zip(offset.tolist(), rolls, strict=True):
        planes[0, begin : begin + len(roll)] = pack(roll.active)
        if layout.has_onsets:
            planes[1, begin : begin + len(roll)] = pack(roll.note_starts())
    names = [roll.name for roll in rolls]
    return PackedPieces([planes[0]], np.zeros_like(offset), offset, num_frames, names, layout, list(planes[1:]))


def hash_planes(active: np.ndarray, onset: np.ndarray) -> str:
    """The SHA-256 of a piece's planes, as :func:`pack` gives them, in hexadecimal digits."""
    digest = hashlib.sha256(active.data)
    digest.update(onset.data)
    return digest.hexdigest()
