"""What a frame of monophonic parts reads: its context, what is given of it, and the head that decides."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch
from torch import Tensor

from pianoroll_seq2seq.models.note_columns import NoteColumns


@dataclass(frozen=True)
class PartsContext:
    """The context of a frame, known before its first part is decided: batch shape (...).

    Args:
        state: the projected state of the decoder for each part, (..., parts, channels).
        candidates: copy candidates, (..., candidates, frame_size).
        chroma: the tonal context, (..., rates, 12).
        pitches: what each part sounded in some past frames, (..., past, parts), newest first: the pitch counted from
            the lowest of all parts, or -1 for a rest. The last row is the note before the latest one.
        sounded: the cells that sounded in the latest frame, (..., plane_size).
        ahead: given pitches to come, (..., kinds, parts); no kinds for a head that does not look ahead.
    """

    state: Tensor
    candidates: Tensor
    chroma: Tensor
    pitches: Tensor
    sounded: Tensor
    ahead: Tensor

    def map(self, change: Any) -> "PartsContext":
        """With a function applied to every tensor."""
        return PartsContext(*(change(getattr(self, field.name)) for field in fields(self)))

    @property
    def batch(self) -> torch.Size:
        """The batch shape."""
        return self.sounded.shape[:-1]


@dataclass(frozen=True)
class SharedContext:
    """What the decisions of all parts have in common, computed once for a frame.

    Args:
        hidden: hidden values of each pitch, (rows, num_pitches, channels), or only of each pitch class,
            (rows, 12, channels).
        before: the interval from each part to each other one before, as a pitch class, 12 for none,
            (rows, parts, parts).
        rests: the probability that each part rests by each copy candidate, (rows, candidates, parts).
    """

    hidden: Tensor
    before: Tensor
    rests: Tensor

    def map(self, change: Any) -> "SharedContext":
        """With a function applied to every tensor."""
        return SharedContext(change(self.hidden), change(self.before), change(self.rests))


class PartsNetwork(Protocol):
    """The network that decides: see :class:`~pianoroll_seq2seq.models.heads.monophonic_network.PartNetwork`."""

    def logits(
        self, context: Any, states: Tensor, ranks: Tensor, chosen: Sequence[Tensor] | None = None
    ) -> list[Tensor]:
        """The logits of each part's states."""
        ...

    def shared(self, context: Any) -> Any:
        """What the decisions of all parts have in common: tensors, with ``map`` as of a context."""
        ...

    def part_logits(self, context: Any, shared: Any, states: Tensor, ranks: Tensor, part: int) -> Tensor:
        """The logits of one part's states."""
        ...


class PartsHead(Protocol):
    """What a frame needs of its head: :class:`~pianoroll_seq2seq.models.heads.monophonic.MonophonicHead`."""

    @property
    def columns(self) -> NoteColumns:
        """The columns of a frame."""
        ...

    @property
    def network(self) -> PartsNetwork:
        """The network that decides."""
        ...

    def ranks_of(self, order: Sequence[str]) -> Tensor:
        """The place of each part in an order of their names: (parts,)."""
        ...


@dataclass(frozen=True)
class GivenParts:
    """The parts of a frame that are given.

    Args:
        frames: the frame, of which only these parts are read, (..., frame_size).
        cells: its columns that are given, (..., frame_size).
        mask: the parts that are given, (..., parts).
    """

    frames: Tensor
    cells: Tensor
    mask: Tensor

    def map(self, change: Any) -> "GivenParts":
        """With a function applied to every tensor."""
        return GivenParts(change(self.frames), change(self.cells), change(self.mask))
