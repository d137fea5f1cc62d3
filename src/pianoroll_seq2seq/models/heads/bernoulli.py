"""Independent pitches: each has its own probability, whatever the others do."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.layout import FrameLayout, frame_size_of
from pianoroll_seq2seq.models.heads.given_logits import given_logits, with_given
from pianoroll_seq2seq.models.heads.precision import at_least_float32, check_temperature
from pianoroll_seq2seq.models.heads.random_numbers import uniform
from pianoroll_seq2seq.models.note_columns import check_no_velocity


@dataclass(frozen=True)
class Bernoulli:
    """Independent pitches. The mean of ``-log_prob`` is multi-label binary cross-entropy, summed over pitches.

    Args:
        logits: log-odds of each pitch, (..., frame_size).

    Example:
        >>> even = Bernoulli(torch.zeros(3))
        >>> round(float(even.log_prob(torch.ones(3))), 4)  # 3 * log(1/2)
        -2.0794
    """

    rowwise: ClassVar[bool] = True

    logits: Float[Tensor, "*batch frame_size"]

    def log_prob(self, frames: Float[Tensor, "*batch frame_size"]) -> Float[Tensor, "*batch"]:
        """Log-probability of whole frames in nats, summed over pitches."""
        logits = at_least_float32(self.logits)
        cells = functional.binary_cross_entropy_with_logits(logits, frames.to(logits.dtype), reduction="none")
        return -cells.sum(dim=-1)

    def sample(self, *, generator: torch.Generator) -> Float[Tensor, "*batch frame_size"]:
        """A sample of each pitch."""
        mean = self.mean
        return (uniform(mean.shape, generator=generator, device=mean.device) < mean).to(mean.dtype)

    @property
    def mean(self) -> Float[Tensor, "*batch frame_size"]:
        """The probability of each pitch."""
        return torch.sigmoid(at_least_float32(self.logits))

    def __getitem__(self, index: Any) -> "Bernoulli":
        """The distributions at some places of the batch shape."""
        return Bernoulli(self.logits[index])

    def tempered(self, temperature: float) -> "Bernoulli":
        """Log-odds divided by the temperature."""
        return Bernoulli(self.logits / check_temperature(temperature))

    def given(
        self, frames: Float[Tensor, "*batch frame_size"], cells: Bool[Tensor, "*batch frame_size"]
    ) -> "Bernoulli":
        """The given pitches are certain: see :class:`~pianoroll_seq2seq.models.heads.contract.FillingDistribution`."""
        return Bernoulli(with_given(self.logits, given_logits(frames, cells)))


class BernoulliHead(nn.Module):
    """One linear layer from features to the log-odds of each pitch.

    Args:
        in_features: size of the decoder's output.
        layout: what the columns of a frame mean, or their number.

    Raises:
        SettingsError: a layout with velocities.

    Example:
        >>> head = BernoulliHead(in_features=8, layout=12)
        >>> frames = torch.zeros(2, 3, 12)  # (batch, steps, frame_size)
        >>> head(torch.zeros(2, 3, 8), frames).log_prob(frames).shape
        torch.Size([2, 3])
    """

    def __init__(self, in_features: int, layout: FrameLayout | int) -> None:
        """Starts near silence, as most pitches are silent most of the time."""
        super().__init__()
        check_no_velocity(layout, "BernoulliHead")
        self.in_features = in_features
        self.layout = layout
        self.frame_size: int = frame_size_of(layout)
        self.context_frames: int | None = 0
        self.takes_given: bool = True
        self.logits: nn.Linear = nn.Linear(in_features, self.frame_size)
        nn.init.constant_(self.logits.bias, -3.0)

    def forward(
        self, features: Float[Tensor, "batch steps in_features"], past: Float[Tensor, "batch known frame_size"]
    ) -> Bernoulli:
        """Distributions of batch shape (batch, steps); past frames are not read."""
        return Bernoulli(self.logits(features))

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"in_features": self.in_features, "layout": self.layout}
