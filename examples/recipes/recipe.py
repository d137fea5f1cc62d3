"""A recipe: everything that turns pieces into a trained model, in one value.

A recipe is made by a plain function whose arguments are its hyperparameters (:mod:`copying`, :mod:`encoder_decoder`).
``train`` trains its model with the library's :func:`~pianoroll_seq2seq.fit`. Change a hyperparameter and train again:

    from recipes.copying import copying
    from recipes.recipe import train

    trained = train(copying(train_rolls, dropout=0.2), train_rolls, valid_rolls, seed=1)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from pianoroll_seq2seq import FrameLayout, History, PianoRoll, SequenceModel, cosine_schedule, fit
from pianoroll_seq2seq.trackers.base import NoTracker, Tracker
from pianoroll_seq2seq.train import OnEpoch
from pianoroll_seq2seq.train.examples import Examples
from pianoroll_seq2seq.train.precision import Precision, cpu_has_bfloat16


@dataclass(frozen=True)
class Recipe:
    """A full configuration.

    Args:
        name: its name in tables.
        model: builds the model, with new weights, from the layout of the examples.
        examples: cuts pieces into examples, for training (True) or for validation (False).
        epochs: passes over the examples.
        batch_size: examples per step.
        input_frames: input frames of the model, for :func:`~pianoroll_seq2seq.likelihood`.
        target_frames: frames that it predicts from one input; None for the whole piece.
        learning_rate: highest learning rate of AdamW.
        weight_decay: of matrices only, not of biases and gains.
        warmup_steps: steps of warm-up. After them the learning rate follows half a cosine.
        ema_decay: decay of the averaged weights, which are validated and kept.
        precision: see ``fit``.
    """

    name: str
    model: Callable[[FrameLayout], nn.Module]
    examples: Callable[[Sequence[PianoRoll], bool], Examples]
    epochs: int
    batch_size: int
    input_frames: int = 0
    target_frames: int | None = None
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warmup_steps: int = 100
    ema_decay: float | None = 0.995
    precision: Precision = "auto"


@dataclass(frozen=True)
class Trained:
    """A model trained by a recipe.

    Args:
        model: the model, with the weights of its best epoch.
        history: the losses of the training.
        num_parameters: the number of its parameters.
    """

    model: SequenceModel
    history: History
    num_parameters: int


def fastest_precision() -> Precision:
    """bfloat16 on a GPU, or on a CPU that supports it: these models learn as well with it, in less time."""
    return "bfloat16" if cpu_has_bfloat16() else "auto"


def train(
    recipe: Recipe,
    train_rolls: Sequence[PianoRoll],
    valid_rolls: Sequence[PianoRoll],
    *,
    seed: int,
    device: str = "cpu",
    checkpoint_dir: Path | None = None,
    tracker: Tracker = NoTracker(),
    on_epoch: Sequence[OnEpoch] = (),
    progress: bool = True,
) -> Trained:
    """Trains the model of a recipe. It ends with the weights of its best epoch on the validation pieces."""
    examples = recipe.examples(train_rolls, True)
    torch.manual_seed(seed)
    model = recipe.model(examples.layout).to(device)
    assert isinstance(model, SequenceModel)
    steps = recipe.epochs * -(-len(examples) // recipe.batch_size)
    history = fit(
        model,
        examples,
        recipe.examples(valid_rolls, False),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        optimizer=adamw(model, recipe.learning_rate, recipe.weight_decay),
        schedule=cosine_schedule(warmup=min(0.3, recipe.warmup_steps / steps)),
        ema_decay=recipe.ema_decay,
        precision=recipe.precision,
        checkpoint_dir=checkpoint_dir,
        tracker=tracker,
        on_epoch=on_epoch,
        seed=seed,
        progress=progress,
    )
    return Trained(model, history, sum(parameter.numel() for parameter in model.parameters()))


def adamw(model: SequenceModel, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter, 2019) with weight decay of matrices only."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    others = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98), fused=True)


def active_columns(rolls: Sequence[PianoRoll], *, margin: int) -> tuple[int, int]:
    """The first column that is active in any piece and the one after the last, extended by ``margin`` on both sides."""
    columns = [column for column in range(len(rolls[0].pitches)) if any(roll.active[:, column].any() for roll in rolls)]
    if not columns:
        return 0, len(rolls[0].pitches)
    return max(0, columns[0] - margin), min(len(rolls[0].pitches), columns[-1] + 1 + margin)
