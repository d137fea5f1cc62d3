"""How a model is told conditions: as columns beside the frames it hears and those it is about to predict."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pianoroll_seq2seq.dropout import chosen
from pianoroll_seq2seq.errors import SettingsError, ShapeError


@dataclass(frozen=True)
class Told:
    """What is told of the frames of some pieces, and how many of these frames are behind.

    Args:
        values: (batch, frames, columns), of which the last frame stands for all beyond; None where nothing is told.
        heard: how many frames were heard.
    """

    values: Tensor | None = None
    heard: int = 0

    def after(self) -> "Told":
        """When one more frame was heard."""
        return self if self.values is None else replace(self, heard=self.heard + 1)

    def beside_heard(self, frames: Tensor) -> Tensor:
        """The latest frames heard, (batch, latest, pitches), each beside what is told of it."""
        return frames if self.values is None else _beside(frames, self.values, self.heard - frames.shape[1])

    def beside_next(self, vectors: Tensor) -> Tensor:
        """What leads to the next frames, (batch, steps, size), each beside what is told of the frame it leads to."""
        return vectors if self.values is None else _beside(vectors, self.values, self.heard)

    def beside_next_one(self, vector: Tensor) -> Tensor:
        """The same of a single step, (batch, size)."""
        return vector if self.values is None else _beside(vector.unsqueeze(1), self.values, self.heard)[:, 0]


NOTHING_TOLD = Told()
"""Of frames alone."""


@dataclass(frozen=True)
class Conditioning:
    """The conditions that a model hears.

    Args:
        size: numbers of a condition, 0 for a model that hears none.
        dropout: share of the examples of which nothing is told in training, 0 <= dropout < 1. Above 0 there is one
            column more: 1 where nothing is told, so that this is no condition of zeros.

    Raises:
        SettingsError: numbers out of range, or a dropout of no conditions.
    """

    size: int
    dropout: float

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if self.size < 0 or not 0 <= self.dropout < 1:
            raise SettingsError(
                f"condition_size must be at least 0 and condition_dropout in [0, 1), got {self.size} and "
                f"{self.dropout}."
            )
        if self.dropout and not self.size:
            raise SettingsError(
                f"condition_dropout={self.dropout} silences conditions, but condition_size is 0. Set condition_size."
            )

    @property
    def columns(self) -> int:
        """How many columns there are beside a frame."""
        return self.size + (self.dropout > 0)

    def tell(self, condition: Tensor | None, frames: Tensor, *, training: bool = False) -> Told:
        """What is told of pieces of which some frames were heard.

        Args:
            condition: of these frames and the next, (batch, frames, size), the last for all beyond; None for nothing.
            frames: the frames heard, (batch, heard, pitches).
            training: whether to silence whole examples at random.

        Raises:
            SettingsError: no condition for a model that has not learned to do without.
            ShapeError: a condition of another shape.
        """
        batch, heard = frames.shape[:2]
        if condition is None:
            if not self.size:
                return NOTHING_TOLD
            if not self.dropout:
                raise SettingsError(
                    f"The model hears conditions of {self.size} values and has not learned to do without. Give it one "
                    f"(condition=, or SlidingWindows(..., conditions=)), or build and train it with condition_dropout."
                )
            nothing = frames.new_zeros(batch, 1, self.columns)
            nothing[..., -1] = 1
            return Told(nothing, heard)
        if len(condition) != batch or not condition.shape[1]:
            raise ShapeError(
                f"The model expects a condition of shape ({batch}, frames >= 1, {self.size}), one for each of {batch} "
                f"pieces, got {tuple(condition.shape)}."
            )
        condition = condition.to(frames)
        if not self.dropout:
            return Told(condition, heard)
        silent = torch.zeros(batch, 1, 1, dtype=torch.bool, device=frames.device)
        if training:
            silent = chosen(silent.shape, self.dropout, frames.device)
        unknown = silent.to(frames.dtype).expand(-1, condition.shape[1], -1)
        return Told(torch.cat([condition.masked_fill(silent, 0), unknown], dim=2), heard)


def _beside(vectors: Tensor, values: Tensor, first: int) -> Tensor:
    """Vectors beside the values of as many frames, from the first on."""
    begin = min(first, values.shape[1] - 1)
    here = values[:, begin : begin + vectors.shape[1]]
    beyond = vectors.shape[1] - here.shape[1]
    if beyond:
        here = torch.cat([here, here[:, -1:].expand(-1, beyond, -1)], dim=1)
    return torch.cat([vectors, here.to(vectors.dtype)], dim=2)
