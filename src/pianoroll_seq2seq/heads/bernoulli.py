"""Independent pitches: each sounds or not with a probability of its own, whatever the others do."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.errors import SettingsError


@dataclass(frozen=True)
class Bernoulli:
    """Independent pitches. The mean of ``-log_prob`` is multi-label binary cross-entropy, summed over pitches.

    Args:
        logits: log-odds of each pitch, (..., pitches).

    Example:
        >>> even = Bernoulli(torch.zeros(3))
        >>> round(float(even.log_prob(torch.ones(3))), 4)  # 3 * log(1/2)
        -2.0794
    """

    logits: Float[Tensor, "*batch pitches"]

    def log_prob(self, frames: Float[Tensor, "*batch pitches"]) -> Float[Tensor, "*batch"]:
        """Log-probability of whole frames in nats, summed over pitches."""
        logits = self._precise()
        cells = functional.binary_cross_entropy_with_logits(logits, frames.to(logits.dtype), reduction="none")
        return -cells.sum(dim=-1)

    def sample(self, *, generator: torch.Generator) -> Float[Tensor, "*batch pitches"]:
        """One draw of each pitch."""
        mean = self.mean
        uniform = torch.rand(mean.shape, generator=generator, device=mean.device)
        return (uniform < mean).to(mean.dtype)

    @property
    def mean(self) -> Float[Tensor, "*batch pitches"]:
        """The probability of each pitch."""
        return torch.sigmoid(self._precise())

    def _precise(self) -> Tensor:
        """In float32 at least: autocast may have given fewer digits."""
        return self.logits.float() if self.logits.itemsize < torch.float32.itemsize else self.logits

    def __getitem__(self, index: Any) -> "Bernoulli":
        """The distributions at some places of the batch shape."""
        return Bernoulli(self.logits[index])

    def tempered(self, temperature: float) -> "Bernoulli":
        """Log-odds divided by the temperature."""
        if not temperature > 0:
            raise SettingsError(f"temperature must be above 0, got {temperature}.")
        return Bernoulli(self.logits / temperature)


class BernoulliHead(nn.Module):
    """One linear layer from features to the log-odds of each pitch.

    Args:
        features: size of the decoder's output.
        pitches: size of a frame.

    Example:
        >>> head = BernoulliHead(features=8, pitches=12)
        >>> frames = torch.zeros(2, 3, 12)  # (batch, steps, pitches)
        >>> head(torch.zeros(2, 3, 8), frames).log_prob(frames).shape
        torch.Size([2, 3])
    """

    def __init__(self, features: int, pitches: int) -> None:
        """Starts near silence, as most pitches are silent most of the time."""
        super().__init__()
        self.features = features
        self.pitches = pitches
        self.context_frames: int | None = 0
        self.logits: nn.Linear = nn.Linear(features, pitches)
        nn.init.constant_(self.logits.bias, -3.0)

    def forward(
        self, features: Float[Tensor, "batch steps features"], past: Float[Tensor, "batch known pitches"]
    ) -> Bernoulli:
        """Distributions of batch shape (batch, steps); past frames are not looked at."""
        return Bernoulli(self.logits(features))

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"features": self.features, "pitches": self.pitches}
