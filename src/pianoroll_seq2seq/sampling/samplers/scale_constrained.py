"""Samples whose notes are in a scale."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq.data.conditions import pitch_class_vector
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.random_numbers import RowGenerators, is_rowwise
from pianoroll_seq2seq.sampling.samplers.contract import Sampler, next_sampler, start_sampler


@dataclass(frozen=True)
class ScaleConstrained:
    """Keeps another sampler's frames to a scale, by rejection sampling.

    A frame with a note outside the scale is sampled again, up to ``tries`` times. An accepted frame is an exact sample
    from the model's distribution, given that all its notes are in the scale. If all tries fail, notes outside the scale
    are dropped, and the chord is thinner. The model reads the frames that are kept. Drums are in every scale.

    Args:
        sampler: the sampler to constrain.
        scale: pitch classes that may sound, 0..11 with 0 for C.
        layout: what the columns of a frame mean.
        tries: how often a frame is sampled at most.

    Raises:
        SettingsError: no pitch classes, one out of range, or fewer than one try; when it samples, ShapeError if frames
            have another size than the layout's.

    Example:
        >>> from pianoroll_seq2seq import Bernoulli, Draw, FrameLayout, PitchRange
        >>> only_c = ScaleConstrained(Draw(), (0,), FrameLayout(pitches=PitchRange(60, 62)))
        >>> only_c(Bernoulli(torch.full((6,), 9.0)), generator=torch.Generator()).tolist()
        [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    """

    sampler: Sampler
    scale: Collection[int]
    layout: FrameLayout
    tries: int = 16

    def __post_init__(self) -> None:
        """Validates the scale and the tries. A set becomes a tuple."""
        scale: object = self.scale
        if isinstance(scale, str):
            raise SettingsError(
                f"ScaleConstrained needs the pitch classes of the scale, such as (0, 2, 4, 5, 7, 9, 11) for C major, "
                f"got {scale!r}."
            )
        object.__setattr__(self, "scale", tuple(self.scale))
        if not pitch_class_vector(self.scale).any() or self.tries < 1:
            raise SettingsError(
                f"ScaleConstrained needs at least one pitch class and one try, got {self.scale} and tries={self.tries}."
            )

    @property
    def rowwise(self) -> bool:
        """As of the sampler that is constrained."""
        return is_rowwise(self.sampler, "__call__")

    def start(self, past: Tensor) -> "ScaleConstrained":
        """With the constrained sampler at the beginning: see :class:`SteppingSampler`."""
        return replace(self, sampler=start_sampler(self.sampler, past))

    def after(self, frame: Tensor) -> "ScaleConstrained":
        """With the constrained sampler after a frame: see :class:`SteppingSampler`."""
        return replace(self, sampler=next_sampler(self.sampler, frame))

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
        in_scale = np.isin(self.layout.column_pitches() % 12, tuple(self.scale)) | np.tile(
            drums, len(self.layout.planes)
        )
        return torch.as_tensor(in_scale, dtype=frame.dtype, device=frame.device)
