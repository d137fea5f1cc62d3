"""Frames as bits: 11 bytes a frame and plane at 88 pitches, an eighth of a byte a cell. Velocities: a byte an onset."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from pianoroll_seq2seq.data.corpus.bits import bit_positions
from pianoroll_seq2seq.errors import GridError, PitchRangeError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.pianoroll import PianoRoll

BLOCK_FRAMES = 64
"""Frames from one entry of :attr:`PackedVelocities.onsets_before` to the next."""


def bytes_per_frame(plane_size: int) -> int:
    """Bytes of one frame of one plane.

    Args:
        plane_size: columns of the plane, all parts side by side.
    """
    return -(-plane_size // 8)


def pack(plane: Bool[np.ndarray, "frames columns"]) -> UInt8[np.ndarray, "frames bytes"]:
    """A plane's cells as bits: the first column is the highest bit of the first byte (as ``numpy.packbits``)."""
    num_frames, num_columns = plane.shape
    if num_columns % 8 == 0:  # then rows begin at whole bytes: five times as fast
        return np.packbits(np.ascontiguousarray(plane).reshape(-1)).reshape(num_frames, num_columns // 8)
    return np.packbits(plane, axis=1)


def unpack(packed: UInt8[np.ndarray, "frames bytes"], plane_size: int) -> Bool[np.ndarray, "frames columns"]:
    """The inverse of :func:`pack`."""
    if plane_size % 8 == 0:
        cells = np.unpackbits(np.ascontiguousarray(packed).reshape(-1)).reshape(len(packed), plane_size)
    else:
        cells = np.unpackbits(packed, axis=1, count=plane_size)
    return cells.view(np.bool_)


@dataclass(frozen=True)
class PackedVelocities:
    """The velocities of a shard.

    Attributes:
        values: one for each onset, frame by frame, and within a frame column by column; in memory or mapped into it.
        onsets_before: the number of onsets before every 64th frame, with which those of a window are found.
    """

    values: UInt8[np.ndarray, " onsets"]
    onsets_before: Int64[np.ndarray, " blocks"]

    @classmethod
    def of(cls, values: UInt8[np.ndarray, " onsets"], onset: UInt8[np.ndarray, "frames bytes"]) -> "PackedVelocities":
        """The velocities of an onset plane in memory."""
        return cls(values, first_onsets(onset, np.arange(0, len(onset), BLOCK_FRAMES))[:-1])


def first_onsets(
    onset: UInt8[np.ndarray, "frames bytes"], offset: Int64[np.ndarray, " pieces"]
) -> Int64[np.ndarray, " ends"]:
    """The number of the first onset from each of some frames on, and last the number of all onsets."""
    ends = np.append(offset, len(onset)) * (8 * onset.shape[1])
    first: Int64[np.ndarray, " ends"] = np.searchsorted(bit_positions(onset), ends).astype(np.int64)
    return first


def count_onsets(
    positions: Int64[np.ndarray, " onsets"], num_frames: int, plane_size: int, *, offset: int = 0
) -> Int64[np.ndarray, " blocks"]:
    """The number of onsets of a piece before every 64th frame of its shard.

    Args:
        positions: the cells of the onsets, in order, counted from the first of the piece.
        num_frames: the frames of the piece.
        plane_size: cells of a frame.
        offset: the number of frames before the piece in its shard.
    """
    starts = np.arange(-offset % BLOCK_FRAMES, num_frames, BLOCK_FRAMES, dtype=np.int64)
    return np.searchsorted(positions, starts * plane_size).astype(np.int64)


class PackedFrames(NamedTuple):
    """Frames of windows or pieces.

    Attributes:
        active: the active plane as bits.
        onset: the onset plane as bits; None if the layout has none.
        velocities: of the onsets, in their order; None if the layout has no velocity plane.
        onset_positions: the positions of the bits of ``onset``, if they are known
            (:func:`~pianoroll_seq2seq.data.corpus.bits.bit_positions`).
    """

    active: UInt8[np.ndarray, "batch frames bytes"]
    onset: UInt8[np.ndarray, "batch frames bytes"] | None = None
    velocities: UInt8[np.ndarray, " onsets"] | None = None
    onset_positions: Int64[np.ndarray, " onsets"] | None = None


def num_bit_planes(layout: FrameLayout) -> int:
    """The planes of a layout that are stored as bits: all but the velocity plane."""
    return 2 if layout.has_onsets else 1


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
        velocities: of each shard; empty if the layout has no velocity plane.
    """

    shards: Sequence[UInt8[np.ndarray, "_ bytes"]]
    shard: Int64[np.ndarray, " pieces"]
    offset: Int64[np.ndarray, " pieces"]
    num_frames: Int64[np.ndarray, " pieces"]
    names: Sequence[str]
    layout: FrameLayout
    onset_shards: Sequence[UInt8[np.ndarray, "_ bytes"]] = ()
    velocities: Sequence[PackedVelocities] = ()


def pack_rolls(rolls: Sequence[PianoRoll], layout: FrameLayout | None = None) -> PackedPieces:
    """Rolls in memory as packed pieces of one shard.

    Args:
        rolls: the pieces, at least one.
        layout: what the columns of frames mean; that of the first roll by default. Onset planes are packed as
            :meth:`PianoRoll.note_starts` gives them, and velocities as :meth:`PianoRoll.to_frames` does.

    Raises:
        GridError, PitchRangeError: rolls that differ in grid, parts or pitches, or that do not fit the layout.
        ShapeError: the layout has a velocity plane, and a roll has no velocities.
    """
    first = rolls[0]
    for roll in rolls[1:]:
        if roll.grid != first.grid:
            raise GridError(f"{first.name} is on {first.grid}, {roll.name} on {roll.grid}. Read all on one grid.")
        if len(roll.parts) == len(first.parts) == 1 and roll.pitches != first.pitches:
            raise PitchRangeError(
                f"{first.name} has {first.pitches}, {roll.name} {roll.pitches}. Read all with one PitchRange."
            )
    layout = FrameLayout.of(first) if layout is None else layout
    layout.check(first, f"The piece {first.name!r}" if first.name else "The first piece", owner="the layout")
    for roll in rolls[1:]:
        layout.check(roll, f"The piece {roll.name!r}" if roll.name else "A piece", owner=f"the piece {first.name!r}")
    num_frames = np.array([len(roll) for roll in rolls], dtype=np.int64)
    offset = np.cumsum(num_frames) - num_frames
    shape = (num_bit_planes(layout), int(num_frames.sum()), bytes_per_frame(layout.plane_size))
    planes = np.zeros(shape, dtype=np.uint8)
    values = []
    for begin, roll in zip(offset.tolist(), rolls, strict=True):
        planes[0, begin : begin + len(roll)] = pack(roll.active)
        if layout.has_onsets:
            onset = roll.note_starts()
            planes[1, begin : begin + len(roll)] = pack(onset)
        if layout.has_velocity:
            values.append(roll.to_frames(layout)[:, layout.columns("velocity")][onset])
    velocities = [PackedVelocities.of(np.concatenate(values), planes[1])] if values else []
    names = [roll.name for roll in rolls]
    shard = np.zeros_like(offset)
    return PackedPieces([planes[0]], shard, offset, num_frames, names, layout, list(planes[1:]), velocities)


def hash_planes(active: np.ndarray, onset: np.ndarray) -> str:
    """The SHA-256 of a piece's planes, as :func:`pack` gives them, in hexadecimal digits."""
    digest = hashlib.sha256(active.data)
    digest.update(onset.data)
    return digest.hexdigest()


def hash_velocities(values: UInt8[np.ndarray, " onsets"]) -> str:
    """The SHA-256 of the velocities of a piece's onsets, in their order, in hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()
