"""A run: its epochs, its checkpoints, and its resumption."""

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import torch
from msgspec import to_builtins
from torch import Tensor

from pianoroll_seq2seq._internal.log import logger
from pianoroll_seq2seq._internal.memory import trim_memory
from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.checkpoint import optimizers
from pianoroll_seq2seq.checkpoint.files import USE_ANOTHER, add_prefix, parse, strip_prefix
from pianoroll_seq2seq.checkpoint.models import load_into, load_weights
from pianoroll_seq2seq.errors import CheckpointError
from pianoroll_seq2seq.models.contract import SequenceModel, dtype_of
from pianoroll_seq2seq.models.modes import training
from pianoroll_seq2seq.trackers.base import Tracker
from pianoroll_seq2seq.train.differences import RESOLVED_PRECISION, check_same_run
from pianoroll_seq2seq.train.early_stopping import EarlyStopping
from pianoroll_seq2seq.train.events import EpochEnd, OnEpoch, should_stop
from pianoroll_seq2seq.train.examples import Examples
from pianoroll_seq2seq.train.history import Epoch, History
from pianoroll_seq2seq.train.identity import describe_optimizer, describe_run, describe_settings, without_numpy
from pianoroll_seq2seq.train.interruption import Interrupted
from pianoroll_seq2seq.train.loop import Loop
from pianoroll_seq2seq.train.progress import Progress
from pianoroll_seq2seq.train.remote_checkpoints import Position, RemoteCheckpoints
from pianoroll_seq2seq.train.run_folder import RunFolder
from pianoroll_seq2seq.train.run_state import RunState, read_state
from pianoroll_seq2seq.train.schedules import schedule_name

_one_at_a_time = threading.RLock()
_TRIM_SECONDS = 5.0
"""How often freed memory is given back. It is soon requested again, which takes some tenths of a second."""


@dataclass
class Run:
    """A run of ``fit``."""

    loop: Loop
    valid: Examples | None
    early_stopping: EarlyStopping
    tracker: Tracker
    on_epoch: Sequence[OnEpoch]
    folder: RunFolder | None
    remote: RemoteCheckpoints | None

    def __post_init__(self) -> None:
        """Sets the state before the first step."""
        self.history: History = History()
        self.progress: Progress = Progress(1)
        self.best_weights: dict[str, Tensor] = _copy_weights(self.loop.averaged_model)
        self.settings: dict[str, Any] = describe_settings(self.loop, self.early_stopping.monitor)
        self._optimizer = describe_optimizer(self.loop)
        self._saved_at = self._trimmed_at = time.monotonic()

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What a resumed run must have in common with this one. It takes a look at all pieces."""
        described = describe_run(self.loop, self.valid)
        run = self.settings | {
            "dtype": str(dtype_of(self.loop.model)),  # a state_dict loads into any type
            RESOLVED_PRECISION: self.loop.mixed_precision.precision,
        }
        whole: dict[str, Any] = without_numpy(described | {"optimizer": self._optimizer, "run": run})
        return whole

    @property
    def params(self) -> dict[str, Any]:
        """The settings for trackers."""
        config, optimizer = self.loop.config, self._optimizer
        return self.settings | {
            "optimizer": optimizer["class"],
            "learning_rate": self.loop.base_rates[0],
            "schedule": schedule_name(config.schedule),
            "epochs": config.epochs,
            "model": type(self.loop.model).__name__,
        }

    def resume(self, allowed: bool) -> None:
        """Restores the state of the folder's or the store's run, if there is one.

        Raises:
            OverwriteError: there is one, and ``allowed`` is false.
            CheckpointError: it is another run, or damaged.
        """
        loop = self.loop
        if self.remote is not None:
            self.remote.fetch(self.identity, resume=allowed, check=self._check_same_run)
        found = None if self.folder is None else self.folder.find_checkpoint(allowed)
        data = loop.processes.broadcast(None if found is None else found[1])
        if data is None:
            return
        label = "the run's checkpoint" if found is None else os.fspath(found[0])
        header, tensors = parse(data, label)
        state, self.history = self._check_same_run(label, header)
        self.progress = state.progress
        load_weights(loop.model, strip_prefix("best", tensors), label=f"{label}, the best model")
        self.best_weights = _copy_weights(loop.model)
        if loop.average is not None:
            load_weights(loop.average.model, strip_prefix("average", tensors), label=f"{label}, the averaged model")
        load_into(header, tensors, loop.model, loop.optimizer, label=label)
        loop.resumed_from = label
        loop.mixed_precision.load_state(None if state.scaler is None else to_builtins(state.scaler))
        self._continue(state.epochs)
        logger.info(
            "resumed from %s: %s epochs and %s steps done", label, len(self.history.epochs), self.progress.steps
        )
        if self.folder is not None and self.history.epochs and not self.folder.has_valid_best():
            self._write_best()

    def _check_same_run(self, label: str, header: Mapping[str, Any]) -> tuple[RunState, History]:
        """How far the run of a checkpoint is, and its epochs, if it is this run."""
        loop = self.loop
        state, history = read_state(header, label)
        done = state.progress
        check_same_run(
            label,
            {"model": header["model"], **header["details"]},
            self.identity,
            schedule=loop.config.schedule,
            steps=len(history.epochs) * loop.steps_per_epoch + min(done.steps, loop.steps_per_epoch),
        )
        if done.steps > loop.steps_per_epoch or done.windows > len(loop.train):
            raise CheckpointError(
                f"{label}: not the checkpoint of a run of fit: it has done {done.steps} steps of epoch {done.epoch} "
                f"with {done.windows} examples, which has {loop.steps_per_epoch} and {len(loop.train)}. {USE_ANOTHER}"
            )
        return state, history

    def _continue(self, planned: int) -> None:
        """Lets a finished run go on if ``fit`` was called with more epochs or more patience than before.

        Args:
            planned: the epochs of the call before.
        """
        history, epochs = self.history, self.loop.config.epochs
        more = len(history.epochs) < epochs
        if history.stopped_by in ("epochs", "patience") and more:
            self.history = self.early_stopping.update(replace(history, stopped_by=None), stopped=False)
        elif history.stopped_by == "callback" and more and epochs > planned:
            self.history = replace(history, stopped_by=None)
        elif history.stopped_by is None and history.epochs and not more:
            self.history = replace(history, stopped_by="epochs")

    def train(self, *, show: bool) -> None:
        """Trains all remaining epochs; ``show`` shows a progress bar.

        Raises:
            Interrupted: a signal came; the run is saved.
            TrainingDivergedError: the loss is no longer a number.
            ModelInUseError: another thread uses the model.
        """
        loop, epochs = self.loop, self.loop.config.epochs
        done = len(self.history.epochs) * loop.steps_per_epoch + self.progress.steps
        total = epochs * loop.steps_per_epoch
        with (
            training(loop.model),
            _alone(loop),
            tqdm(total=total, initial=done, unit="step", disable=not show) as bar,
            torch.random.fork_rng(devices=[loop.device] if loop.device.type == "cuda" else []),
        ):
            try:
                while self.history.stopped_by is None and len(self.history.epochs) < epochs:
                    bar.set_description(f"epoch {self.progress.epoch}/{epochs}")
                    self._train_epoch(bar)
            except Interrupted:
                self._save()
                raise
        logger.info("stopped by %s, best epoch %s", self.history.stopped_by, self.history.best_epoch)
        loop.model.load_state_dict(self.best_weights)
        loop.check_interrupt()  # a signal after the last step: all is saved

    def _train_epoch(self, bar: "tqdm[Any]") -> None:
        loop, progress = self.loop, self.progress
        for _ in loop.steps(progress, bar):
            if time.monotonic() - self._trimmed_at >= _TRIM_SECONDS:
                trim_memory()
                self._trimmed_at = time.monotonic()
            if time.monotonic() - self._saved_at >= loop.config.checkpoint_seconds:
                self._save()
        valid_loss = None if self.valid is None else loop.validation_loss(self.valid, progress)
        train_loss = progress.loss_sum / progress.windows
        step = loop.step_number(progress)
        rate = loop.learning_rate(step - 1)
        record = Epoch(progress.epoch, step, train_loss, valid_loss, rate, progress.seconds)
        self.history = self.early_stopping.update(
            replace(self.history, epochs=(*self.history.epochs, record)), stopped=progress.stopped
        )
        if self.history.best_epoch == progress.epoch:
            self.best_weights = _copy_weights(loop.averaged_model)
        self._log(record, bar)
        self._call_on_epoch()
        self.progress = Progress(progress.epoch + 1)
        self._save(after_epoch=True)

    def _log(self, record: Epoch, bar: "tqdm[Any]") -> None:
        losses = {"train_loss": record.train_loss}
        if record.valid_loss is not None:
            losses["valid_loss"] = record.valid_loss
        shown = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
        logger.info("epoch %s of %s: %s (%.1f s)", record.epoch, self.loop.config.epochs, shown, record.seconds)
        bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()})
        self.tracker.log_metrics(
            losses | {"epoch": float(record.epoch), "learning_rate": record.learning_rate, "seconds": record.seconds},
            step=record.step,
        )

    def _call_on_epoch(self) -> None:
        folder = None if self.folder is None else self.folder.path
        event = EpochEnd(self.history, self.loop.averaged_model, folder, self.tracker)
        stop = [should_stop(callback(event)) for callback in self.on_epoch]
        if self.loop.processes.all_reduce_max(int(any(stop))) and self.history.stopped_by is None:
            self.history = replace(self.history, stopped_by="callback")

    def _save(self, *, after_epoch: bool = False) -> None:
        """Writes the files that have changed. The checkpoint comes last: it says how far the others are."""
        folder, loop = self.folder, self.loop
        if folder is None:
            return
        if after_epoch:
            if self.history.best_epoch == len(self.history.epochs):
                self._write_best()
            folder.write_history(self.history)
        values, tensors = optimizers.pack(loop.optimizer)
        tensors |= add_prefix("model", loop.model.state_dict()) | add_prefix("best", self.best_weights)
        if loop.average is not None:
            tensors |= add_prefix("average", loop.average.model.state_dict())
        state = {
            "progress": asdict(self.progress),
            "scaler": loop.mixed_precision.state(),
            "epochs": loop.config.epochs,
        }
        folder.write_checkpoint(self._header() | {"optimizer": values, "state": state}, tensors)
        self._saved_at = time.monotonic()
        if self.remote is not None:
            self.remote.send(Position(self.progress.epoch, self.progress.steps))

    def _write_best(self) -> None:
        assert self.folder is not None  # the callers have checked it
        self.folder.write_best(self._header(), add_prefix("model", self.best_weights))

    def _header(self) -> dict[str, Any]:
        identity = self.identity
        details = {key: identity[key] for key in ("data", "optimizer", "schedule", "run")}
        details["history"] = self.history.to_json()
        return {"model": identity["model"], "details": details}


@contextmanager
def _alone(loop: Loop) -> Iterator[None]:
    """A context in which no other thread trains: all would draw from PyTorch's one sequence of random numbers.

    Raises:
        Interrupted: a signal came while it waited for the other training to end.
    """
    if not _one_at_a_time.acquire(blocking=False):
        logger.warning("fit waits until the training in another thread ends. Train in several processes instead.")
        while not _one_at_a_time.acquire(timeout=0.1):
            loop.check_interrupt()
    try:
        yield
    finally:
        _one_at_a_time.release()


def _copy_weights(model: SequenceModel) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
