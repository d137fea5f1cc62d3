"""How to train: the numbers among the arguments of ``fit``."""

from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np

from pianoroll_seq2seq._internal.whole_numbers import is_whole
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.train.precision import Precision
from pianoroll_seq2seq.train.schedules import Schedule

Monitor = Literal["auto", "train_loss", "valid_loss"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The arguments of :func:`~pianoroll_seq2seq.train.fit` that are numbers or choices, validated.

    Raises:
        SettingsError: an argument out of range.
    """

    epochs: int
    """Passes over the training examples."""
    batch_size: int
    """Examples of a step, at most, over all processes."""
    accumulate: int = 1
    """Parts into which each batch is cut."""
    schedule: Schedule | None = None
    """The factor on the learning rate at each step; None for a constant rate."""
    clip_norm: float | None = 1.0
    """The largest norm of the gradient; None for any."""
    precision: Precision = "auto"
    """Of the forward pass."""
    ema_decay: float | None = None
    """Share of the averaged weights that stays at each step; None for no averaging."""
    compile_model: bool = False
    """Whether to use ``torch.compile``."""
    monitor: Monitor = "auto"
    """The loss that decides which epoch is best."""
    patience: int | None = None
    """Epochs without improvement after which training stops; None for no limit."""
    min_delta: float = 0.0
    """The smallest improvement that counts for the patience, in nats per frame."""
    checkpoint_seconds: float = 60.0
    """Time between two checkpoints within an epoch."""
    seed: int = 0
    """Of the order of examples, their augmentation, and dropout."""

    def __post_init__(self) -> None:
        """Validates the arguments. Numbers of NumPy become Python's, which a checkpoint can hold."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.generic):
                object.__setattr__(self, field.name, value.item())
        self._check_counts()
        self._check_ranges()
        if self.precision not in get_args(Precision) or self.monitor not in get_args(Monitor):
            raise SettingsError(
                f"precision must be one of {get_args(Precision)} and monitor one of {get_args(Monitor)}, got "
                f"{self.precision!r} and {self.monitor!r}."
            )

    def _check_counts(self) -> None:
        counts = (self.epochs, self.batch_size, self.accumulate, 1 if self.patience is None else self.patience)
        if min(counts) < 1:
            raise SettingsError(
                f"epochs, batch_size, accumulate and patience must be at least 1, got {self.epochs}, "
                f"{self.batch_size}, {self.accumulate} and {self.patience}."
            )
        if self.accumulate > self.batch_size:
            raise SettingsError(
                f"A batch of {self.batch_size} examples cannot be cut into {self.accumulate} parts (accumulate). "
                f"Choose accumulate <= batch_size."
            )

    def _check_ranges(self) -> None:
        if not is_whole(self.seed) or self.seed < 0:
            raise SettingsError(f"seed must be an integer, at least 0, got {self.seed!r}.")
        positive_norm = self.clip_norm is None or self.clip_norm > 0
        if not positive_norm or not self.min_delta >= 0 or not self.checkpoint_seconds >= 0:
            raise SettingsError(
                f"clip_norm must be above 0 or None, min_delta and checkpoint_seconds at least 0, got "
                f"{self.clip_norm}, {self.min_delta} and {self.checkpoint_seconds}."
            )
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise SettingsError(f"ema_decay must be above 0 and below 1, got {self.ema_decay}.")
