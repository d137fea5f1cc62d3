"""Averaged weights."""

import copy
from typing import Any

import torch

from pianoroll_seq2seq.models.contract import SequenceModel


class AveragedModel:
    """A copy of a model whose weights are the exponential moving average of the model's (Polyak and Juditsky, 1992).

    ``torch.optim.swa_utils`` has one too, but reads a counter on the device at every step, which makes a GPU wait.

    Args:
        model: the model that is trained.
        decay: the share of the average that stays at each step, 0 < decay < 1.
    """

    def __init__(self, model: SequenceModel, decay: float) -> None:
        """Copies the weights as they are."""
        self.model: Any = copy.deepcopy(model)
        self._pairs = list(zip(self.model.parameters(), model.parameters(), strict=True))
        self._buffers = list(zip(self.model.buffers(), model.buffers(), strict=True))  # type: ignore[attr-defined]
        self._decay = decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Adds the model's weights to the average.

        The first steps count more, so that the initial weights are soon forgotten: the decay is at most
        (1 + step) / (10 + step), as in TensorFlow's ExponentialMovingAverage.

        Args:
            step: the number of the step, counted from 1.
        """
        decay = min(self._decay, (1 + step) / (10 + step))
        averages, weights = zip(*self._pairs, strict=True)
        torch._foreach_lerp_(averages, weights, 1 - decay)
        for average, buffer in self._buffers:
            average.copy_(buffer)
