"""Monophonic parts, each decided by a network that is asked with and without a condition (classifier-free guidance)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pianoroll_seq2seq.models.heads.monophonic_context import PartsContext, PartsHead, SharedContext
from pianoroll_seq2seq.models.heads.monophonic_frame import Monophonic
from pianoroll_seq2seq.models.note_columns import NoteColumns


@dataclass(frozen=True)
class GuidedContext:
    """The context of a frame with the condition, and without it."""

    conditional: "PartsContext | GuidedContext"
    unconditional: "PartsContext | GuidedContext"

    def map(self, change: Any) -> "GuidedContext":
        """With a function applied to every tensor."""
        return GuidedContext(self.conditional.map(change), self.unconditional.map(change))

    @property
    def state(self) -> Tensor:
        """The projected state of the decoder, with the condition."""
        return self.conditional.state

    @property
    def batch(self) -> torch.Size:
        """The batch shape."""
        return self.conditional.batch


@dataclass(frozen=True)
class GuidedShared:
    """What the decisions of all parts have in common, with the condition, and without it."""

    conditional: "SharedContext | GuidedShared"
    unconditional: "SharedContext | GuidedShared"

    def map(self, change: Any) -> "GuidedShared":
        """With a function applied to every tensor."""
        return GuidedShared(self.conditional.map(change), self.unconditional.map(change))


@dataclass(frozen=True)
class GuidedParts:
    """A head and its network, whose decisions follow the condition more closely.

    The log-probabilities of each decision are (1 + weight) * conditional - weight * unconditional, before they are
    normalized; what one of the two rules out stays as the conditional one has it. So the chain rule over the parts
    stays exact.
    """

    head: PartsHead
    weight: float

    @property
    def columns(self) -> NoteColumns:
        """The columns of a frame."""
        return self.head.columns

    @property
    def network(self) -> "GuidedParts":
        """Itself: it decides in the place of the head's network."""
        return self

    def ranks_of(self, order: Sequence[str]) -> Tensor:
        """See :meth:`~pianoroll_seq2seq.models.heads.monophonic.MonophonicHead.ranks_of`."""
        return self.head.ranks_of(order)

    def logits(
        self, context: GuidedContext, states: Tensor, ranks: Tensor, chosen: Sequence[Tensor] | None = None
    ) -> list[Tensor]:
        """The logits of each part, given the parts before it, as the head's network has them."""
        network = self.head.network
        conditional = network.logits(context.conditional, states, ranks, chosen)
        unconditional = network.logits(context.unconditional, states, ranks, chosen)
        return [guided_logits(*pair, self.weight) for pair in zip(conditional, unconditional, strict=True)]

    def shared(self, context: GuidedContext) -> GuidedShared:
        """What the decisions of all parts have in common."""
        network = self.head.network
        return GuidedShared(network.shared(context.conditional), network.shared(context.unconditional))

    def part_logits(
        self, context: GuidedContext, shared: GuidedShared, states: Tensor, ranks: Tensor, part: int
    ) -> Tensor:
        """The logits of one part."""
        network = self.head.network
        conditional = network.part_logits(context.conditional, shared.conditional, states, ranks, part)
        unconditional = network.part_logits(context.unconditional, shared.unconditional, states, ranks, part)
        return guided_logits(conditional, unconditional, self.weight)


def guided_logits(conditional: Tensor, unconditional: Tensor, weight: float) -> Tensor:
    """(1 + weight) * conditional - weight * unconditional, as log-probabilities over the last dimension.

    What is impossible with or without the condition keeps its conditional log-probability.
    """
    conditional, unconditional = (torch.log_softmax(logits, dim=-1) for logits in (conditional, unconditional))
    possible = conditional.isfinite() & unconditional.isfinite()
    return torch.where(possible, (1 + weight) * conditional - weight * unconditional, conditional)


def guided_parts(conditional: Monophonic, unconditional: Monophonic, weight: float) -> Monophonic:
    """The distribution that follows the condition more closely, from those with and without it, of one head."""
    context = GuidedContext(conditional.context, unconditional.context)
    return replace(conditional, head=GuidedParts(conditional.head, weight), context=context)
