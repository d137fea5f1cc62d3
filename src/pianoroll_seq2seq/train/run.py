"""A run: its epochs one after another, and what is kept of them."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.checkpoint import optimizers
from pianoroll_seq2seq.checkpoint.files import named, parse, under
from pianoroll_seq2seq.checkpoint.models import put_back
from pianoroll_seq2seq.errors import CheckpointError
from pianoroll_seq2seq.history import Epoch, History
from pianoroll_seq2seq.models.base import SequenceModel
from pianoroll_seq2seq.trackers.base import Tracker
from pianoroll_seq2seq.train.events import EpochEnd, OnEpoch, ends
from pianoroll_seq2seq.train.examples import Examples, condition_size_of
from pianoroll_seq2seq.train.loop import Interrupted, Loop, Progress
from pianoroll_seq2seq.train.mirror import Mirror, Position
from pianoroll_seq2seq.train.run_folder import RunFolder, check_same_run


@dataclass(frozen=True)
class Judge:
    """Which epoch is best, and whether to go on."""

    monitor: str
    patience: int | None
    min_delta: float
    epochs: int

    def after(self, history: History, *, stopped: bool) -> History:
        """The history with its last epoch judged; ``stopped`` says that a callback ended training."""
        losses = [getattr(epoch, self.monitor) for epoch in history.epochs]
        marked, since = math.inf, 0
        for loss in losses:
            since += 1
            if loss < marked - self.min_delta:
                marked, since = loss, 0
        stopped_by: Literal["epochs", "patience", "callback"] | None = None
        if stopped:
            stopped_by = "callback"
        elif self.patience is not None and since >= self.patience:
            stopped_by = "patience"
        elif len(losses) == self.epochs:
            stopped_by = "epochs"
        return replace(history, best_epoch=int(np.argmin(losses)) + 1, stopped_by=stopped_by)


@dataclass
class Run:
    """A run of ``fit``: its epochs, and what is kept of them."""

    loop: Loop
    valid: Examples | None
    judge: Judge
    tracker: Tracker
    on_epoch: Sequence[OnEpoch]
    folder: RunFolder | None
    mirror: Mirror | None
    checkpoint_seconds: float

    def __post_init__(self) -> None:
        """At the very beginning."""
        self.history: History = History()
        self.progress: Progress = Progress(1)
        self.best_weights: dict[str, Tensor] = _copy_weights(self.loop.smoothed)
        self.settings: dict[str, Any] = _settings(self.loop, self.judge.monitor)
        self._saved_at = time.monotonic()

    def begin(self, resume: bool) -> None:
        """Goes back to where the folder's run stood, if there is one."""
        loop = self.loop
        now = {"model": checkpoint.describe(loop.model), "data": _data(loop.train), "run": self.settings}
        if self.mirror is not None:
            self.mirror.fetch(now, resume=resume)
        found = None if self.folder is None else self.folder.found(resume)
        data = loop.processes.told(None if found is None else found[1])
        if data is None:
            return
        label = "the run's checkpoint" if found is None else os.fspath(found[0])
        header, tensors = parse(data, label)
        check_same_run(label, {"model": header["model"], **header["details"]}, now)
        put_back(header, tensors, loop.model, loop.optimizer, label=label)
        try:
            state = header["state"]
            loop.arithmetic.load_state(state["scaler"])
            if loop.average is not None:
                loop.average.model.load_state_dict(under("average", tensors))
            self.best_weights = {name: value.to(loop.device) for name, value in under("best", tensors).items()}
            self.history = History.from_json(header["details"]["history"])
            self.progress = Progress(**state["progress"])
        except (KeyError, TypeError, RuntimeError) as error:
            raise CheckpointError(f"{label}: not the checkpoint of a run of fit ({error!r}).") from error
        if self.history.stopped_by == "epochs" and len(self.history.epochs) < loop.plan.epochs:
            self.history = replace(self.history, stopped_by=None)  # more epochs are asked for than last time
        if self.folder is not None and self.history.epochs and not self.folder.has_whole_best():
            self._write_best()

    def to_its_end(self, *, show: bool) -> None:
        """All epochs that are left."""
        loop, epochs = self.loop, self.loop.plan.epochs
        done = len(self.history.epochs) * loop.steps_per_epoch + self.progress.steps
        total = epochs * loop.steps_per_epoch
        with (
            tqdm(total=total, initial=done, unit="step", disable=not show) as bar,
            torch.random.fork_rng(devices=[loop.device] if loop.device.type == "cuda" else []),
        ):
            try:
                while self.history.stopped_by is None and len(self.history.epochs) < epochs:
                    bar.set_description(f"epoch {self.progress.epoch}/{epochs}")
                    self._epoch(bar)
            except Interrupted:
                self._save()
                raise
        loop.model.load_state_dict(self.best_weights)
        if loop.interruption.received is not None:  # after the last step, and all is saved
            raise Interrupted(loop.interruption.received)

    def _epoch(self, bar: "tqdm[Any]") -> None:
        loop, progress = self.loop, self.progress
        for _ in loop.steps(progress, bar):
            if time.monotonic() - self._saved_at >= self.checkpoint_seconds:
                self._save()
        valid_loss = None if self.valid is None else loop.validation_loss(self.valid, progress)
        train_loss = progress.loss_sum / progress.windows
        step = loop.step_number(progress)
        record = Epoch(progress.epoch, step, train_loss, valid_loss, loop.rate, progress.seconds)
        self.history = self.judge.after(
            replace(self.history, epochs=(*self.history.epochs, record)), stopped=progress.stopped
        )
        if self.history.best_epoch == progress.epoch:
            self.best_weights = _copy_weights(loop.smoothed)
        losses = {"train_loss": train_loss} | ({} if valid_loss is None else {"valid_loss": valid_loss})
        bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()})
        self.tracker.log_metrics(
            losses | {"epoch": float(record.epoch), "learning_rate": record.learning_rate, "seconds": record.seconds},
            step=step,
        )
        self._call_back()
        self.progress = Progress(progress.epoch + 1)
        self._save(after_epoch=True)

    def _call_back(self) -> None:
        path = None if self.folder is None else self.folder.path
        told = EpochEnd(self.history, self.loop.smoothed, path)
        stop = [ends(callback(told)) for callback in self.on_epoch]
        if self.loop.processes.highest(int(any(stop))) and self.history.stopped_by is None:
            self.history = replace(self.history, stopped_by="callback")

    def _save(self, *, after_epoch: bool = False) -> None:
        """Writes what changed; the checkpoint to go on from comes last."""
        folder, loop = self.folder, self.loop
        if folder is None:
            return
        if after_epoch:
            if self.history.best_epoch == len(self.history.epochs):
                self._write_best()
            folder.write_history(self.history)
        values, tensors = optimizers.pack(loop.optimizer)
        tensors |= named("model", loop.model.state_dict()) | named("best", self.best_weights)
        if loop.average is not None:
            tensors |= named("average", loop.average.model.state_dict())
        state = {"progress": asdict(self.progress), "scaler": loop.arithmetic.state()}
        folder.write_state(self._header() | {"optimizer": values, "state": state}, tensors)
        self._saved_at = time.monotonic()
        if self.mirror is not None:
            self.mirror.send(Position(self.progress.epoch, self.progress.steps))

    def _write_best(self) -> None:
        assert self.folder is not None  # the callers saw to it
        self.folder.write_best(self._header(), named("model", self.best_weights))

    def _header(self) -> dict[str, Any]:
        details = {"data": _data(self.loop.train), "run": self.settings, "history": self.history.to_json()}
        return {"model": checkpoint.describe(self.loop.model), "details": details}


def _settings(loop: Loop, watched: str) -> dict[str, Any]:
    """What a resumed run must have in common with the one it continues."""
    plan = loop.plan
    return {
        "seed": plan.seed,
        "batch_size": plan.batch_size,
        "accumulate": plan.accumulate,
        "windows": len(loop.train),
        "optimizer": type(loop.optimizer).__name__,
        "learning_rate": loop.base_rates[0],
        "clip_norm": plan.clip_norm,
        "ema_decay": plan.ema_decay,
        "augmentation": None if loop.train.augmentation is None else repr(loop.train.augmentation),
        # A schedule stretches over all epochs: going on under one means going just as far.
        "scheduled_epochs": None if plan.schedule is None else plan.epochs,
        "monitor": watched,
    }


def _data(windows: Examples) -> Mapping[str, Any]:
    data = {
        "grid": checkpoint.describe(windows.grid),
        "pitches": asdict(windows.pitches),
        "input_frames": windows.input_frames,
        "target_frames": windows.target_frames,
    }
    if windows.frame_size != len(windows.pitches):
        data["onsets"] = True  # only then, so that runs from before there were any go on
    if condition_size_of(windows):
        data["condition_size"] = condition_size_of(windows)
    return data


def _copy_weights(model: SequenceModel) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
