"""``fit``: from arguments to a trained model."""

import contextlib
import os
from collections.abc import Sequence
from contextlib import ExitStack

import torch

from pianoroll_seq2seq._internal.memory import kept_memory
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.contract import SequenceModel
from pianoroll_seq2seq.models.devices import check_trainable, move_model
from pianoroll_seq2seq.stores.base import Store
from pianoroll_seq2seq.trackers.base import NoTracker, Tracker
from pianoroll_seq2seq.trackers.best_effort import BestEffortTracker, best_effort
from pianoroll_seq2seq.train.config import Monitor, TrainConfig
from pianoroll_seq2seq.train.early_stopping import EarlyStopping
from pianoroll_seq2seq.train.events import OnEpoch, OnStep
from pianoroll_seq2seq.train.examples import Examples, check_examples
from pianoroll_seq2seq.train.history import History
from pianoroll_seq2seq.train.interruption import Interrupted, Interruption
from pianoroll_seq2seq.train.loop import Loop, check_model
from pianoroll_seq2seq.train.monophonic_parts import check_monophonic
from pianoroll_seq2seq.train.optimizers import check_optimizer, default_optimizer
from pianoroll_seq2seq.train.precision import Precision
from pianoroll_seq2seq.train.remote_checkpoints import RemoteCheckpoints
from pianoroll_seq2seq.train.run import Run
from pianoroll_seq2seq.train.run_folder import RunFolder
from pianoroll_seq2seq.train.schedules import Schedule


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
    device: str | torch.device | None = None,
    seed: int = 0,
    progress: bool = True,
) -> History:
    """Trains a model. It ends with the weights of its best epoch.

    The loss is the mean of ``-model(inputs, targets).log_prob(targets)`` over frames: nats per frame.

    Ctrl-C and SIGTERM take effect after the current step: a run with a ``checkpoint_dir`` is saved, and then
    ``KeyboardInterrupt`` or ``SystemExit`` is raised. A second signal does not wait.

    In the processes of ``torchrun`` (see :func:`~pianoroll_seq2seq.train.join_processes`) each process calls ``fit``
    with the same arguments. Each batch is divided among them; only the first shows progress, tracks, writes files and
    calls ``on_epoch``.

    Args:
        model: any sequence model, trained in place.
        train: the windows to learn from, or groups of :class:`~pianoroll_seq2seq.data.whole_pieces.WholePieces`.
        valid: windows to validate on after every epoch, in the layout of ``train``.
        epochs: passes over the training windows, in all. With a ``checkpoint_dir``, a finished run goes on if it is
            called with more epochs, and gives the same result as if it had been called with them at once. The
            ``schedule`` must allow it, as a constant one does.
        batch_size: windows of a step, at most, over all processes. The batches of an epoch differ in size by one at
            most.
        optimizer: over the model's parameters; fused Adam with a learning rate of 0.001 by default. Frozen parameters
            (``requires_grad`` is False) keep their values.
        schedule: the factor on the learning rate at each step; constant by default.
        clip_norm: the largest norm of the gradient, which is scaled down to it; None for any.
        ema_decay: validates, saves and returns an exponential moving average of the weights, of which this share stays
            at each step; None for the weights themselves.
        accumulate: parts into which each batch is cut, to save memory. The step is the same, except for batch
            normalization, which sees one part at a time.
        precision: ``auto`` is bfloat16 autocast on a GPU that has it, and float32 otherwise. bfloat16 also pays on CPUs
            that have it (AVX512-BF16, AMX); on other CPUs it raises.
        compile_model: whether ``torch.compile`` fuses the operations between the LSTM layers; on a CPU this needs a C++
            compiler.
        monitor: the loss that decides which epoch is best; ``auto`` is ``valid_loss`` if there is ``valid``, and
            ``train_loss`` otherwise.
        patience: stops training after so many epochs in a row without improvement of the monitored loss; None for
            never.
        min_delta: the smallest improvement that counts for the patience, in nats per frame.
        on_epoch: called after every epoch; training stops if one returns True.
        on_step: called after every step, in every process; training stops in all of them if one returns True.
        tracker: receives the settings and the losses of every epoch. A tracker that is open stays open, so that scores
            can be logged after training; one that is not (its ``is_open`` is False) is opened and closed. If it fails
            during training, ``fit`` warns once and goes on.
        checkpoint_dir: folder for ``best.safetensors``, ``last.safetensors``, ``previous.safetensors`` and
            ``history.jsonl``.
        checkpoint_seconds: time between two checkpoints within an epoch. There is always one after an epoch.
        checkpoint_store: a store for this run alone, such as ``AzureBlobStore("runs", prefix="scales-1")``, to which
            every checkpoint is sent in the background. With an empty ``checkpoint_dir``, on another machine, the run
            resumes from there. A store that fails during training causes a warning. At the end ``fit`` waits for it at
            most a minute, and a second more for each megabyte of the checkpoint.
        resume: continues the run in ``checkpoint_dir``. The result is as if training had never stopped (on a CPU, in
            one process, bit for bit).
        device: where to train, such as ``cuda``: the model is moved there and stays there. Its own device by default.
        seed: of the order of windows, their augmentation, and dropout.
        progress: whether to show a progress bar.

    Returns:
        The losses of all epochs, including those before a resumption.

    Raises:
        SettingsError: arguments out of range, an optimizer of another model, a device that is not available, weights
            in 16 bits, or a tracker that fails before training.
        GridError, PitchRangeError, ShapeError: ``train`` is not in the layout of the model, or ``valid`` is not in that
            of ``train``.
        ModelInUseError: another thread trains the model, or generates or scores with it.
        TrainingDivergedError: the loss is no longer a number; checkpoints of earlier epochs are kept.
        CheckpointError: ``checkpoint_dir`` or ``checkpoint_store`` holds a run of another model, other data or other
            settings (the message names each), or one whose schedule depends on the number of epochs, or only damaged
            checkpoints, or another process trains there.
        CheckpointWriteError: no space is left; the checkpoint before is kept.
        OverwriteError: ``checkpoint_dir`` or ``checkpoint_store`` holds a run, and ``resume`` is false.
        StoreError: ``checkpoint_store`` cannot be reached at the beginning.

    Example:
        >>> import numpy as np
        >>> from pianoroll_seq2seq import PianoRoll, PitchRange, Seq2SeqLSTM, SlidingWindows
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> windows = SlidingWindows([scale], input_frames=4, target_frames=4, hop=1)
        >>> history = fit(Seq2SeqLSTM(windows.layout, hidden_size=8), windows, epochs=2, batch_size=4, progress=False)
        >>> len(history.train_losses), history.stopped_by
        (2, 'epochs')
    """
    config = TrainConfig(
        epochs=epochs,
        batch_size=batch_size,
        accumulate=accumulate,
        schedule=schedule,
        clip_norm=clip_norm,
        precision=precision,
        ema_decay=ema_decay,
        compile_model=compile_model,
        monitor=monitor,
        patience=patience,
        min_delta=min_delta,
        checkpoint_seconds=checkpoint_seconds,
        seed=seed,
    )
    if checkpoint_store is not None and checkpoint_dir is None:
        raise SettingsError("checkpoint_store needs checkpoint_dir: a checkpoint is a file before it is sent.")
    _check_arguments(model, train, valid)
    early_stopping = EarlyStopping(_monitored(config, valid), patience, min_delta, epochs)
    if device is not None:
        move_model(model, device)
    if optimizer is None:
        optimizer = default_optimizer(model, 1e-3)
    check_optimizer(optimizer, model)
    if device is not None and optimizer.state:
        optimizer.load_state_dict(optimizer.state_dict())  # moves its state to where the weights are
    with Interruption() as interruption, ExitStack() as stack:
        loop = Loop(model, train, optimizer, config, interruption, on_step)
        if loop.device.type == "cpu":
            stack.enter_context(kept_memory())
        is_first = loop.processes.is_first
        folder = RunFolder(checkpoint_dir) if checkpoint_dir is not None and is_first else None
        remote = None if checkpoint_store is None or folder is None else RemoteCheckpoints(checkpoint_store, folder)
        try:
            opened = _opened(tracker if is_first else NoTracker(), stack)
            run = Run(loop, valid, early_stopping, opened, on_epoch if is_first else (), folder, remote)
            run.resume(resume)
            opened.start(run.params)
            run.train(show=progress and is_first)
            opened.flush()
            if remote is not None:
                remote.close(loop.check_interrupt)
            loop.check_interrupt()
        except Interrupted as interrupted:
            saved = "" if folder is None else f"The run is saved in {folder.path}. Call fit again to resume it."
            interruption.reraise(interrupted.number, saved)
        finally:
            with contextlib.closing(folder) if folder is not None else contextlib.nullcontext():
                if remote is not None:
                    remote.close()
    return run.history


def _check_arguments(model: SequenceModel, train: Examples, valid: Examples | None) -> None:
    """Refuses data that are no windows or of another layout, and a model that cannot be trained."""
    check_examples(train, "train")
    check_model(model, train, "train")
    check_monophonic(model, train, "train")
    if valid is not None:
        check_examples(valid, "valid")
        train.layout.check_same(valid.layout, "valid", owner="train")
        check_model(model, valid, "valid")
        check_monophonic(model, valid, "valid")
    check_trainable(model)


def _opened(tracker: Tracker, stack: ExitStack) -> BestEffortTracker:
    """The tracker, opened until the end of ``fit`` if it says that it is not open. Its failures do not end training."""
    wrapped = best_effort(tracker)
    return wrapped if wrapped.is_open else stack.enter_context(wrapped)


def _monitored(config: TrainConfig, valid: Examples | None) -> str:
    if config.monitor == "auto":
        return "train_loss" if valid is None else "valid_loss"
    if config.monitor == "valid_loss" and valid is None:
        raise SettingsError("monitor='valid_loss' needs validation windows: fit(model, train, valid, ...).")
    return config.monitor
