"""The search for a learning rate."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from pianoroll_seq2seq._internal.display_hook import plot_of
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.contract import SequenceModel
from pianoroll_seq2seq.train.events import StepEnd
from pianoroll_seq2seq.train.examples import Examples, check_examples
from pianoroll_seq2seq.train.fitting import fit
from pianoroll_seq2seq.train.optimizers import default_optimizer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DIVERGED = 4.0
"""The search ends at this multiple of the lowest smoothed loss."""


@dataclass(frozen=True)
class LearningRates:
    """Losses at rising learning rates.

    Args:
        rates: in rising order.
        losses: after a step with each rate, in nats per frame, smoothed.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]

    def __repr__(self) -> str:
        """The range of the rates, and the suggestion."""
        ends = f"{self.rates[0]:.3g} to {self.rates[-1]:.3g}, " if self.rates else ""
        suggestion = f", suggestion {self.suggestion:.3g}" if self.losses else ""
        return f"LearningRates({ends}{len(self.rates)} steps{suggestion})"

    @property
    def suggestion(self) -> float:
        """A tenth of the rate with the lowest loss, beyond which the loss soon rises."""
        return self.rates[int(np.argmin(self.losses))] / 10

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draws the curve; see :func:`pianoroll_seq2seq.display.plot.plot_learning_rates`."""
        return plot_of(self, ax=ax)


def find_learning_rate(
    model: SequenceModel,
    train: Examples,
    *,
    batch_size: int,
    lowest: float = 1e-5,
    highest: float = 1.0,
    steps: int = 100,
    optimizer: Callable[[SequenceModel, float], torch.optim.Optimizer] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> LearningRates:
    """Tries learning rates from low to high, one a step, on a copy of the model.

    After Smith, 2017 (https://arxiv.org/abs/1506.01186). It ends early when the loss is four times the best.

    Args:
        model: unchanged.
        train: windows to train on.
        batch_size: windows of a step.
        lowest: the first rate.
        highest: the last rate.
        steps: how many rates to try, at equal ratios; at least 3.
        optimizer: makes an optimizer from a model and a rate; fused Adam by default.
        seed: of the order of windows and of dropout.
        progress: whether to show a progress bar.

    Raises:
        SettingsError: rates or steps out of range.

    Example:
        >>> import numpy as np
        >>> from pianoroll_seq2seq import PianoRoll, PitchRange, Seq2SeqLSTM, SlidingWindows
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> windows = SlidingWindows([scale], input_frames=4, target_frames=4, hop=1)
        >>> model = Seq2SeqLSTM(windows.layout, hidden_size=8)
        >>> rates = find_learning_rate(model, windows, batch_size=4, progress=False)
        >>> rates.suggestion > 0
        True
    """
    if not 0 < lowest < highest or steps < 3:
        raise SettingsError(
            f"The rates must rise (0 < lowest < highest) in at least 3 steps, got lowest={lowest}, highest={highest}, "
            f"steps={steps}."
        )
    check_examples(train, "train")
    trial = copy.deepcopy(model)
    rates: list[float] = []
    losses: list[float] = []

    def note(step: StepEnd) -> bool:
        loss = float(step.loss)
        if not math.isfinite(loss):
            return True
        if losses:
            loss = 0.9 * losses[-1] + 0.1 * loss if len(losses) > 1 else 0.5 * (losses[-1] + loss)
        rates.append(step.learning_rate)
        losses.append(loss)
        return len(losses) == steps or loss > _DIVERGED * min(losses)

    ratio = (highest / lowest) ** (1 / (steps - 1))
    make = optimizer or default_optimizer
    fit(
        trial,
        train,
        epochs=math.ceil(steps / math.ceil(len(train) / batch_size)),
        batch_size=batch_size,
        optimizer=make(trial, lowest),
        schedule=lambda step, _: ratio ** min(step, steps - 1),
        on_step=[note],
        seed=seed,
        progress=progress,
    )
    return LearningRates(tuple(rates), tuple(losses))
