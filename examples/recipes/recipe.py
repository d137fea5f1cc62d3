"""What a recipe is: all that turns pieces into a trained model, in one value.

A recipe is made by a plain function whose arguments are its knobs (:mod:`copying`, :mod:`encoder_decoder`), and
``train`` carries it out with the library's own :func:`~pianoroll_seq2seq.fit`. Change a knob and train again:

    from recipes.copying import copying
    from recipes.recipe import train

    trained = train(copying(train_rolls, dropout=0.2), train_rolls, valid_rolls, seed=1)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from pianoroll_seq2seq import History, PianoRoll, fit
from pianoroll_seq2seq.models.base import SequenceModel
from pianoroll_seq2seq.trackers.base import NoTracker, Tracker
from pianoroll_seq2seq.train import OnEpoch
from pianoroll_seq2seq.train.examples import Examples
from pianoroll_seq2seq.train.precision import Precision, cpu_knows_bfloat16
from pianoroll_seq2seq.train.schedules import cosine_schedule


@dataclass(frozen=True)
class Recipe:
    """A full configuration.

    Args:
        name: what it is called in tables.
        model: makes the model, with new weights, for frames of so many pitches.
        examples: cuts pieces into what it trains on (True) or is validated with (False).
        epochs: passes over the examples.
        batch_size: examples a step.
        input_frames: frames that the model hears before it predicts, for :func:`~pianoroll_seq2seq.likelihood`.
        target_frames: frames that it predicts before it hears anew; None for the whole piece.
        learning_rate: of AdamW, at its highest.
        weight_decay: of matrices alone: neither of biases nor of gains.
        warmup_steps: steps on the way up to the learning rate, from which it falls along half a cosine.
        ema_decay: of the average of the weights that is validated and kept.
        precision: as ``fit`` has it.
    """

    name: str
    model: Callable[[int], nn.Module]
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
    """A model trained by a recipe, and how that went."""

    model: SequenceModel
    history: History
    parameters: int


def quickest() -> Precision:
    """bfloat16 wherever it is known, on a GPU or this CPU: these models learn as well by it, in less time."""
    return "bfloat16" if cpu_knows_bfloat16() else "auto"


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
    """Carries a recipe out; the model ends with the weights of its best epoch on the validation pieces."""
    torch.manual_seed(seed)
    model = recipe.model(len(train_rolls[0].pitches)).to(device)
    assert isinstance(model, SequenceModel)
    examples = recipe.examples(train_rolls, True)
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
    """AdamW (Loshchilov and Hutter, 2019) whose decay pulls on matrices alone."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    others = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98), fused=True)


def sounding(rolls: Sequence[PianoRoll], *, margin: int) -> tuple[int, int]:
    """The first column that sounds in some pieces and the one after the last, and some more to either side."""
    columns = [column for column in range(len(rolls[0].pitches)) if any(roll.active[:, column].any() for roll in rolls)]
    if not columns:
        return 0, len(rolls[0].pitches)
    return max(0, columns[0] - margin), min(len(rolls[0].pitches), columns[-1] + 1 + margin)
