"""Conditions of a model: extra columns of the frames that it reads, and of those that it predicts."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.models.layers.dropout import bernoulli_mask


@dataclass(frozen=True)
class ConditionSequence:
    """The conditions of the frames of some pieces, and the position in them.

    Args:
        values: (batch, frames, columns). The last frame is repeated for all later ones. None without a condition.
        num_past: how many frames have been read.
    """

    values: Tensor | None = None
    num_past: int = 0

    def advance(self) -> "ConditionSequence":
        """The conditions after one more frame."""
        return self if self.values is None else replace(self, num_past=self.num_past + 1)

    def concat_past(self, frames: Tensor) -> Tensor:
        """The latest frames read, (batch, latest, frame_size), each with its condition appended."""
        return frames if self.values is None else _concat(frames, self.values, self.num_past - frames.shape[1])

    def concat_next(self, vectors: Tensor) -> Tensor:
        """The inputs of the next steps, (batch, steps, size), each with the condition of the frame it predicts."""
        return vectors if self.values is None else _concat(vectors, self.values, self.num_past)

    def concat_next_step(self, vector: Tensor) -> Tensor:
        """The same for a single step, (batch, size)."""
        return vector if self.values is None else _concat(vector.unsqueeze(1), self.values, self.num_past)[:, 0]


NO_CONDITION = ConditionSequence()
"""No condition."""


@dataclass(frozen=True)
class Conditioning:
    """How a model encodes its conditions.

    Args:
        size: numbers of a condition, 0 for a model without conditions.
        dropout: probability that an example has no condition in training, 0 <= dropout < 1. Above 0 there is one more
            column, which is 1 without a condition, so that this differs from a condition of zeros.

    Raises:
        SettingsError: numbers out of range, or a dropout without conditions.
    """

    size: int
    dropout: float

    def __post_init__(self) -> None:
        """Validates the arguments."""
        if self.size < 0 or not 0 <= self.dropout < 1:
            raise SettingsError(
                f"condition_size must be at least 0 and condition_dropout in [0, 1), got {self.size} and "
                f"{self.dropout}."
            )
        if self.dropout and not self.size:
            raise SettingsError(
                f"condition_dropout={self.dropout} needs conditions, but condition_size is 0. Set condition_size."
            )

    @property
    def columns(self) -> int:
        """How many columns are appended to a frame."""
        return self.size + (self.dropout > 0)

    def encode(self, condition: Tensor | None, frames: Tensor, *, training: bool = False) -> ConditionSequence:
        """The conditions of pieces, after some of their frames have been read.

        Args:
            condition: the condition of these frames and the next, (batch, frames, size). The last one is repeated for
                all later frames. None for no condition.
            frames: the frames read, (batch, past, frame_size).
            training: whether to drop the conditions of whole examples at random.

        Raises:
            SettingsError: no condition, for a model trained without ``condition_dropout``.
            ShapeError: a condition of another shape.
        """
        batch, num_past = frames.shape[:2]
        if condition is None:
            if not self.size:
                return NO_CONDITION
            if not self.dropout:
                raise SettingsError(
                    f"The model expects conditions of size {self.size} and was trained without condition_dropout. "
                    f"Pass one (condition=, or SlidingWindows(..., conditions=)), or train with condition_dropout."
                )
            missing = frames.new_zeros(batch, 1, self.columns)
            missing[..., -1] = 1
            return ConditionSequence(missing, num_past)
        if len(condition) != batch or not condition.shape[1]:
            raise ShapeError(
                f"The model expects a condition of shape ({batch}, frames >= 1, {self.size}), one for each of {batch} "
                f"pieces, got {tuple(condition.shape)}."
            )
        condition = condition.to(frames)
        if not self.dropout:
            return ConditionSequence(condition, num_past)
        dropped = torch.zeros(batch, 1, 1, dtype=torch.bool, device=frames.device)
        if training:
            dropped = bernoulli_mask(dropped.shape, self.dropout, frames.device)
        unknown = dropped.to(frames.dtype).expand(-1, condition.shape[1], -1)
        return ConditionSequence(torch.cat([condition.masked_fill(dropped, 0), unknown], dim=2), num_past)


def _concat(vectors: Tensor, values: Tensor, first: int) -> Tensor:
    """Vectors with the values of as many frames appended, from frame ``first`` on."""
    begin = min(first, values.shape[1] - 1)
    here = values[:, begin : begin + vectors.shape[1]]
    beyond = vectors.shape[1] - here.shape[1]
    if beyond:
        here = torch.cat([here, here[:, -1:].expand(-1, beyond, -1)], dim=1)
    return torch.cat([vectors, here.to(vectors.dtype)], dim=2)
