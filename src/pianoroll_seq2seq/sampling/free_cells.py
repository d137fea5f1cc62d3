"""A distribution of frames of which a sampler sees only what is not given."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.random_numbers import is_rowwise


@dataclass(frozen=True, eq=False)
class FreeCells:
    """The distribution of the cells that are not given. The given ones are 0 in its frames.

    So a sampler that keeps to a scale, or to few notes, decides about the new notes alone.

    Args:
        inner: the distribution of whole frames.
        frames: the given cells, zero elsewhere, (..., frame_size).
        free: which cells are not given, (..., frame_size).
    """

    inner: FrameDistribution
    frames: Tensor
    free: Tensor

    @property
    def rowwise(self) -> bool:
        """As of the distribution of whole frames."""
        return is_rowwise(self.inner, "sample")

    def whole(self, frames: Tensor) -> Tensor:
        """Frames with the given cells in place."""
        return torch.where(self.free, frames, self.frames.to(frames.dtype))

    def log_prob(self, frames: Tensor) -> Tensor:
        """The log-probability of the free cells of frames, (...)."""
        return self.inner.log_prob(self.whole(frames))

    def sample(self, *, generator: torch.Generator) -> Tensor:
        """A sample of the free cells, (..., frame_size)."""
        return self.inner.sample(generator=generator) * self.free

    @property
    def mean(self) -> Tensor:
        """The mean of each free cell, (..., frame_size)."""
        return self.inner.mean * self.free

    def threshold(self, probability: float) -> Tensor:
        """The free cells whose mean reaches a probability, as the inner distribution chooses them."""
        choose = getattr(self.inner, "threshold", None)
        chosen: Tensor = self.inner.mean >= probability if choose is None else choose(probability)
        return chosen * self.free

    def __getitem__(self, index: Any) -> "FreeCells":
        """The distributions at an index of the batch shape."""
        return FreeCells(self.inner[index], self.frames[index], self.free[index])

    def tempered(self, temperature: float) -> "FreeCells":
        """A sharper distribution for temperatures below 1, a flatter one above 1."""
        return FreeCells(self.inner.tempered(temperature), self.frames, self.free)
