"""The run of ``train``: reads the data, trains the model, and writes scores and music."""

import functools
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.cli.class_options import ClassChoice
from pianoroll_seq2seq.cli.command import log
from pianoroll_seq2seq.cli.config_file import check_folder, write_config
from pianoroll_seq2seq.cli.data import (
    Pieces,
    Source,
    layout_of,
    opening_of,
    read_split,
    scoring_windows,
    training_windows,
)
from pianoroll_seq2seq.cli.left_out import log_left_out
from pianoroll_seq2seq.cli.options import DataOptions
from pianoroll_seq2seq.cli.train_options import RunOptions, TrainOptions, WindowOptions
from pianoroll_seq2seq.cli.trained_run import TrainedRun, finish_run
from pianoroll_seq2seq.cli.window_lengths import short_windows
from pianoroll_seq2seq.data.augmentation import Augmentation
from pianoroll_seq2seq.data.tasks import FillTasks
from pianoroll_seq2seq.errors import CheckpointError, SettingsError
from pianoroll_seq2seq.evaluation.music_metrics import mean_metrics
from pianoroll_seq2seq.models.contract import SequenceModel
from pianoroll_seq2seq.models.devices import move_model
from pianoroll_seq2seq.models.heads.bernoulli import BernoulliHead
from pianoroll_seq2seq.models.heads.velocity import VelocityHead
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.trackers.base import NoTracker, Tracker
from pianoroll_seq2seq.trackers.best_effort import best_effort
from pianoroll_seq2seq.trackers.fan_out import FanOut
from pianoroll_seq2seq.trackers.jsonl import JsonlTracker
from pianoroll_seq2seq.train import OnEpoch, Processes, fit, join_processes
from pianoroll_seq2seq.train.callbacks import SampleMusic
from pianoroll_seq2seq.train.run_files import CONFIG, METRICS, SAMPLES
from pianoroll_seq2seq.windowing import SlidingWindows


@dataclass(frozen=True)
class TrainingRun:
    """All that a run is made of."""

    source: Source
    data: DataOptions
    windows: WindowOptions
    augmentation: Augmentation | None
    training: TrainOptions
    options: RunOptions
    classes: Mapping[str, ClassChoice | None]
    """The chosen classes, by their options."""
    config: Mapping[str, Any]
    """The configuration to write into the run's folder."""

    def train(self) -> TrainedRun | None:
        """Trains the model.

        Returns:
            The trained run; None in all processes of torchrun but the first.
        """
        options, training = self.options, self.training
        schedule = training.learning_rate_schedule()
        torch.set_num_threads(options.threads)
        with join_processes() as processes:
            if processes.is_first and check_folder(options.output, self.config):
                log(f"resuming the run in {options.output}")
            pieces = read_split(self.source, valid=self.data.valid, test=self.data.test, seed=options.seed)
            train, valid = self._windows(pieces)
            if processes.is_first:
                _log_data(pieces, train)
                warning = short_windows(pieces.split.train, self.windows)
                if warning is not None:
                    log(f"warning: {warning}")
            model = _build(self.classes, train, options, processes)
            with ExitStack() as stack:
                if processes.is_first:
                    stack.enter_context(_recorded(self.config, options.output))
                tracker = stack.enter_context(best_effort(self._tracker(processes)))
                history = fit(
                    model,
                    train,
                    valid,
                    tracker=tracker,
                    on_epoch=self._callbacks(pieces),
                    checkpoint_dir=options.output,
                    checkpoint_seconds=options.checkpoint_seconds,
                    optimizer=_built(self.classes["optimizer"], model.parameters()),
                    schedule=schedule,
                    seed=options.seed,
                    **_fit_arguments(training),
                )
                if not processes.is_first:
                    return None
                return finish_run(
                    model,
                    history,
                    pieces,
                    self.windows,
                    tracker,
                    layout=train.layout,
                    folder=options.output,
                    seed=options.seed,
                )

    def _windows(self, pieces: Pieces) -> tuple[SlidingWindows, SlidingWindows | None]:
        """The windows for training and for validation."""
        split = pieces.split
        layout = layout_of(split.train, onsets=self.windows.onsets, velocity=self.windows.velocity)
        model = self.classes["model"]
        fills = model is not None and hasattr(model.kind, "start_filling")
        tasks = FillTasks() if fills else None
        train = training_windows(split.train, self.windows, layout, self.augmentation, tasks=tasks)
        return train, scoring_windows(split.valid, self.windows, layout, tasks=tasks) if len(split.valid) else None

    def _tracker(self, processes: Processes) -> FanOut:
        """The user's tracker, and ``metrics.jsonl`` in the first process."""
        own = JsonlTracker(self.options.output / METRICS) if processes.is_first else NoTracker()
        others: Tracker | None = _built(self.classes["tracker"])
        return FanOut(own) if others is None else FanOut(own, others)

    def _callbacks(self, pieces: Pieces) -> list[OnEpoch]:
        """The user's callback, and samples of music if ``--sample-every`` is given."""
        own: OnEpoch | None = _built(self.classes["on_epoch"])
        callbacks = [] if own is None else [own]
        primers: Sequence[PianoRoll] = pieces.split.test or pieces.split.valid
        if self.options.sample_every is None or not len(primers):
            return callbacks
        primer, condition = opening_of(primers, self.windows)
        samples = SampleMusic(
            [primer],
            num_frames=2 * self.windows.target_frames,
            folder=self.options.output / SAMPLES,
            every=self.options.sample_every,
            seed=self.options.seed,
            condition=None if condition is None else [condition],
            picture=find_spec("matplotlib") is not None,
            sound=self.classes["tracker"] is not None,
            metrics=functools.partial(mean_metrics, prefix="music_"),
        )
        return [*callbacks, samples]


@contextmanager
def _recorded(config: Mapping[str, Any], folder: Path) -> Iterator[None]:
    """Writes the configuration into the run's folder. That of a run that cannot be resumed with it is put back."""
    path = folder / CONFIG
    before = path.read_bytes() if path.is_file() else None
    write_config(folder, config)
    try:
        yield
    except CheckpointError:
        if before is not None:
            with writing(path, overwrite=True) as temporary:
                temporary.write_bytes(before)
        raise


def _built(choice: ClassChoice | None, *args: Any) -> Any:
    """An instance of the class, or None if there is none."""
    return None if choice is None else choice.build(*args)


def build_model(model: ClassChoice, head: ClassChoice | None, *, windows: SlidingWindows, seed: int) -> SequenceModel:
    """Builds a model for the layout of its windows.

    The first argument of the class is the layout; if its name is ``frame_size``, it is the number of columns.

    Args:
        model: the model's class.
        head: the class of its head; the model's own by default.
        windows: the training windows. They give the layout, and if the class needs them, ``block_frames`` and
            ``condition_size``.
        seed: of the weights.

    Raises:
        SettingsError: arguments that the class does not take.
    """
    parameters = inspect.signature(model.kind).parameters
    filled_in: dict[str, Any] = {}
    if windows.condition_size:
        _require(model, "condition_size", "--condition")
        filled_in["condition_size"] = windows.condition_size
    block_frames = parameters.get("block_frames")
    if block_frames is not None and block_frames.default is block_frames.empty:
        filled_in["block_frames"] = windows.target_frames
    if head is not None:
        _require(model, "head", "--head")
        filled_in["head"] = functools.partial(head.kind, **head.arguments)
        if windows.layout.has_velocity and head.kind is not VelocityHead:
            filled_in["head"] = functools.partial(VelocityHead, inner=filled_in["head"])
    first = next(iter(parameters), "")
    torch.manual_seed(seed)
    built = model.build(windows.layout.frame_size if first == "frame_size" else windows.layout, **filled_in)
    if not isinstance(built, SequenceModel):
        raise SettingsError(f"{model.flag} {model.name}: not a sequence model. See SequenceModel for what one needs.")
    return built


def _require(model: ClassChoice, parameter: str, flag: str) -> None:
    if parameter not in inspect.signature(model.kind).parameters:
        raise SettingsError(f"{model.flag} {model.name}: the class has no parameter {parameter!r}. Leave out {flag}.")


def _build(
    classes: Mapping[str, ClassChoice | None], windows: SlidingWindows, options: RunOptions, processes: Processes
) -> SequenceModel:
    """The model, on its device."""
    choice = classes["model"]
    assert choice is not None  # the option has a default
    model = build_model(choice, classes["head"], windows=windows, seed=options.seed)
    if isinstance(model, torch.nn.Module):
        try:
            move_model(model, processes.device if options.device is None else options.device)
        except SettingsError as error:
            raise SettingsError(f"--device {options.device}: {error}") from error
    if windows.layout.has_onsets and isinstance(getattr(model, "head", None), BernoulliHead):
        log(
            "note: the head BernoulliHead decides independently where notes sound and where they begin, which fits "
            "music badly. --head NotesHead decides both at once, and --no-onsets leaves out where they begin."
        )
    return model


def _fit_arguments(training: TrainOptions) -> dict[str, Any]:
    """The options that ``fit`` takes under the same name."""
    return {
        field.name: getattr(training, field.name)
        for field in fields(training)
        if field.name not in ("schedule", "warmup")
    }


def _log_data(pieces: Pieces, windows: SlidingWindows) -> None:
    """Logs what the model is trained on."""
    log_left_out(pieces.refused, sum(map(len, pieces.split)) + pieces.num_duplicates)
    train, valid, test = map(len, pieces.split)
    layout = windows.layout
    columns = f"parts {', '.join(part.name for part in layout.parts)}" if len(layout.parts) > 1 else layout.pitches
    log(
        f"{train} pieces for training ({len(windows)} windows of {layout.grid}, {columns}), {valid} for "
        f"validation, {test} for the test; {pieces.num_duplicates} duplicates left out"
    )
