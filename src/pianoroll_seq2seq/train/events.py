"""What callbacks receive."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import Tensor

from pianoroll_seq2seq.models.contract import SequenceModel
from pianoroll_seq2seq.trackers.base import NoTracker, Tracker
from pianoroll_seq2seq.train.history import History


@dataclass(frozen=True)
class StepEnd:
    """The end of an optimizer step."""

    epoch: int
    """Counted from 1."""
    step: int
    """Optimizer steps since the start of training, this one included."""
    loss: Tensor
    """Nats per frame, the mean over this process's share of the batch. It is on the device: reading it makes a GPU
    wait."""
    learning_rate: float
    """The rate of this step."""


@dataclass(frozen=True)
class EpochEnd:
    """The end of an epoch, after validation and before its checkpoint is written."""

    history: History
    """All epochs so far; ``history.epochs[-1]`` is this one."""
    model: SequenceModel
    """The model with the weights that were validated: averaged ones if ``fit`` has an ``ema_decay``."""
    folder: Path | None
    """The ``checkpoint_dir`` of the run."""
    tracker: Tracker = field(default_factory=NoTracker)
    """The tracker of the run, which has the losses of this epoch."""


OnStep = Callable[[StepEnd], bool | None]
"""Called after every step; training stops if it returns True."""

OnEpoch = Callable[[EpochEnd], bool | None]
"""Called after every epoch; training stops if it returns True."""


def should_stop(returned: object) -> bool:
    """Whether the value that a callback returned stops training: only True does, Python's or NumPy's."""
    return isinstance(returned, bool | np.bool_) and bool(returned)
