"""A smoothed copy of the weights."""

import copy
from typing import Any

import torch

from pianoroll_seq2seq.models.base import SequenceModel


class AveragedModel:
    """A copy of a model whose weights are the exponential moving average of the model's (Polyak and Juditsky, 1992).

    ``torch.optim.swa_utils`` has one too, but looks at a counter on the device at every step, which makes a GPU wait.

    Args:
        model: what is trained.
        decay: the share of the average that stays at each step, 0 < decay < 1.
    """

    def __init__(self, model: SequenceModel, decay: float) -> None:
        """Begins with the weights as they are."""
        self.model: Any = copy.deepcopy(model)
        self._pairs = list(zip(self.model.parameters(), model.parameters(), strict=True))
        self._buffers = list(zip(self.model.buffers(), model.buffers(), strict=True))  # type: ignore[attr-defined]
        self._decay = decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes the weights in; ``step`` is counted from 1.

        The first steps count for more, so that the average is not held back by the weights before training: the decay
        is at most (1 + step) / (10 + step), as in TensorFlow's ExponentialMovingAverage.
        """
        decay = min(self._decay, (1 + step) / (10 + step))
        averages, weights = zip(*self._pairs, strict=True)
        torch._foreach_lerp_(averages, weights, 1 - decay)
        for average, buffer in self._buffers:
            average.copy_(buffer)
