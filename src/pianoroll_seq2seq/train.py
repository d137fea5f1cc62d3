"""The training loop."""

import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.errors import CheckpointError, OverwriteError, SettingsError, TrainingDivergedError
from pianoroll_seq2seq.history import Epoch, History
from pianoroll_seq2seq.models.base import SequenceModel, device_of, inference
from pianoroll_seq2seq.trackers.base import NoTracker, Tracker
from pianoroll_seq2seq.windowing import SlidingWindows

Schedule = Callable[[int, int], float]
"""(step, total steps) to the factor on the learning rate, a plain function, so resuming needs no state."""

Precision = Literal["auto", "float32", "bfloat16"]

_STEPS_BETWEEN_CHECKS = 20
"""How often the loss is fetched: fetching it makes a GPU wait."""


def cosine_schedule(warmup: float = 0.05) -> Schedule:
    """Up in a straight line, then down to nothing along half a cosine.

    After Loshchilov and Hutter, 2017 (https://arxiv.org/abs/1608.03983), without restarts.

    Args:
        warmup: share of the steps on the way up, 0 <= warmup < 1.

    Example:
        >>> schedule = cosine_schedule(warmup=0.1)
        >>> [round(schedule(step, 100), 3) for step in (0, 9, 10, 55, 99)]
        [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    if not 0 <= warmup < 1:
        raise SettingsError(f"warmup must lie in [0, 1), got {warmup}.")

    def factor(step: int, total: int) -> float:
        up = round(warmup * total)
        if step < up:
            return (step + 1) / up
        return 0.5 * (1 + math.cos(math.pi * (step - up) / max(1, total - up)))

    return factor


def fit(
    model: SequenceModel,
    train: SlidingWindows,
    valid: SlidingWindows | None = None,
    *,
    epochs: int,
    batch_size: int,
    optimizer: torch.optim.Optimizer | None = None,
    schedule: Schedule | None = None,
    clip_norm: float | None = 1.0,
    precision: Precision = "auto",
    monitor: Literal["auto", "train_loss", "valid_loss"] = "auto",
    patience: int | None = None,
    min_delta: float = 0.0,
    tracker: Tracker = NoTracker(),
    checkpoint_dir: str | os.PathLike[str] | None = None,
    resume: bool = True,
    seed: int = 0,
    progress: bool = True,
) -> History:
    """Trains a model, on the device on which it lies; it ends with the weights of its best epoch.

    The loss is the mean of ``-model(inputs, targets).log_prob(targets)`` over frames: nats per frame.

    Args:
        model: any sequence model, trained in place.
        train: the windows to learn from.
        valid: windows to validate on after every epoch.
        epochs: passes over the training windows.
        batch_size: windows a step, at most; an epoch is cut into batches as equal as can be.
        optimizer: over the model's parameters; Adam with a learning rate of 0.001 by default.
        schedule: the factor on the learning rate at each step; constant by default.
        clip_norm: the gradient is scaled down to this norm where it is longer; None for never.
        precision: ``auto`` is bfloat16 autocast on a GPU that has it, and float32 otherwise.
        monitor: the loss that decides which epoch is best; ``auto`` is validation where there is one.
        patience: ends training after so many epochs in a row in which the monitored loss did not fall; None
            for never.
        min_delta: by how much, in nats per frame, it must fall to count as falling for the patience.
        tracker: gets the settings and the losses of every epoch. Whoever made it opens and closes it.
        checkpoint_dir: folder for ``best.safetensors``, ``last.safetensors`` and ``history.jsonl``.
        resume: goes on where ``checkpoint_dir`` left off, after its last whole epoch; the result is as if
            training had never stopped (on a CPU, bit for bit).
        seed: of the order of windows and of dropout.
        progress: whether to show a progress bar.

    Returns:
        The losses of all epochs, those before a resume included.

    Raises:
        SettingsError: arguments out of range.
        TrainingDivergedError: the loss is no longer a number; checkpoints of earlier epochs stay.
        CheckpointError: ``checkpoint_dir`` holds a run of another model, other data or other settings.
        OverwriteError: it holds a run, and ``resume`` is false.
    """
    if min(epochs, batch_size, 1 if patience is None else patience) < 1:
        raise SettingsError(f"epochs, batch_size and patience must be at least 1: {epochs}, {batch_size}, {patience}.")
    if not (clip_norm is None or clip_norm > 0) or not min_delta >= 0:
        raise SettingsError(f"clip_norm must be above 0 or None, and min_delta at least 0: {clip_norm}, {min_delta}.")
    if precision not in get_args(Precision) or monitor not in ("auto", "train_loss", "valid_loss"):
        raise SettingsError(
            f"precision must be one of {get_args(Precision)} and monitor 'auto', 'train_loss' or 'valid_loss', got "
            f"{precision!r} and {monitor!r}."
        )
    if monitor == "valid_loss" and valid is None:
        raise SettingsError("monitor='valid_loss' needs validation windows: fit(model, train, valid, ...).")
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=1e-3)
    watched = ("valid_loss" if valid is not None else "train_loss") if monitor == "auto" else monitor
    loop = _Loop(model, train, optimizer, schedule, clip_norm, precision, epochs, batch_size, seed)
    stop = _Stop(watched, patience, min_delta)
    settings = loop.settings() | {"monitor": watched}
    run = _RunFolder(Path(checkpoint_dir), loop, settings) if checkpoint_dir is not None else None
    history = run.begin(resume) if run is not None else History()
    best_weights = _copy_weights(model) if run is None or not history.epochs else run.best_weights()
    tracker.log_params(settings | {"epochs": epochs, "model": type(model).__name__})

    done = len(history.epochs)
    bar = tqdm(
        total=epochs * loop.steps_per_epoch, initial=done * loop.steps_per_epoch, unit="step", disable=not progress
    )
    with bar, torch.random.fork_rng(devices=[loop.device] if loop.device.type == "cuda" else []):
        while history.stopped_by is None and len(history.epochs) < epochs:
            number = len(history.epochs) + 1
            bar.set_description(f"epoch {number}/{epochs}")
            begun = time.perf_counter()
            train_loss = loop.epoch(number, bar)
            valid_loss = None if valid is None else mean_loss(model, valid, batch_size=batch_size)
            _check_finite(valid_loss, f"validation after epoch {number}")
            record = Epoch(
                number, number * loop.steps_per_epoch, train_loss, valid_loss, loop.rate, time.perf_counter() - begun
            )
            history = stop.after(replace(history, epochs=(*history.epochs, record)), last=number == epochs)
            losses = {"train_loss": train_loss} | ({} if valid_loss is None else {"valid_loss": valid_loss})
            bar.set_postfix({name: f"{value:.3f}" for name, value in losses.items()})
            tracker.log_metrics(
                losses | {"epoch": float(number), "learning_rate": record.learning_rate, "seconds": record.seconds},
                step=record.step,
            )
            if history.best_epoch == number:
                best_weights = _copy_weights(model)
            if run is not None:
                run.keep(history)
    model.load_state_dict(best_weights)
    tracker.flush()
    return history


def mean_loss(model: SequenceModel, windows: SlidingWindows, *, batch_size: int = 256) -> float:
    """The mean of ``-log_prob`` over the target frames of all windows, in nats per frame."""
    device = device_of(model)
    total = 0.0
    with inference(model):
        for begin in range(0, len(windows), batch_size):
            inputs, targets = windows.batch(np.arange(begin, min(begin + batch_size, len(windows))))
            targets = targets.to(device)
            total -= float(model(inputs.to(device), targets).log_prob(targets).double().sum())
    return total / (len(windows) * windows.target_frames)


@dataclass
class _Loop:
    """The steps of training: what happens between two epochs is not its business."""

    model: SequenceModel
    train: SlidingWindows
    optimizer: torch.optim.Optimizer
    schedule: Schedule | None
    clip_norm: float | None
    precision: Precision
    epochs: int
    batch_size: int
    seed: int

    def __post_init__(self) -> None:
        self.device = device_of(self.model)
        self.steps_per_epoch = math.ceil(len(self.train) / self.batch_size)
        self.variations = np.random.default_rng(self.seed)  # each epoch has its own
        self.base_rates = [float(group.setdefault("initial_lr", group["lr"])) for group in self.optimizer.param_groups]

    @property
    def rate(self) -> float:
        """The learning rate now."""
        return float(self.optimizer.param_groups[0]["lr"])

    def settings(self) -> dict[str, Any]:
        """What a resumed run must have in common with the one it continues."""
        return {
            "seed": self.seed,
            "batch_size": self.batch_size,
            "windows": len(self.train),
            "optimizer": type(self.optimizer).__name__,
            "learning_rate": self.base_rates[0],
            "clip_norm": self.clip_norm,
            "augmentation": None if self.train.augmentation is None else repr(self.train.augmentation),
            # A schedule stretches over all epochs: going on under one means going just as far.
            "scheduled_epochs": None if self.schedule is None else self.epochs,
        }

    def epoch(self, number: int, bar: "tqdm[Any]") -> float:
        """All windows once, in an order of the epoch's own; the mean loss."""
        self._seed(int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0]))
        order = np.random.default_rng([self.seed, number]).permutation(len(self.train))
        self.variations = np.random.default_rng([self.seed, number, 1])
        # Batches as equal as can be: a last one of a single window would break batch normalisation.
        batches = np.array_split(order, self.steps_per_epoch)
        self.model.train()
        total = 0.0
        pending = torch.zeros((), device=self.device)
        for index, picked in enumerate(batches):
            step = (number - 1) * self.steps_per_epoch + index
            pending += self.step(step, picked) * len(picked)
            bar.update()
            if (index + 1) % _STEPS_BETWEEN_CHECKS == 0 or index + 1 == self.steps_per_epoch:
                _check_finite(float(pending), f"epoch {number}, by step {step + 1}")
                total += float(pending)
                pending.zero_()
        return total / len(self.train)

    def _seed(self, seed: int) -> None:
        """Seeds dropout on the device of this run, and on no other."""
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            with torch.cuda.device(self.device):
                torch.cuda.manual_seed(seed)

    def step(self, step: int, picked: np.ndarray) -> Tensor:
        """One update; the loss of its batch, still on the device."""
        for group, rate in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = rate * (
                1.0 if self.schedule is None else self.schedule(step, self.epochs * self.steps_per_epoch)
            )
        inputs, targets = (
            half.to(self.device, non_blocking=True) for half in self.train.batch(picked, generator=self.variations)
        )
        with _autocast(self.device, self.precision):
            loss: Tensor = -self.model(inputs, targets).log_prob(targets).mean()
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        if self.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimizer.step()
        return loss.detach()


@dataclass(frozen=True)
class _Stop:
    """Which epoch is best, and whether to go on."""

    monitor: str
    patience: int | None
    min_delta: float

    def after(self, history: History, *, last: bool) -> History:
        losses = [getattr(epoch, self.monitor) for epoch in history.epochs]
        best_epoch = int(np.argmin(losses)) + 1
        marked, since = math.inf, 0
        for loss in losses:
            since += 1
            if loss < marked - self.min_delta:
                marked, since = loss, 0
        if self.patience is not None and since >= self.patience:
            return replace(history, best_epoch=best_epoch, stopped_by="patience")
        return replace(history, best_epoch=best_epoch, stopped_by="epochs" if last else None)


class _RunFolder:
    """The checkpoints and the history of a run, and how to go on from them."""

    def __init__(self, folder: Path, loop: _Loop, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        self.loop = loop
        self.settings = settings
        self.best = folder / "best.safetensors"
        self.last = folder / "last.safetensors"

    def begin(self, resume: bool) -> History:
        """The history so far; with weights and optimizer as they were at its end."""
        if not self.last.exists():
            return History()
        if not resume:
            raise OverwriteError(
                f"{self.folder} holds a run already. Choose another checkpoint_dir, or pass resume=True to go on."
            )
        header = checkpoint.read_header(self.last)
        now = {"model": checkpoint.describe(self.loop.model), **self._details()}
        before = {"model": header["model"], **header["details"]}
        for key in ("model", "data", "run"):
            if before.get(key) != now[key]:
                raise CheckpointError(
                    f"{self.last}: cannot go on with this run. Its {key}: {before.get(key)}; now: {now[key]}. "
                    f"Choose another checkpoint_dir, or train with the same settings."
                )
        details = checkpoint.restore(self.last, self.loop.model, self.loop.optimizer)
        history = History.from_json(details["history"])
        if history.stopped_by == "epochs" and len(history.epochs) < self.loop.epochs:
            return replace(history, stopped_by=None)  # more epochs are asked for than last time
        return history

    def keep(self, history: History) -> None:
        """Writes what an epoch changed; the checkpoint to go on from comes last."""
        details = self._details() | {"history": history.to_json()}
        if history.best_epoch == len(history.epochs):
            checkpoint.save(self.loop.model, self.best, details=details, overwrite=True)
        history.save(self.folder / "history.jsonl")
        checkpoint.save(self.loop.model, self.last, details=details, optimizer=self.loop.optimizer, overwrite=True)

    def best_weights(self) -> dict[str, Tensor]:
        """The weights of the best epoch, read from its checkpoint; the model keeps those it has."""
        present = _copy_weights(self.loop.model)
        checkpoint.restore(self.best, self.loop.model)
        best = _copy_weights(self.loop.model)
        self.loop.model.load_state_dict(present)
        return best

    def _details(self) -> dict[str, Any]:
        windows = self.loop.train
        data: Mapping[str, Any] = {
            "grid": checkpoint.describe(windows.grid),
            "pitches": asdict(windows.pitches),
            "input_frames": windows.input_frames,
            "target_frames": windows.target_frames,
        }
        return {"data": data, "run": self.settings}


def _copy_weights(model: SequenceModel) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _autocast(device: torch.device, precision: Precision) -> AbstractContextManager[Any]:
    able = device.type == "cuda" and torch.cuda.is_bf16_supported()
    enabled = precision == "bfloat16" or (precision == "auto" and able)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def _check_finite(loss: float | None, where: str) -> None:
    if loss is not None and not math.isfinite(loss):
        raise TrainingDivergedError(
            f"The loss became {loss} in {where}. Lower the learning rate, keep clip_norm, or check the model for "
            f"logarithms of 0; checkpoints of earlier epochs are as they were."
        )
