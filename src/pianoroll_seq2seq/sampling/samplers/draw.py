"""Samples of whole frames."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.precision import check_temperature


@dataclass(frozen=True)
class Draw:
    """Samples whole frames from the model's distribution.

    Args:
        temperature: below 1 safer, above 1 bolder.

    Raises:
        SettingsError: a temperature that is not above 0.

    Example:
        >>> from pianoroll_seq2seq import Bernoulli
        >>> certain = Bernoulli(torch.tensor([-50.0, 50.0]))
        >>> Draw(temperature=0.9)(certain, generator=torch.Generator().manual_seed(0))
        tensor([0., 1.])
    """

    rowwise: ClassVar[bool] = True

    temperature: float = 1.0

    def __post_init__(self) -> None:
        """Validates the temperature."""
        check_temperature(self.temperature)

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """The sampled frames."""
        if self.temperature != 1.0:
            distribution = distribution.tempered(self.temperature)
        return distribution.sample(generator=generator)
