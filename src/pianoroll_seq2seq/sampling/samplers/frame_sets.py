"""Sets of frames to choose from, found by sampling: a distribution over frames of 88 pitches cannot be enumerated.

A number of frames is sampled from the distribution, and the probability of each is known exactly. From both follows
which frames belong to a set that holds a given share of the probability:

- Often the sampled frames show it exactly. All frames that were not sampled hold what is left of the probability, so
  none of them is likelier than that.
- Otherwise it is estimated: the share of the samples that are in a set estimates its probability, without bias. A frame
  of the set is then chosen as often as it was sampled. So it is a sample of the distribution, given that it is in the
  estimated set.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.precision import check_temperature

ROUNDING = 1e-5
"""Sums of probabilities in single precision are known up to this."""


@dataclass(frozen=True)
class FrameSet:
    """The frames that a sampler chooses from.

    Args:
        frames: different frames, (count, frame_size).
        probs: the probability of each to be chosen, (count,).
        is_exact: whether the set and the probabilities are exact, up to rounding, and no estimates.
    """

    frames: Tensor
    probs: Tensor
    is_exact: bool

    def choose(self, generator: torch.Generator) -> Tensor:
        """One of the frames, (frame_size,)."""
        return self.frames[torch.multinomial(self.probs, 1, generator=generator)[0]]


@dataclass(frozen=True)
class SampledFrames:
    """Different frames that were sampled from one distribution.

    Args:
        frames: (count, frame_size).
        log_probs: the log-probability of each, (count,), float64.
        counts: how often each was sampled, (count,).
    """

    frames: Tensor
    log_probs: Tensor
    counts: Tensor

    @classmethod
    def of(
        cls,
        distribution: FrameDistribution,
        num_samples: int,
        generator: torch.Generator,
        first: Tensor | None = None,
    ) -> "SampledFrames":
        """Samples of a distribution of batch shape () or (1,); ``first`` is one of them."""
        if first is None:
            first = distribution.sample(generator=generator)
        if first.ndim == 1:
            more = [distribution.sample(generator=generator) for _ in range(num_samples - 1)]
            frames = torch.stack([first, *more])
        else:
            repeated = distribution[torch.zeros(num_samples - 1, dtype=torch.int64, device=first.device)]
            frames = torch.cat([first, repeated.sample(generator=generator)]) if num_samples > 1 else first
        frames, counts = torch.unique(frames, dim=0, return_counts=True)
        if first.ndim == 1:
            log_probs = torch.stack([distribution.log_prob(frame) for frame in frames])
        else:
            log_probs = distribution[torch.zeros(len(frames), dtype=torch.int64, device=first.device)].log_prob(frames)
        return cls(frames, log_probs.detach().double(), counts)

    @property
    def rest(self) -> float:
        """The probability of all frames that were not sampled."""
        return 1.0 - float(self.log_probs.exp().sum())

    def ordered(self, order: Tensor) -> "SampledFrames":
        """The frames in another order."""
        return SampledFrames(self.frames[order], self.log_probs[order], self.counts[order])

    def exact_set(self, p: float) -> FrameSet | None:
        """The first frames that together have probability ``p``, by their probabilities; None if all have less."""
        probs = self.log_probs.exp()
        reached = (probs.cumsum(0) >= p).nonzero()
        if not len(reached):
            return None
        count = int(reached[0]) + 1
        return FrameSet(self.frames[:count], probs[:count] / probs[:count].sum(), is_exact=True)

    def estimated_set(self, p: float) -> FrameSet:
        """The first frames that together are a share ``p`` of the samples."""
        shares = self.counts.double() / self.counts.sum()
        count = int((shares.cumsum(0) < p - ROUNDING).sum()) + 1
        return FrameSet(self.frames[:count], shares[:count] / shares[:count].sum(), is_exact=False)


def check_set_settings(name: str, p: float, temperature: float, num_samples: int) -> None:
    """Refuses arguments out of range.

    Raises:
        SettingsError: names them.
    """
    if not 0 < p <= 1 or num_samples < 1:
        raise SettingsError(f"{name} needs 0 < p <= 1 and num_samples of at least 1, got {p} and {num_samples}.")
    check_temperature(temperature)


def choose_each(
    distribution: FrameDistribution,
    num_samples: int,
    frame_set: Callable[[SampledFrames], FrameSet],
    generator: torch.Generator,
) -> Tensor:
    """A frame for each distribution of a batch, each from the set of its own samples."""
    first = distribution.sample(generator=generator)
    if first.shape[:-1] in ((), (1,)):
        sampled = SampledFrames.of(distribution, num_samples, generator, first)
        return frame_set(sampled).choose(generator).reshape(first.shape)
    chosen = []
    for index in np.ndindex(*first.shape[:-1]):
        single = distribution[(*index[:-1], slice(index[-1], index[-1] + 1))]
        chosen.append(frame_set(SampledFrames.of(single, num_samples, generator)).choose(generator))
    return torch.stack(chosen).reshape(first.shape)


def tempered(distribution: FrameDistribution, temperature: float) -> FrameDistribution:
    """The distribution at a temperature."""
    return distribution if temperature == 1.0 else distribution.tempered(temperature)
