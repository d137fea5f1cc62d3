"""Which columns of a frame are which pitches of which part, for models that read columns as pitches."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout, frame_size_of

_OCTAVE = 12


@dataclass(frozen=True)
class Block:
    """The columns of one part in a plane.

    Args:
        name: the name of the part.
        start: the first column.
        size: how many columns, one for each pitch.
        lowest: the pitch of the first column, counted from the lowest pitch of all parts.
        drums: whether the pitches are instruments of a drum kit.
    """

    name: str
    start: int
    size: int
    lowest: int
    drums: bool = False

    @property
    def columns(self) -> slice:
        """The columns in a plane."""
        return slice(self.start, self.start + self.size)


@dataclass(frozen=True)
class NoteColumns:
    """The columns of the note planes of a frame.

    Args:
        blocks: the parts.
        has_onsets: whether the onset plane follows the active plane.
    """

    blocks: tuple[Block, ...]
    has_onsets: bool

    @cached_property
    def plane_size(self) -> int:
        """Columns of one plane."""
        return sum(block.size for block in self.blocks)

    @property
    def num_planes(self) -> int:
        """The active plane, and the onset plane if there is one."""
        return 2 if self.has_onsets else 1

    @property
    def frame_size(self) -> int:
        """Columns of the note planes."""
        return self.num_planes * self.plane_size

    @cached_property
    def sizes(self) -> Tensor:
        """The number of columns of each part in a plane: (parts,)."""
        return torch.tensor([block.size for block in self.blocks])

    @cached_property
    def starts(self) -> Tensor:
        """The first column of each part in a plane: (parts,)."""
        return torch.tensor([block.start for block in self.blocks])

    @cached_property
    def _by_part(self) -> Tensor:
        """The columns of each part, as many as the largest has; for the others ``plane_size``: (parts, largest)."""
        place = torch.arange(max(block.size for block in self.blocks))
        return torch.where(place < self.sizes.unsqueeze(1), self.starts.unsqueeze(1) + place, self.plane_size)

    def by_part(self, planes: Tensor) -> Tensor:
        """The columns of each part in planes (..., plane_size), then zeros: (..., parts, columns of the largest)."""
        return functional.pad(planes, (0, 1))[..., self._by_part.to(planes.device)]

    @cached_property
    def num_pitches(self) -> int:
        """The size of the range that spans the pitches of all parts."""
        return max(block.lowest + block.size for block in self.blocks)

    def pitches(self) -> Tensor:
        """The pitch of each column of a plane, counted from the lowest of all parts: (plane_size,)."""
        return torch.cat([torch.arange(block.lowest, block.lowest + block.size) for block in self.blocks])

    def positions(self, gap: int) -> Tensor:
        """The place of each column on an axis on which ``gap`` empty places follow each part: (plane_size,)."""
        return torch.cat(
            [
                torch.arange(block.start, block.start + block.size) + gap * index
                for index, block in enumerate(self.blocks)
            ]
        )

    def spread_length(self, gap: int) -> int:
        """The length of the axis of :meth:`positions`: the last part has no gap after it."""
        return self.plane_size + gap * (len(self.blocks) - 1)

    def spread(self, plane: Tensor, gap: int) -> Tensor:
        """A plane (..., plane_size) on the axis of :meth:`positions`, with zeros in the gaps."""
        if len(self.blocks) == 1:
            return plane
        pieces = [functional.pad(plane[..., block.columns], (0, gap)) for block in self.blocks[:-1]]
        return torch.cat([*pieces, plane[..., self.blocks[-1].columns]], dim=-1)

    def by_pitch(self, plane: Tensor, block: Block) -> Tensor:
        """The columns of a part in a plane (..., plane_size), at their pitches: (..., num_pitches)."""
        above = self.num_pitches - block.lowest - block.size
        return functional.pad(plane[..., block.columns], (block.lowest, above))

    def merged(self, plane: Tensor) -> Tensor:
        """The largest value of each pitch over all parts: (..., plane_size) to (..., num_pitches)."""
        return torch.stack([self.by_pitch(plane, block) for block in self.blocks]).amax(dim=0)

    def chroma_weights(self) -> Tensor:
        """1 where a column is of a pitch class, 0 elsewhere and for drums: (plane_size, 12)."""
        weights = torch.zeros(self.plane_size, _OCTAVE)
        weights[torch.arange(self.plane_size), self.pitches() % _OCTAVE] = 1.0
        for block in self.blocks:
            if block.drums:
                weights[block.columns] = 0.0
        return weights


def note_columns(layout: FrameLayout | int) -> NoteColumns:
    """The columns of a layout's note planes. A layout that is only a number has one part and the active plane.

    Raises:
        SettingsError: fewer than one column.
    """
    size = frame_size_of(layout)
    if not isinstance(layout, FrameLayout):
        return NoteColumns((Block("", 0, size, 0),), has_onsets=False)
    bottom = min(part.pitches.lowest for part in layout.parts)
    blocks, start = [], 0
    for part in layout.parts:
        blocks.append(Block(part.name, start, len(part.pitches), part.pitches.lowest - bottom, part.drums))
        start += len(part.pitches)
    return NoteColumns(tuple(blocks), layout.has_onsets)


def check_no_velocity(layout: FrameLayout | int, head: str) -> None:
    """Refuses a layout with a velocity plane, for a head that models notes only.

    Raises:
        SettingsError: names the head that models velocities.
    """
    if isinstance(layout, FrameLayout) and layout.has_velocity:
        raise SettingsError(
            f"{head} models notes without velocities, but the layout has the planes {layout.planes}. Put it into a "
            f"VelocityHead: head=functools.partial(VelocityHead, inner={head})."
        )
