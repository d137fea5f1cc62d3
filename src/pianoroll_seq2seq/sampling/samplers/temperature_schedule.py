"""Samples whose temperature follows a schedule."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.random_numbers import is_rowwise
from pianoroll_seq2seq.sampling.samplers.contract import Sampler, next_sampler, start_sampler
from pianoroll_seq2seq.sampling.samplers.draw import Draw


@dataclass(frozen=True)
class TemperatureSchedule:
    """Samples at a temperature that depends on the number of the frame.

    For music that begins freely and becomes settled, that opens up in the middle, or that ends calmly.

    Args:
        temperature: the temperature of a new frame, by the number of new frames before it: 0 for the first.
        sampler: samples from the distribution at that temperature.
        frame: the number of the frame that is sampled. :func:`~pianoroll_seq2seq.sampling.generate` counts it.

    Raises:
        SettingsError: no function; when it samples, a temperature that is not above 0.

    Example:
        >>> from pianoroll_seq2seq import Bernoulli
        >>> calmer = TemperatureSchedule(lambda frame: max(0.5, 1.2 - 0.01 * frame))
        >>> calmer(Bernoulli(torch.tensor([-90.0, 90.0])), generator=torch.Generator().manual_seed(0))
        tensor([0., 1.])
    """

    temperature: Callable[[int], float]
    sampler: Sampler = field(default_factory=Draw)
    frame: int = 0

    def __post_init__(self) -> None:
        """Validates the temperature."""
        temperature: object = self.temperature
        if not callable(temperature):
            raise SettingsError(
                f"TemperatureSchedule needs a function from the number of a frame to its temperature, such as "
                f"lambda frame: 0.9, got {temperature!r}. For one temperature, use Draw({temperature!r})."
            )

    @property
    def rowwise(self) -> bool:
        """As of the sampler."""
        return is_rowwise(self.sampler, "__call__")

    def start(self, past: Tensor) -> "TemperatureSchedule":
        """For the first new frame: see :class:`~pianoroll_seq2seq.sampling.SteppingSampler`."""
        return replace(self, sampler=start_sampler(self.sampler, past), frame=0)

    def after(self, frame: Tensor) -> "TemperatureSchedule":
        """For the next frame: see :class:`~pianoroll_seq2seq.sampling.SteppingSampler`."""
        return replace(self, sampler=next_sampler(self.sampler, frame), frame=self.frame + 1)

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """The sampled frames."""
        temperature = self.temperature(self.frame)
        if temperature != 1.0:
            distribution = distribution.tempered(temperature)
        return self.sampler(distribution, generator=generator)
