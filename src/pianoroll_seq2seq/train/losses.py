"""Losses of whole sets of windows, and when a loss is none."""

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor

from pianoroll_seq2seq.errors import TrainingDivergedError
from pianoroll_seq2seq.models.base import SequenceModel, device_of, inference, predict
from pianoroll_seq2seq.train.examples import Examples, fetch


def mean_loss(model: SequenceModel, windows: Examples, *, batch_size: int = 256) -> float:
    """The mean of ``-log_prob`` over the target frames of all windows, in nats per frame."""
    total = loss_sum(model, windows, np.arange(len(windows)), batch_size, go_on)
    return total / windows.frames


def loss_sum(
    model: SequenceModel, windows: Examples, chosen: np.ndarray, batch_size: int, heed: Callable[[], None]
) -> float:
    """The loss summed over the frames of some windows; ``heed`` is called after each batch."""
    device = device_of(model)
    total = 0.0
    with inference(model):
        for begin in range(0, len(chosen), batch_size):
            indices = chosen[begin : begin + batch_size]
            inputs, targets, condition = fetch(windows, indices)
            inputs, targets = inputs.to(device), targets.to(device)
            distribution = predict(model, inputs, targets, None if condition is None else condition.to(device))
            log_probs = only_counted(distribution.log_prob(targets), windows.counted(indices))
            total -= float(log_probs.double().sum())
            heed()
    return total


def only_counted(log_probs: Tensor, counted: Tensor | None) -> Tensor:
    """The log-probabilities of the frames that count, all in a row; as they are where all do."""
    return log_probs if counted is None else log_probs[counted.to(log_probs.device)]


def go_on() -> None:
    """Nothing to heed."""


def finite(loss: float, where: str) -> float:
    """The loss, if it is a number.

    Raises:
        TrainingDivergedError: it is none.
    """
    if not math.isfinite(loss):
        raise TrainingDivergedError(
            f"The loss became {loss} in {where}. Lower the learning rate, keep clip_norm, or check the model for "
            f"logarithms of 0; checkpoints of earlier epochs are as they were."
        )
    return loss
