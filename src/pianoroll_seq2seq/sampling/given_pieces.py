"""Pieces of which some cells are given, as frames for a model, and back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int64

from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.given import Given
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import layout_for
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pianoroll.columns import Plane
from pianoroll_seq2seq.pianoroll.conversions import frames_to_planes, onsets_of_active, typical_velocity
from pianoroll_seq2seq.quantize import Planes


@dataclass(frozen=True)
class GivenPieces:
    """A batch of pieces. Those shorter than the longest are followed by frames in which nothing is given.

    Attributes:
        rolls: the pieces, silent where nothing is given.
        originals: the pieces as they came.
        layout: what the columns of frames mean.
        frames: the given cells as frames, zero elsewhere, (batch, frames, frame_size).
        mask: which parts are given, (batch, frames, parts).
        lengths: the frames of each piece.
    """

    rolls: Sequence[PianoRoll]
    originals: Sequence[PianoRoll]
    layout: FrameLayout
    frames: np.ndarray
    mask: Bool[np.ndarray, "batch frames parts"]
    lengths: Int64[np.ndarray, " batch"]

    @property
    def num_frames(self) -> int:
        """The frames of the longest piece."""
        return int(self.mask.shape[1])

    @property
    def cells(self) -> Bool[np.ndarray, "batch frames frame_size"]:
        """Which cells of frames are given."""
        return np.tile(columns_of(self.mask, self.layout), len(self.layout.planes))

    @property
    def has_free(self) -> Bool[np.ndarray, "batch frames"]:
        """Which frames of each piece have cells that are to be written."""
        has_free: np.ndarray = ~self.mask.all(axis=2) & (np.arange(self.num_frames) < self.lengths[:, None])
        return has_free

    @cached_property
    def given_velocities(self) -> list[int]:
        """The median velocity of the given notes of each piece, for new notes of a model that writes none."""
        return [typical_velocity(roll.velocity) for roll in self.rolls]


def columns_of(mask: Bool[np.ndarray, "*batch parts"], layout: FrameLayout) -> Bool[np.ndarray, "*batch plane_size"]:
    """Which columns of a plane are given, from which parts are."""
    return np.repeat(mask, [len(part.pitches) for part in layout.parts], axis=-1)


def given_pieces(
    model: object, rolls: Sequence[PianoRoll], given: Given | Sequence[Given], layout: FrameLayout | None
) -> GivenPieces:
    """What is given of some pieces, in the layout of a model.

    Raises:
        GridError, PitchRangeError: a piece on another grid, or of other parts or pitches than the layout's.
        SettingsError: something else than rolls or Given, or frames, bars or parts that a piece does not have.
        ShapeError: no pieces, pieces without frames, or another number of Given than pieces.
    """
    if not rolls:
        raise ShapeError("fill needs at least one roll.")
    expressions = [given] * len(rolls) if isinstance(given, Given) else list(given)
    for one in expressions:
        if not isinstance(one, Given):
            raise SettingsError(f"given must be a Given, such as Given.parts('soprano'), got {given!r:.80}.")
    if len(expressions) != len(rolls):
        raise ShapeError(f"{len(expressions)} Given for {len(rolls)} pieces. Pass one for all, or one for each.")
    for roll in rolls:
        if not isinstance(roll, PianoRoll):
            raise SettingsError("A piece to fill is a PianoRoll. Read a file with PianoRoll.from_midi(path, ...).")
        if not len(roll):
            raise ShapeError(f"{roll.name or 'The roll'} has no frames to fill.")
    layout = layout_for(model, rolls[0], layout)
    lengths = np.array([len(roll) for roll in rolls], dtype=np.int64)
    shape = (len(rolls), int(lengths.max()))
    frames = np.zeros((*shape, layout.frame_size), dtype=np.uint8 if layout.has_velocity else bool)
    mask = np.zeros((*shape, len(layout.parts)), dtype=bool)
    silenced = []
    for index, (roll, one) in enumerate(zip(rolls, expressions, strict=True)):
        layout.check(roll, repr(roll.name) if roll.name else "The roll")
        mask[index, : len(roll)] = own = one.mask(roll)
        masked, frames[index, : len(roll)] = _given_frames(roll, columns_of(own, layout), layout)
        silenced.append(masked)
    return GivenPieces(silenced, rolls, layout, frames, mask, lengths)


def _given_frames(
    roll: PianoRoll, cells: Bool[np.ndarray, "frames plane_size"], layout: FrameLayout
) -> tuple[PianoRoll, np.ndarray]:
    """A roll that is silent where nothing is given, and its frames.

    They depend on the given cells alone: a pitch that sounds in the first frame after a gap is held unless it has an
    onset, as in the first frame of a roll.
    """
    starts = roll.onset & cells
    starts[1:] |= (roll.active[1:] & ~roll.active[:-1]) & cells[1:] & cells[:-1]
    velocity = None if roll.velocity is None else roll.velocity * cells
    masked = replace(roll, active=roll.active & cells, onset=roll.onset & cells, velocity=velocity)
    frames = masked.to_frames(layout)
    if layout.has_onsets:
        frames[:, layout.columns("onset")] = starts
    if layout.has_velocity:
        frames[:, layout.columns("velocity")] *= starts
    return masked, frames


def filled_roll(pieces: GivenPieces, index: int, frames: np.ndarray) -> PianoRoll:
    """A piece with what was written, and the given cells as they came.

    Args:
        pieces: the batch.
        index: the piece.
        frames: its frames, and maybe some more, (frames, frame_size).
    """
    roll = pieces.originals[index]
    return replace(roll, **filled_planes(pieces, index, frames[: len(roll)])._asdict())


def filled_planes(
    pieces: GivenPieces, index: int, frames: np.ndarray, begin: int = 0, before: Plane | None = None
) -> Planes:
    """Some frames of a piece as planes, with the given cells as they came.

    Args:
        pieces: the batch.
        index: the piece.
        frames: the frames from ``begin`` on, none after the end of the piece, (frames, frame_size).
        begin: the first of them.
        before: the active plane's frame before the first, bool of shape (columns,); None for silence.
    """
    roll, layout = pieces.originals[index], pieces.layout
    here = slice(begin, begin + len(frames))
    cells = columns_of(pieces.mask[index, here], layout)
    written = frames_to_planes(frames, layout)
    active = np.where(cells, roll.active[here], written.active)
    onset = written.onset if layout.has_onsets else onsets_of_active(active, before)
    velocity = written.velocity
    if velocity is None and roll.velocity is not None:
        velocity = onset * np.uint8(pieces.given_velocities[index])
    if velocity is not None:
        velocity = np.where(cells, np.uint8(0) if roll.velocity is None else roll.velocity[here], velocity)
    return Planes(active, np.where(cells, roll.onset[here], onset), velocity)
