"""Which epoch is the best, and when training stops."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pianoroll_seq2seq.train.history import History


@dataclass(frozen=True)
class EarlyStopping:
    """Stops training when the monitored loss has not improved for a number of epochs.

    Args:
        monitor: the loss: ``train_loss`` or ``valid_loss``.
        patience: epochs in a row without improvement after which training stops; None for no limit.
        min_delta: the smallest improvement that counts, in nats per frame.
        epochs: how many epochs there are in all.
    """

    monitor: str
    patience: int | None
    min_delta: float
    epochs: int

    def update(self, history: History, *, stopped: bool) -> History:
        """The history with ``best_epoch`` and ``stopped_by`` as they are after its last epoch.

        Args:
            history: all epochs so far, at least one.
            stopped: whether a callback has stopped training.
        """
        losses = [getattr(epoch, self.monitor) for epoch in history.epochs]
        lowest, waited = math.inf, 0
        for loss in losses:
            waited += 1
            if loss < lowest - self.min_delta:
                lowest, waited = loss, 0
        stopped_by: Literal["epochs", "patience", "callback"] | None = None
        if stopped:
            stopped_by = "callback"
        elif self.patience is not None and waited >= self.patience:
            stopped_by = "patience"
        elif len(losses) == self.epochs:
            stopped_by = "epochs"
        return replace(history, best_epoch=int(np.argmin(losses)) + 1, stopped_by=stopped_by)
