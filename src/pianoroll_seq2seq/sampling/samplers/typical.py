"""Samples that are about as surprising as the model expects (locally typical sampling)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.sampling.samplers.frame_sets import (
    ROUNDING,
    FrameSet,
    SampledFrames,
    check_set_settings,
    choose_each,
    tempered,
)


@dataclass(frozen=True)
class Typical:
    """Samples whole frames from the typical set: those whose surprise is nearest to the entropy of the distribution.

    The surprise of a frame is minus its log-probability, and the entropy is its mean. For music that is neither too
    predictable nor wrong: unlike :class:`~pianoroll_seq2seq.sampling.TopP` it may leave out the likeliest frame, such
    as a repetition, if the model expects something new (locally typical sampling: Meister et al., 2022,
    https://arxiv.org/abs/2202.00666). The set is the smallest that holds ``p`` of the probability.

    The set of a frame is found from ``num_samples`` samples. It is exact if they are all frames that have any
    probability. Otherwise the entropy is estimated by their mean surprise and the set by their shares, as in ``TopP``
    (:meth:`typical_set` says which it was).

    Args:
        p: the probability that the set holds, 0 < p <= 1; 1 samples the whole distribution.
        temperature: of the distribution, before its set is taken.
        num_samples: samples for a frame.

    Raises:
        SettingsError: arguments out of range.

    Example:
        >>> from pianoroll_seq2seq import Bernoulli
        >>> likely = Bernoulli(torch.tensor([3.0, -30.0]))
        >>> Typical(0.5)(likely, generator=torch.Generator().manual_seed(0))
        tensor([1., 0.])
    """

    rowwise: ClassVar[bool] = True

    p: float
    temperature: float = 1.0
    num_samples: int = 64

    def __post_init__(self) -> None:
        """Validates the arguments."""
        check_set_settings("Typical", self.p, self.temperature, self.num_samples)

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """The sampled frames."""
        return choose_each(tempered(distribution, self.temperature), self.num_samples, self._frame_set, generator)

    def typical_set(self, distribution: FrameDistribution, *, generator: torch.Generator) -> FrameSet:
        """The typical set of one distribution, of batch shape () or (1,), the most typical frame first."""
        sampled = SampledFrames.of(tempered(distribution, self.temperature), self.num_samples, generator)
        return self._frame_set(sampled)

    def _frame_set(self, sampled: SampledFrames) -> FrameSet:
        is_all = sampled.rest < ROUNDING
        weights = sampled.log_probs.exp() if is_all else sampled.counts.double()
        entropy = -(weights * sampled.log_probs).sum() / weights.sum()
        sampled = sampled.ordered((sampled.log_probs + entropy).abs().argsort(stable=True))
        exact = sampled.exact_set(self.p) if is_all else None
        return sampled.estimated_set(self.p) if exact is None else exact
