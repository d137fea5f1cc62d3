"""Sets of frames to choose from, found by sampling: a distribution over frames of 88 pitches cannot be enumerated.

A number of frames is sampled from the distribution, and the probability of each is known exactly. From both follows
which frames belong to a set that holds a given share of the probability:

- Often the sampled frames show it exactly. All frames that were not sampled hold what is left of the probability, so
  none of them is likelier than that.
- Otherwise it is estimated: the share of the samples that are in a set estimates its probability, without bias. A frame
  of the set is then chosen as often as it was sampled. So it is a sample of the distribution, given that it is in the
  estimated set.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pianoroll_seq2seq._internal.whole_numbers import is_real, is_whole
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.precision import check_temperature
from pianoroll_seq2seq.models.heads.random_numbers import RepeatedRows, RowGenerators, uniform

ROUNDING = 1e-5
"""Sums of probabilities in single precision are known up to this."""
_SAMPLES_AT_ONCE = 2048
"""The memory of a distribution is repeated for each."""


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

    def choose(self, number: float) -> Tensor:
        """The frame (frame_size,) for a random number from [0, 1)."""
        place = int((self.probs.cumsum(0) <= number * self.probs.sum()).sum())
        return self.frames[min(place, len(self.frames) - 1)]


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
    def of(cls, distribution: FrameDistribution, num_samples: int, generator: torch.Generator) -> "SampledFrames":
        """Samples of one distribution, of batch shape () or (1,)."""
        first = distribution.sample(generator=generator)
        if first.ndim > 1:
            return next(sampled_frames(distribution, first, num_samples, generator))
        frames = torch.stack([first, *(distribution.sample(generator=generator) for _ in range(num_samples - 1))])
        different, counts = torch.unique(frames, dim=0, return_counts=True)
        log_probs = torch.stack([distribution.log_prob(frame) for frame in different])
        return cls(different, log_probs.detach().double(), counts)

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
    if not is_real(p) or not 0 < p <= 1 or not is_whole(num_samples) or num_samples < 1:
        raise SettingsError(f"{name} needs 0 < p <= 1 and num_samples of at least 1, got {p!r} and {num_samples!r}.")
    check_temperature(temperature)


def choose_each(
    distribution: FrameDistribution,
    num_samples: int,
    frame_set: Callable[[SampledFrames], FrameSet],
    generator: torch.Generator,
) -> Tensor:
    """A frame for each distribution of a batch, each from the set of its own samples."""
    first = distribution.sample(generator=generator)
    if first.ndim == 1:
        number = float(uniform((1, 1), generator=generator, device=first.device))
        return frame_set(SampledFrames.of(distribution, num_samples, generator)).choose(number)
    if first.ndim > 2:
        each = [choose_each(distribution[row], num_samples, frame_set, generator) for row in range(len(first))]
        return torch.stack(each)
    sets = [frame_set(sampled) for sampled in sampled_frames(distribution, first, num_samples, generator)]
    numbers = uniform((len(sets), 1), generator=generator, device=first.device)[:, 0].tolist()
    return torch.stack([each.choose(number) for each, number in zip(sets, numbers, strict=True)])


def sampled_frames(
    distribution: FrameDistribution, first: Tensor, num_samples: int, generator: torch.Generator
) -> Iterator[SampledFrames]:
    """Samples of each distribution of a batch.

    Args:
        distribution: of batch shape (batch,).
        first: one sample of each, (batch, frame_size).
        num_samples: samples of each, the first one included.
        generator: where the random numbers come from.
    """
    batch = torch.arange(len(first), device=first.device)
    for rows in torch.split(batch, max(1, _SAMPLES_AT_ONCE // num_samples)):
        own = generator
        if isinstance(generator, RowGenerators):
            own = RepeatedRows(generator.select(rows), num_samples - 1)
        frames = first[rows].unsqueeze(1)
        if num_samples > 1:
            more = distribution[rows.repeat_interleave(num_samples - 1)].sample(generator=own)
            frames = torch.cat([frames, torch.unflatten(more, 0, (len(rows), -1))], dim=1)
        different, counts = zip(*(torch.unique(each, dim=0, return_counts=True) for each in frames), strict=True)
        sizes = [len(each) for each in counts]
        own_row = rows.repeat_interleave(torch.tensor(sizes, device=rows.device))
        log_probs = distribution[own_row].log_prob(torch.cat(different)).detach().double()
        yield from map(SampledFrames, different, torch.split(log_probs, sizes), counts)


def tempered(distribution: FrameDistribution, temperature: float) -> FrameDistribution:
    """The distribution at a temperature."""
    return distribution if temperature == 1.0 else distribution.tempered(temperature)
