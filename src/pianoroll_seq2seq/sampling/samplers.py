"""Samplers: how a frame is chosen from a distribution."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq.data.conditions import pitch_class_vector
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.precision import check_temperature
from pianoroll_seq2seq.models.heads.random_numbers import RowGenerators, is_rowwise


@runtime_checkable
class Sampler(Protocol):
    """Chooses frames from distributions: any callable with this signature.

    :func:`~pianoroll_seq2seq.sampling.generate` calls it for each piece of a batch on its own, with distributions of
    batch shape (1,) and the generator of the piece. A class that says ``rowwise = True`` is called for the whole batch;
    it must take its random numbers from distributions alone, or from
    :func:`~pianoroll_seq2seq.models.heads.random_numbers.uniform`.
    """

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """Frames (..., frame_size) of zeros and ones for distributions of batch shape (...)."""
        ...


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


@dataclass(frozen=True)
class ScaleConstrained:
    """Keeps another sampler's frames to a scale, by rejection sampling.

    A frame with a note outside the scale is sampled again, up to ``tries`` times. An accepted frame is an exact sample
    from the model's distribution, given that all its notes are in the scale. If all tries fail, notes outside the scale
    are dropped. The model reads the frames that are kept. Drums are in every scale.

    Args:
        sampler: the sampler to constrain.
        scale: pitch classes that may sound, 0..11 with 0 for C.
        layout: what the columns of a frame mean.
        tries: how often a frame is sampled at most.

    Raises:
        SettingsError: no pitch classes, one out of range, or fewer than one try; when it samples, ShapeError if frames
            have another size than the layout's.

    Example:
        >>> from pianoroll_seq2seq import Bernoulli, FrameLayout, PitchRange
        >>> only_c = ScaleConstrained(Draw(), (0,), FrameLayout(pitches=PitchRange(60, 62)))
        >>> only_c(Bernoulli(torch.full((6,), 9.0)), generator=torch.Generator()).tolist()
        [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    """

    sampler: Sampler
    scale: tuple[int, ...]
    layout: FrameLayout
    tries: int = 16

    def __post_init__(self) -> None:
        """Validates the scale and the tries."""
        if not pitch_class_vector(self.scale).any() or self.tries < 1:
            raise SettingsError(
                f"ScaleConstrained needs at least one pitch class and one try, got {self.scale} and tries={self.tries}."
            )

    @property
    def rowwise(self) -> bool:
        """As of the sampler that is constrained."""
        return is_rowwise(self.sampler, "__call__")

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """The frames in the scale."""
        frame = self.sampler(distribution, generator=generator)
        in_scale = self._in_scale(frame)
        for _ in range(self.tries - 1):
            rejected = (frame * (1 - in_scale)).any(dim=-1)
            if not rejected.any():
                return frame
            if isinstance(generator, RowGenerators):  # the others keep their random numbers for the next frame
                rows = rejected.nonzero()[:, 0]
                frame[rows] = self.sampler(distribution[rows], generator=generator.select(rows))
            else:
                again = self.sampler(distribution, generator=generator)
                frame = torch.where(rejected.unsqueeze(-1), again, frame)
        return frame * in_scale

    def _in_scale(self, frame: Tensor) -> Tensor:
        """1 for each column of a frame that may sound, (frame_size,)."""
        if frame.shape[-1] != self.layout.frame_size:
            raise ShapeError(
                f"ScaleConstrained expects frames of {self.layout.frame_size} columns for {self.layout}, got "
                f"{frame.shape[-1]}. Pass the model's layout."
            )
        parts = self.layout.parts
        drums = np.repeat([part.drums for part in parts], [len(part.pitches) for part in parts])
        in_scale = np.isin(self.layout.column_pitches() % 12, self.scale) | np.tile(drums, len(self.layout.planes))
        return torch.as_tensor(in_scale, dtype=frame.dtype, device=frame.device)


def sample_rows(sampler: Sampler, distribution: FrameDistribution, generators: RowGenerators) -> Tensor:
    """Frames (batch, frame_size), of which row ``k`` has random numbers of its own.

    Args:
        sampler: chooses the frames.
        distribution: of batch shape (batch,).
        generators: of as many rows.
    """
    if is_rowwise(sampler, "__call__") and is_rowwise(distribution, "sample"):
        return sampler(distribution, generator=generators)
    if len(generators) == 1:
        return sampler(distribution, generator=generators.generator(0))
    rows = range(len(generators))
    return torch.cat([sampler(distribution[row : row + 1], generator=generators.generator(row)) for row in rows])
