"""Losses of whole sets of windows, and when a loss is none."""

import math
from collections.abc import Callable

import numpy as np

from pianoroll_seq2seq.errors import TrainingDivergedError
from pianoroll_seq2seq.models.base import SequenceModel, device_of, inference
from pianoroll_seq2seq.windowing import SlidingWindows


def mean_loss(model: SequenceModel, windows: SlidingWindows, *, batch_size: int = 256) -> float:
    """The mean of ``-log_prob`` over the target frames of all windows, in nats per frame."""
    total = loss_sum(model, windows, np.arange(len(windows)), batch_size, go_on)
    return total / (len(windows) * windows.target_frames)


def loss_sum(
    model: SequenceModel, windows: SlidingWindows, chosen: np.ndarray, batch_size: int, heed: Callable[[], None]
) -> float:
    """The loss summed over the frames of some windows; ``heed`` is called after each batch."""
    device = device_of(model)
    total = 0.0
    with inference(model):
        for begin in range(0, len(chosen), batch_size):
            inputs, targets = (half.to(device) for half in windows.batch(chosen[begin : begin + batch_size]))
            total -= float(model(inputs, targets).log_prob(targets).double().sum())
            heed()
    return total


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
