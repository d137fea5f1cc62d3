"""``train``: trains a model on music, and keeps the configuration that repeats the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from pianoroll_seq2seq.cli.class_options import ClassChoice, ClassOption, default_classes
from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.config_file import config_text, plain_options
from pianoroll_seq2seq.cli.options import BASIC, GENERAL, SETS, DataOptions, GridOptions, PitchOptions, ReadingOptions
from pianoroll_seq2seq.cli.train_options import (
    RUN,
    TRAINING,
    AugmentationOptions,
    RunOptions,
    TrainOptions,
    WindowOptions,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from pianoroll_seq2seq.cli.trained_run import TrainedRun

MODEL = ClassOption(
    "model",
    module="pianoroll_seq2seq",
    filled_in=frozenset({"layout", "frame_size", "block_frames"}),
    hidden=frozenset({"condition_size", "head"}),
    methods=("start", "advance"),
    defaults={"class": "Seq2SeqLSTM", "hidden_size": 96, "dropout": 0.2, "input_noise": 0.003},
)
HEAD = ClassOption(
    "head",
    module="pianoroll_seq2seq",
    filled_in=frozenset({"in_features", "layout", "frame_size"}),
    hidden=frozenset({"num_candidates"}),
    methods=("forward", "settings"),
    defaults={"class": "RelativeBernoulliHead", "num_frames": 3},
)
OPTIMIZER = ClassOption(
    "optimizer",
    module="torch.optim",
    filled_in=frozenset({"params"}),
    methods=("step", "zero_grad"),
    defaults={"class": "AdamW", "lr": 3e-3, "weight_decay": 0.01, "fused": True},
)
TRACKER = ClassOption("tracker", module="pianoroll_seq2seq", methods=("log_params", "log_metrics"))
ON_EPOCH = ClassOption("on_epoch", module="pianoroll_seq2seq", methods=("__call__",))
CLASS_OPTIONS = (MODEL, HEAD, OPTIMIZER, TRACKER, ON_EPOCH)
_CLASS = Parameter(metavar="CLASS")
_MODEL_GROUP = Group("Model", sort_key=45)


@dataclass(frozen=True)
class Configuration:
    """The options of a run."""

    options: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The options."""
        return self.options

    def __str__(self) -> str:
        """The options as YAML."""
        return config_text(self.options).rstrip()


def train(
    *,
    data: DataOptions = DataOptions(),
    training: TrainOptions = TrainOptions(),
    run: RunOptions = RunOptions(),
    model: Annotated[str | None, _CLASS, Parameter(group=BASIC)] = None,
    head: Annotated[str | None, _CLASS, Parameter(group=_MODEL_GROUP)] = None,
    optimizer: Annotated[str | None, _CLASS, Parameter(group=TRAINING)] = None,
    tracker: Annotated[str | None, _CLASS, Parameter(group=RUN)] = None,
    on_epoch: Annotated[str | None, _CLASS, Parameter(group=RUN)] = None,
    grid: GridOptions = GridOptions(),
    pitches: PitchOptions = PitchOptions(),
    reading: ReadingOptions = ReadingOptions(),
    windows: WindowOptions = WindowOptions(),
    augmentation: AugmentationOptions = AugmentationOptions(),
    print_config: Annotated[bool, Parameter(group=GENERAL, negative=())] = False,
    **arguments: Any,
) -> "TrainedRun | Configuration | None":
    """Trains a model on a folder of MIDI or MusicXML files, a corpus or a data set.

    The run's folder gets config.yaml, and --config repeats the run with it. The arguments of a class follow its
    option with a dot, such as --model.hidden-size 64; --model CopyingLSTM --help lists them.

    Args:
        data: the pieces.
        training: how the model learns.
        run: where and how the run is done.
        model: Model class: Seq2SeqLSTM (the default), ParallelSeq2SeqLSTM, CopyingLSTM, FillingLSTM,
            CausalTransformer, or your own, such as my_module.MyModel.
        head: Class of the model's output head, such as NADEHead. RelativeBernoulliHead with the default model.
        optimizer: Optimizer class of torch.optim, such as SGD, or your own; AdamW by default.
        tracker: Class of a tracker that logs beside metrics.jsonl, such as MLflowTracker.
        on_epoch: Class of a callback after each epoch, such as StopAfter.
        grid: the grid of frames.
        pitches: the pitches to keep.
        reading: what counts as a note.
        windows: the windows that pieces are cut into.
        augmentation: random changes to windows.
        print_config: Print the configuration and stop.
        **arguments: the arguments of the classes.

    Returns:
        The run or, with ``print_config``, its options. None in all processes of torchrun but the first.
    """
    named = {"model": model, "head": head, "optimizer": optimizer, "tracker": tracker, "on_epoch": on_epoch}
    classes = _choose_classes(named, arguments)
    config = _config((data, grid, pitches, reading, windows, augmentation, training, run), classes)
    if print_config:
        return Configuration(config)
    from pianoroll_seq2seq.cli.data import Source
    from pianoroll_seq2seq.cli.training import TrainingRun

    source = Source(data.data, grid.grid(), pitches.pitch_range(), pitches.outside, reading.given(), data.verify)
    return TrainingRun(
        source, data, windows, augmentation.augmentation(), training, run, classes=classes, config=config
    ).train()


def _choose_classes(named: Mapping[str, str | None], arguments: Mapping[str, Any]) -> dict[str, ClassChoice | None]:
    """The named or default classes, by their options."""
    defaults = default_classes(CLASS_OPTIONS, named)
    return {
        option.name: option.choose(named[option.name] or defaults.get(option.name), arguments)
        for option in CLASS_OPTIONS
    }


def _config(groups: Sequence["DataclassInstance"], classes: Mapping[str, ClassChoice | None]) -> dict[str, Any]:
    """All options, as a configuration holds them."""
    config: dict[str, Any] = {}
    for group in groups:
        config |= plain_options(group)
    if config["data"] not in SETS:
        config["data"] = str(Path(config["data"]).absolute())  # the configuration may be used in another folder
    return config | {name: choice and choice.to_config() for name, choice in classes.items()}


COMMAND = Command(
    train,
    examples="""
    pianoroll-seq2seq train
    pianoroll-seq2seq train --data my_midi --epochs 50 --output runs/mine
    pianoroll-seq2seq train --data jsb --model Seq2SeqLSTM --model.hidden-size 64 --head NADEHead --output runs/jsb
    pianoroll-seq2seq train --model my_module.MyModel --optimizer SGD --optimizer.lr 0.1 --output runs/own
    pianoroll-seq2seq train --config runs/mine/config.yaml --output runs/again
    """,
    class_options=CLASS_OPTIONS,
    has_config=True,
    functions=("schedule",),
    keeps_result=True,
)
