"""A frame whose pitches are decided from low to high, by the network of a ``RelativeWindowHead``."""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from pianoroll_seq2seq.models.heads.pitch_autoregression import by_rows, estimated_mean, sample_skipping_silence
from pianoroll_seq2seq.models.heads.precision import check_temperature
from pianoroll_seq2seq.models.heads.random_numbers import uniform

if TYPE_CHECKING:
    from pianoroll_seq2seq.models.heads.relative_window import RelativeWindowHead

_NEVER = -12.0
"""Log-odds of a pitch outside the range that the head covers."""


@dataclass(frozen=True)
class FrameContext:
    """The context of a frame, known before its first pitch is decided: batch shape (...).

    Args:
        planes: the past frames, newest first, then averages of the past, (..., num_frames + 2, pitches).
        candidates: copy candidates, (..., candidates, pitches).
        chroma: the tonal context, (..., rates, 12).
        state: the projected state of the decoder, (..., channels).
    """

    planes: Tensor
    candidates: Tensor
    chroma: Tensor
    state: Tensor

    def map(self, change: Any) -> "FrameContext":
        """With a function applied to every tensor."""
        return FrameContext(*(change(getattr(self, field.name)) for field in fields(self)))

    @property
    def batch(self) -> torch.Size:
        """The batch shape."""
        return self.state.shape[:-1]


@dataclass(frozen=True, eq=False)
class RelativeWindow:
    """A frame whose pitches are decided from low to high.

    Args:
        head: the head whose network computes the log-odds.
        context: the context of the frame, batch shape (...).
        temperature: divides the log-odds of every variable.
    """

    rowwise: ClassVar[bool] = True

    head: "RelativeWindowHead"
    context: FrameContext
    temperature: float = 1.0

    def log_prob(self, frames: Float[Tensor, "*batch frame_size"]) -> Float[Tensor, "*batch"]:
        """Log-probability of whole frames in nats, exact.

        In training mode, a head with ``num_scored_pitches`` gives an unbiased estimate instead: from some pitches of
        each frame, sampled at random and weighted.
        """
        flat, frames = self._flat(), frames.reshape(-1, frames.shape[-1])
        if torch.is_grad_enabled():
            log_probs = flat._row_log_probs(frames)
        else:
            log_probs = by_rows(lambda rows: flat[rows]._row_log_probs(frames[rows]), len(frames))
        return log_probs.view(self.context.batch)

    def sample(self, *, generator: torch.Generator) -> Float[Tensor, "*batch frame_size"]:
        """One exact sample."""
        context, flat = self.context, self._flat().context
        state = flat.state
        counts = self.head.num_variables - self.head.num_active
        numbers = uniform((len(state), self.head.frame_size + counts), generator=generator, device=state.device)
        active, inactive = self.head.split_columns(numbers[:, counts:])
        never = torch.sigmoid(torch.tensor(_NEVER / self.temperature))
        logits_given = self.head.conditional_logits(flat, self.temperature)
        drawn = sample_skipping_silence(logits_given, torch.cat([numbers[:, :counts], active], dim=1))[:, counts:]
        return self.head.join_columns(drawn, (inactive < never).to(drawn.dtype)).view(*context.batch, -1)

    @property
    def mean(self) -> Float[Tensor, "*batch frame_size"]:
        """The probability of each pitch, estimated from samples: within about a tenth of the exact value."""
        flat = self._flat()
        means = by_rows(lambda rows: flat[rows]._row_means(), len(flat.context.state))
        return means.view(*self.context.batch, -1)

    def __getitem__(self, index: Any) -> "RelativeWindow":
        """The distributions at some places of the batch shape."""
        return replace(self, context=self.context.map(lambda values: values[index]))

    def _flat(self) -> "RelativeWindow":
        """With the batch shape flattened."""
        return replace(self, context=self.context.map(lambda values: values.flatten(0, len(self.context.batch) - 1)))

    def _row_log_probs(self, frames: Tensor) -> Tensor:
        """Log-probabilities (rows,) of frames (rows, frame_size), for a flat batch."""
        active, inactive = self.head.split_columns(frames)
        if self.head.training and self.head.num_scored_pitches is not None:
            nats = self.head.estimated_nats(self.context, active)
        else:
            variables = self.head.variables_of(active)
            logits = self.head.logits(self.context, variables, self.temperature)
            nats = cross_entropy(logits, variables).sum(1)
        never = torch.full_like(inactive, _NEVER / self.temperature, dtype=nats.dtype)
        return -(nats + cross_entropy(never, inactive).sum(1))

    def _row_means(self) -> Tensor:
        """Estimated probabilities (rows, frame_size), for a flat batch."""
        rows, device = len(self.context.state), self.context.state.device
        logits_given = self.head.conditional_logits(self.context, self.temperature)
        variables = estimated_mean(
            logits_given, rows, self.head.num_active, device=device, variables_of=self.head.variables_of
        )
        active = variables[:, -self.head.num_active :]
        inactive = active.new_full(
            (rows, self.head.frame_size - self.head.num_active),
            float(torch.sigmoid(torch.tensor(_NEVER / self.temperature))),
        )
        return self.head.join_columns(active, inactive)

    def tempered(self, temperature: float) -> "RelativeWindow":
        """The log-odds of every variable divided by the temperature."""
        return replace(self, temperature=self.temperature * check_temperature(temperature))


def cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """The negative log-probability of each variable, in nats."""
    nats: Tensor = functional.binary_cross_entropy_with_logits(logits, truth.to(logits.dtype), reduction="none")
    return nats
