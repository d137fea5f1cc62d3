"""What callbacks are told."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from pianoroll_seq2seq.history import History
from pianoroll_seq2seq.models.base import SequenceModel


@dataclass(frozen=True)
class StepEnd:
    """An optimizer step is done."""

    epoch: int
    """Counted from 1."""
    step: int
    """Optimizer steps since the start of training, this one included."""
    loss: Tensor
    """Nats per frame, the mean over this process's share of the batch; on the device: reading it makes a GPU wait."""
    learning_rate: float
    """With which the step was taken."""


@dataclass(frozen=True)
class EpochEnd:
    """An epoch is done, validation included; its checkpoint is not written yet."""

    history: History
    """All epochs so far; ``history.epochs[-1]`` is this one."""
    model: SequenceModel
    """With the weights that were validated: averaged ones, where ``fit`` was asked for them."""
    folder: Path | None
    """The ``checkpoint_dir`` of the run."""


OnStep = Callable[[StepEnd], bool | None]
"""Called after every step; what returns True ends training here."""

OnEpoch = Callable[[EpochEnd], bool | None]
"""Called after every epoch; what returns True ends training here."""


def ends(answer: object) -> bool:
    """Whether a callback's answer ends training: only True does, Python's or NumPy's."""
    return isinstance(answer, bool | np.bool_) and bool(answer)
