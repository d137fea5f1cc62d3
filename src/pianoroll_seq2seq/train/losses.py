"""The loss over many examples, and the check that it is a number."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq.errors import TrainingDivergedError
from pianoroll_seq2seq.models.contract import SequenceModel, device_of, predict
from pianoroll_seq2seq.models.modes import inference
from pianoroll_seq2seq.train.examples import Examples, check_examples, fetch, frames_to_score, given_frames


def mean_loss(model: SequenceModel, examples: Examples, *, batch_size: int = 256) -> float:
    """The mean of ``-log_prob`` over the target frames of all examples, in nats per frame.

    Raises:
        SettingsError: no examples.
    """
    check_examples(examples, "examples")
    return loss_sum(model, examples, np.arange(len(examples)), batch_size) / examples.num_target_frames


def loss_sum(
    model: SequenceModel,
    examples: Examples,
    indices: np.ndarray,
    batch_size: int,
    after_batch: Callable[[], None] | None = None,
) -> float:
    """The loss summed over the target frames of some examples, in nats.

    Args:
        model: any sequence model.
        examples: to choose from.
        indices: numbers of the examples.
        batch_size: examples at once.
        after_batch: called after each batch; it may raise.
    """
    device = device_of(model)
    total = 0.0
    with inference(model):
        for begin in range(0, len(indices), batch_size):
            batch = indices[begin : begin + batch_size]
            inputs, targets, condition = fetch(examples, batch)
            given = given_frames(examples, batch, torch.cat([inputs, targets], dim=1))
            target_mask = frames_to_score(given, examples.target_mask(batch), inputs.shape[1])
            inputs, targets = inputs.to(device), targets.to(device)
            condition = None if condition is None else condition.to(device)
            log_probs = apply_mask(predict(model, inputs, targets, condition, given).log_prob(targets), target_mask)
            total -= float(log_probs.double().sum())
            if after_batch is not None:
                after_batch()
    return total


def apply_mask(log_probs: Tensor, target_mask: Tensor | None) -> Tensor:
    """The log-probabilities of the frames in the mask, (frames,); all of them, unchanged, without a mask."""
    return log_probs if target_mask is None else log_probs[target_mask.to(log_probs.device)]


def check_finite(loss: float, label: str) -> float:
    """Returns the loss; ``label`` is what an error calls it.

    Raises:
        TrainingDivergedError: the loss is infinite or not a number.
    """
    if not math.isfinite(loss):
        raise TrainingDivergedError(
            f"The loss became {loss} in {label}. Lower the learning rate, set clip_norm, or check the model for "
            f"logarithms of 0. The checkpoints of earlier epochs are unchanged."
        )
    return loss
