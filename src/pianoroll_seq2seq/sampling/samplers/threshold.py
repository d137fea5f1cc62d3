"""Every column from a marginal probability on."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.heads.contract import FrameDistribution


@dataclass(frozen=True)
class Threshold:
    """Sets every column whose marginal probability reaches a threshold. It is deterministic.

    This is the choice of the 2017 article, with 0.1. It tends to freeze the music: the most likely next frame is mostly
    the current one.

    Args:
        probability: the threshold, 0 < probability <= 1.

    Raises:
        SettingsError: a threshold out of range.

    Example:
        >>> from pianoroll_seq2seq import Bernoulli
        >>> distribution = Bernoulli(torch.tensor([-1.0, 0.0, 1.0]))  # probabilities of 0.27, 0.5 and 0.73
        >>> Threshold(0.5)(distribution, generator=torch.Generator())
        tensor([0., 1., 1.])
    """

    rowwise: ClassVar[bool] = True

    probability: float = 0.5

    def __post_init__(self) -> None:
        """Validates the threshold."""
        if not 0 < self.probability <= 1:
            raise SettingsError(f"Threshold needs 0 < probability <= 1, got {self.probability}.")

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """The frames. The generator is not used. A distribution may have a way of its own to reach a threshold."""
        choose = getattr(distribution, "threshold", None)
        frame: Tensor = distribution.mean >= self.probability if choose is None else choose(self.probability)
        return frame.float()
