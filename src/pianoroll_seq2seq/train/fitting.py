"""``fit``: from arguments to a trained model."""

import os
from collections.abc import Sequence
from typing import Literal, get_args

import torch

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.history import History
from pianoroll_seq2seq.models.base import SequenceModel, device_of
from pianoroll_seq2seq.stores.base import Store
from pianoroll_seq2seq.trackers.base import NoTracker, Tracker
from pianoroll_seq2seq.train.events import OnEpoch, OnStep
from pianoroll_seq2seq.train.examples import Examples
from pianoroll_seq2seq.train.interruption import Interruption
from pianoroll_seq2seq.train.loop import Interrupted, Loop, Plan
from pianoroll_seq2seq.train.mirror import Mirror
from pianoroll_seq2seq.train.precision import Precision
from pianoroll_seq2seq.train.run import Judge, Run
from pianoroll_seq2seq.train.run_folder import RunFolder
from pianoroll_seq2seq.train.schedules import Schedule

Monitor = Literal["auto", "train_loss", "valid_loss"]


def fit(
    model: SequenceModel,
    train: Examples,
    valid: Examples | None = None,
    *,
    epochs: int,
    batch_size: int,
    optimizer: torch.optim.Optimizer | None = None,
    schedule: Schedule | None = None,
    clip_norm: float | None = 1.0,
    ema_decay: float | None = None,
    accumulate: int = 1,
    precision: Precision = "auto",
    compile_model: bool = False,
    monitor: Monitor = "auto",
    patience: int | None = None,
    min_delta: float = 0.0,
    on_epoch: Sequence[OnEpoch] = (),
    on_step: Sequence[OnStep] = (),
    tracker: Tracker = NoTracker(),
    checkpoint_dir: str | os.PathLike[str] | None = None,
    checkpoint_seconds: float = 60.0,
    checkpoint_store: Store | None = None,
    resume: bool = True,
    seed: int = 0,
    progress: bool = True,
) -> History:
    """Trains a model, on the device on which it lies; it ends with the weights of its best epoch.

    The loss is the mean of ``-model(inputs, targets).log_prob(targets)`` over frames: nats per frame.

    Ctrl-C and SIGTERM are heeded after the step that is under way: a run with a ``checkpoint_dir`` is saved, and then
    ``KeyboardInterrupt`` or ``SystemExit`` is raised. A second signal does not wait.

    In the processes of ``torchrun`` (see :func:`~pianoroll_seq2seq.train.join_processes`) every one calls ``fit``
    alike: each batch is divided among them, and the first alone shows progress, tracks, writes and calls ``on_epoch``.

    Args:
        model: any sequence model, trained in place.
        train: the windows to learn from, or groups of :class:`~pianoroll_seq2seq.pieces.WholePieces`.
        valid: windows to validate on after every epoch.
        epochs: passes over the training windows.
        batch_size: windows a step, at most, over all processes; an epoch is cut into batches as equal as can be.
        optimizer: over the model's parameters; fused Adam with a learning rate of 0.001 by default.
        schedule: the factor on the learning rate at each step; constant by default.
        clip_norm: the gradient is scaled down to this norm where it is longer; None for never.
        ema_decay: validates, keeps and returns an exponential moving average of the weights, of which this share stays
            at each step; None for the weights themselves.
        accumulate: parts into which each batch is cut, one after another, for want of memory; the step is the same
            (but for batch normalisation, which sees a part at a time).
        precision: ``auto`` is bfloat16 autocast on a GPU that has it, and float32 otherwise. bfloat16 pays on CPUs that
            have it too (AVX512-BF16, AMX), and is refused on those that do not know it.
        compile_model: whether ``torch.compile`` shall fuse what is between the LSTM layers; on a CPU this needs a C++
            compiler.
        monitor: the loss that decides which epoch is best; ``auto`` is validation where there is one.
        patience: ends training after so many epochs in a row in which the monitored loss did not fall; None
            for never.
        min_delta: by how much, in nats per frame, it must fall to count as falling for the patience.
        on_epoch: called after every epoch; one that returns True ends training.
        on_step: called after every step, in every process; one that returns True ends training, as soon as all agree.
        tracker: gets the settings and the losses of every epoch. Whoever made it opens and closes it.
        checkpoint_dir: folder for ``best.safetensors``, ``last.safetensors``, ``previous.safetensors`` and
            ``history.jsonl``.
        checkpoint_seconds: how often to save within an epoch; after every epoch a run is saved in any case.
        checkpoint_store: a store of the run's own, such as ``AzureBlobStore("runs", prefix="scales-1")``, to which
            every checkpoint is sent as well, in the background. A run that begins with an empty ``checkpoint_dir``,
            on another machine, goes on from there. A store that is out of reach meanwhile costs a warning.
        resume: goes on where ``checkpoint_dir`` left off; the result is as if training had never stopped (on a CPU, in
            one process, bit for bit).
        seed: of the order of windows, their variations, and dropout.
        progress: whether to show a progress bar.

    Returns:
        The losses of all epochs, those before a resume included.

    Raises:
        SettingsError: arguments out of range.
        TrainingDivergedError: the loss is no longer a number; checkpoints of earlier epochs stay.
        CheckpointError: ``checkpoint_dir`` or ``checkpoint_store`` holds a run of another model, other data or other
            settings, or only damaged checkpoints, or another process trains there.
        CheckpointWriteError: no space is left; the checkpoint before stays.
        OverwriteError: it or ``checkpoint_store`` holds a run, and ``resume`` is false.
        StoreError: ``checkpoint_store`` cannot be reached at the beginning.

    Example:
        >>> import numpy as np
        >>> from pianoroll_seq2seq import PianoRoll, PitchRange, Seq2SeqLSTM, SlidingWindows
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> windows = SlidingWindows([scale], input_frames=4, target_frames=4, hop=1)
        >>> history = fit(Seq2SeqLSTM(12, hidden=8), windows, epochs=2, batch_size=4, progress=False)
        >>> len(history.train_losses), history.stopped_by
        (2, 'epochs')
    """
    _check_counts(epochs, batch_size, accumulate, patience)
    _check_shares(clip_norm, min_delta, ema_decay, checkpoint_seconds)
    _check_choices(precision, monitor, valid)
    if checkpoint_store is not None and checkpoint_dir is None:
        raise SettingsError("checkpoint_store needs checkpoint_dir: a checkpoint is a file before it is sent.")
    optimizer = optimizer or default_optimizer(model, 1e-3)
    watched = ("valid_loss" if valid is not None else "train_loss") if monitor == "auto" else monitor
    plan = Plan(epochs, batch_size, accumulate, schedule, clip_norm, precision, ema_decay, compile_model, seed)
    with Interruption() as interruption:
        loop = Loop(model, train, optimizer, plan, interruption, on_step)
        first = loop.processes.first
        folder = RunFolder(checkpoint_dir) if checkpoint_dir is not None and first else None
        mirror = Mirror(checkpoint_store, folder) if checkpoint_store is not None and folder is not None else None
        try:
            judge = Judge(watched, patience, min_delta, epochs)
            tracker = tracker if first else NoTracker()
            run = Run(loop, valid, judge, tracker, on_epoch if first else (), folder, mirror, checkpoint_seconds)
            run.begin(resume)
            tracker.log_params(run.settings | {"epochs": epochs, "model": type(model).__name__})
            run.to_its_end(show=progress and first)
            tracker.flush()
        except Interrupted as interrupted:
            saved = "" if folder is None else f"The run is saved in {folder.path}; the same call goes on with it."
            interruption.leave(interrupted.number, saved)
        finally:
            if mirror is not None:
                mirror.close()
            if folder is not None:
                folder.close()
    return run.history


def default_optimizer(model: SequenceModel, rate: float) -> torch.optim.Optimizer:
    """Adam over all weights, fused where the device has it."""
    return torch.optim.Adam(model.parameters(), lr=rate, fused=device_of(model).type in ("cpu", "cuda"))


def _check_counts(epochs: int, batch_size: int, accumulate: int, patience: int | None) -> None:
    if min(epochs, batch_size, accumulate, 1 if patience is None else patience) < 1:
        raise SettingsError(
            f"epochs, batch_size, accumulate and patience must be at least 1: {epochs}, {batch_size}, {accumulate}, "
            f"{patience}."
        )
    if accumulate > batch_size:
        raise SettingsError(f"A batch of {batch_size} windows cannot be cut into {accumulate} parts (accumulate).")


def _check_shares(
    clip_norm: float | None, min_delta: float, ema_decay: float | None, checkpoint_seconds: float
) -> None:
    if not (clip_norm is None or clip_norm > 0) or not min_delta >= 0 or not checkpoint_seconds >= 0:
        raise SettingsError(
            f"clip_norm must be above 0 or None, min_delta and checkpoint_seconds at least 0: {clip_norm}, "
            f"{min_delta}, {checkpoint_seconds}."
        )
    if ema_decay is not None and not 0 < ema_decay < 1:
        raise SettingsError(f"ema_decay must lie in (0, 1), got {ema_decay}.")


def _check_choices(precision: str, monitor: str, valid: Examples | None) -> None:
    if precision not in get_args(Precision) or monitor not in get_args(Monitor):
        raise SettingsError(
            f"precision must be one of {get_args(Precision)} and monitor one of {get_args(Monitor)}, got {precision!r} "
            f"and {monitor!r}."
        )
    if monitor == "valid_loss" and valid is None:
        raise SettingsError("monitor='valid_loss' needs validation windows: fit(model, train, valid, ...).")
