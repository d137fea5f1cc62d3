"""A frame whose pitches are decided from low to high, by the network of a ``RelativeWindowHead``."""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.heads.ascending import draw_by_jumps, estimated_mean

if TYPE_CHECKING:
    from pianoroll_seq2seq.heads.relative_window import RelativeWindowHead

_NEVER = -12.0
"""Log-odds of a pitch outside the range that the head covers."""


@dataclass(frozen=True)
class Surroundings:
    """What is known before a frame's first pitch is decided: batch shape (...).

    Args:
        planes: the past frames, newest first, then the faded histories, (..., frames + 2, pitches).
        proposals: what the model proposes for each pitch, (..., proposals, pitches).
        tones: the tonal context, (..., rates, 12).
        state: what the head makes of the decoder's state, (..., channels).
    """

    planes: Tensor
    proposals: Tensor
    tones: Tensor
    state: Tensor

    def map(self, change: Any) -> "Surroundings":
        """With a function applied to every tensor."""
        return Surroundings(*(change(getattr(self, field.name)) for field in fields(self)))

    @property
    def batch(self) -> torch.Size:
        """The batch shape."""
        return self.state.shape[:-1]


@dataclass(frozen=True, eq=False)
class RelativeWindow:
    """A frame whose pitches are decided from low to high.

    Args:
        head: whose network decides.
        around: what it knows, batch shape (...).
        temperature: the log-odds of every decision are divided by it.
    """

    head: "RelativeWindowHead"
    around: Surroundings
    temperature: float = 1.0

    def log_prob(self, frames: Float[Tensor, "*batch pitches"]) -> Float[Tensor, "*batch"]:
        """Log-probability of whole frames in nats, exact.

        While the head is in training mode and has ``scored_pitches``, an estimate of it instead, as dropout's result
        is: of some pitches drawn at random, weighted so that its mean is right.
        """
        flat = self.around.map(lambda values: values.flatten(0, len(self.around.batch) - 1))
        frames = frames.reshape(-1, frames.shape[-1])
        inside, outside = self.head.divided(frames)
        if self.head.training and self.head.scored_pitches is not None:
            nats = self.head.estimated_nats(flat, inside)
        else:
            decisions = self.head.decisions_of(inside)
            logits = self.head.logits(flat, decisions, self.temperature)
            nats = cross_entropy(logits, decisions).sum(1)
        never = torch.full_like(outside, _NEVER / self.temperature, dtype=nats.dtype)
        return -(nats + cross_entropy(never, outside).sum(1)).view(self.around.batch)

    def sample(self, *, generator: torch.Generator) -> Float[Tensor, "*batch pitches"]:
        """One draw, exact."""
        around = self.around
        flat = around.map(lambda values: values.flatten(0, len(around.batch) - 1))
        state = flat.state
        counts = self.head.decisions - self.head.inside
        uniform = torch.rand(
            len(state), self.head.pitches + counts, generator=generator, device=state.device, dtype=torch.float32
        )
        inside, outside = self.head.divided(uniform[:, counts:])
        never = torch.sigmoid(torch.tensor(_NEVER / self.temperature))
        decide = self.head.decider(flat, self.temperature)
        drawn = draw_by_jumps(decide, torch.cat([uniform[:, :counts], inside], dim=1))[:, counts:]
        return self.head.joined(drawn, (outside < never).to(drawn.dtype)).view(*around.batch, -1)

    @property
    def mean(self) -> Float[Tensor, "*batch pitches"]:
        """The probability of each pitch, estimated from draws: within a tenth or so of the truth."""
        around = self.around
        flat = around.map(lambda values: values.flatten(0, len(around.batch) - 1))
        rows, device = len(flat.state), flat.state.device
        decide = self.head.decider(flat, self.temperature)
        decided = estimated_mean(decide, rows, self.head.inside, device=device, decisions_of=self.head.decisions_of)
        inside = decided[:, -self.head.inside :]
        outside = inside.new_full(
            (rows, self.head.pitches - self.head.inside),
            float(torch.sigmoid(torch.tensor(_NEVER / self.temperature))),
        )
        return self.head.joined(inside, outside).view(*around.batch, -1)

    def __getitem__(self, index: Any) -> "RelativeWindow":
        """The distributions at some places of the batch shape."""
        return replace(self, around=self.around.map(lambda values: values[index]))

    def tempered(self, temperature: float) -> "RelativeWindow":
        """The log-odds of every decision divided by the temperature."""
        if not temperature > 0:
            raise SettingsError(f"temperature must be above 0, got {temperature}.")
        return replace(self, temperature=self.temperature * temperature)


def cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """Of each decision, in nats."""
    nats: Tensor = functional.binary_cross_entropy_with_logits(logits, truth.to(logits.dtype), reduction="none")
    return nats
