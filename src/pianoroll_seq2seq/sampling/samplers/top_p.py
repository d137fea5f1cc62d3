"""Samples from the nucleus of a distribution (top-p)."""

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
class TopP:
    """Samples whole frames from the nucleus of the model's distribution: the most likely frames that hold ``p`` of it.

    For fewer wrong notes without thinner chords: it leaves out what is unlikely, and keeps the proportions of the rest
    (nucleus sampling: Holtzman et al., 2020, https://arxiv.org/abs/1904.09751). The nucleus is that of the joint
    distribution over all columns of a frame, not of each pitch.

    The nucleus of a frame is found from ``num_samples`` samples. If they show all of it, which is usual if the model is
    sure, the frame is an exact sample of the nucleus. Otherwise the nucleus is estimated: the most likely samples that
    are a share ``p`` of all samples, from which one is taken at random (:meth:`nucleus` says which it was). More
    samples make the estimate better, and each frame slower.

    Args:
        p: the probability that the nucleus holds, 0 < p <= 1; 1 samples the whole distribution.
        temperature: of the distribution, before its nucleus is taken.
        num_samples: samples for a frame.

    Raises:
        SettingsError: arguments out of range.

    Example:
        >>> from pianoroll_seq2seq import Bernoulli
        >>> likely = Bernoulli(torch.tensor([3.0, -3.0]))  # the first pitch alone has a probability of 0.91
        >>> TopP(0.9)(likely, generator=torch.Generator().manual_seed(0))
        tensor([1., 0.])
    """

    rowwise: ClassVar[bool] = True

    p: float
    temperature: float = 1.0
    num_samples: int = 64

    def __post_init__(self) -> None:
        """Validates the arguments."""
        check_set_settings("TopP", self.p, self.temperature, self.num_samples)

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """The sampled frames."""
        return choose_each(tempered(distribution, self.temperature), self.num_samples, self._frame_set, generator)

    def nucleus(self, distribution: FrameDistribution, *, generator: torch.Generator) -> FrameSet:
        """The nucleus of one distribution, of batch shape () or (1,), the most likely frame first."""
        sampled = SampledFrames.of(tempered(distribution, self.temperature), self.num_samples, generator)
        return self._frame_set(sampled)

    def _frame_set(self, sampled: SampledFrames) -> FrameSet:
        sampled = sampled.ordered(sampled.log_probs.argsort(descending=True, stable=True))
        exact = sampled.exact_set(self.p)
        if exact is not None:
            least = float(sampled.log_probs[len(exact.frames) - 1].exp())
            if least > sampled.rest + ROUNDING:  # no other frame is as likely
                return exact
        return sampled.estimated_set(self.p)
