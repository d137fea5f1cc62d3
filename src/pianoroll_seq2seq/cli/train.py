"""``train``: any model on any music, and the configuration that repeats it."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast

import torch
import yaml

from pianoroll_seq2seq.callbacks import SampleMusic
from pianoroll_seq2seq.cli.building import Head, Logs, Model, Recipe, build_model
from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.learning import Learning, Windows
from pianoroll_seq2seq.cli.music import SETS, Music, Pieces, read_music
from pianoroll_seq2seq.cli.run_config import CONFIG, check_folder, read, record
from pianoroll_seq2seq.cli.trained_run import TrainedRun, finish, opening
from pianoroll_seq2seq.cli.words import say
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.base import SequenceModel
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.rasterize import Reading
from pianoroll_seq2seq.trackers.base import NoTracker, Tracker
from pianoroll_seq2seq.trackers.fan_out import FanOut
from pianoroll_seq2seq.trackers.jsonl import JsonlTracker
from pianoroll_seq2seq.train import OnEpoch, Processes, fit, join_processes
from pianoroll_seq2seq.windowing import SlidingWindows

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

_MODEL = "pianoroll_seq2seq.Seq2SeqLSTM"
_DEFAULTS: dict[str, dict[str, Any]] = {
    "model": {"class_path": _MODEL, "init_args": {"hidden": 96, "dropout": 0.2, "frame_noise": 0.003}},
    "head": {"class_path": "pianoroll_seq2seq.RelativeBernoulliHead", "init_args": {"frames": 3}},
    "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 3e-3, "weight_decay": 0.01, "fused": True}},
}
"""What is trained where nothing is said: better music than the classes' own defaults make in two minutes."""


@dataclass(frozen=True)
class Place:
    """Where and how the run is done.

    Args:
        output: the run's folder: its checkpoints, history, scores, music, and the configuration that repeats it. Given
            again, the same command goes on with it.
        device: such as cpu or cuda; a GPU if there is one.
        threads: of the CPU. Models as small as these are quickest on one, unless the machine is idle.
        seed: of the split, the weights, the order of windows and the music.
    """

    output: Path = Path("runs/train")
    device: str | None = None
    threads: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if self.threads < 1 or not 0 <= self.seed < 2**32:
            raise SettingsError(
                f"threads must be at least 1 and seed in 0..2**32 - 1, got {self.threads}, {self.seed}."
            )


def train(
    music: Music,
    windows: Windows,
    learning: Learning,
    place: Place,
    *,
    model: Recipe,
    head: Recipe | None = None,
    tracker: Tracker = NoTracker(),
    reading: Reading | None = None,
    text: str = "",
) -> TrainedRun | None:
    """Trains a model on a folder of MIDI files, a corpus, or a set that is known by name.

    Sizes that follow from the data, such as the number of pitches, are filled in. The run's folder gets config.yaml,
    with which --config repeats the run to the last digit (on a CPU, in one process); the same command goes on where it
    stopped.

    Args:
        music: the pieces.
        windows: what they are cut into.
        learning: how the model learns.
        place: where everything goes.
        model: the model, without the sizes that follow from the data.
        head: its head; the model's own by default.
        tracker: gets settings and figures beside ``metrics.jsonl``.
        reading: what counts as a note.
        text: the configuration that repeats the run, as YAML.

    Returns:
        What came of it; None in all processes but the first.
    """
    torch.set_num_threads(place.threads)
    with join_processes() as processes:
        if processes.first and check_folder(place.output, text):
            say(f"going on with the run in {place.output}")
        pieces = read_music(music, reading or {}, seed=place.seed)
        examples = windows.of(pieces.split.train, training=True)
        valid = windows.of(pieces.split.valid, training=False) if pieces.split.valid else None
        if processes.first:
            _tell(pieces, examples)
        built = build_model(model, head, sizes=_sizes(examples), seed=place.seed)
        with ExitStack() as stack:
            if processes.first:
                record(place.output, text)
            own = JsonlTracker(place.output / "metrics.jsonl") if processes.first else NoTracker()
            logs = stack.enter_context(FanOut(own, tracker))
            history = fit(
                _placed(built, place.device, processes),
                examples,
                valid,
                tracker=logs,
                on_epoch=_callbacks(learning, windows, pieces, place),
                checkpoint_dir=place.output,
                optimizer=None if learning.optimizer is None else learning.optimizer(built.parameters()),
                schedule=learning.schedule_of(),
                seed=place.seed,
                **_fit_settings(learning),
            )
            if not processes.first:
                return None
            return finish(built, history, windows, pieces, logs, folder=place.output, seed=place.seed)


def _fit_settings(learning: Learning) -> dict[str, Any]:
    """What ``fit`` takes under the same name."""
    others = {"optimizer", "schedule", "warmup", "on_epoch", "sample_every"}
    return {field.name: getattr(learning, field.name) for field in fields(learning) if field.name not in others}


def _sizes(windows: SlidingWindows) -> dict[str, Any]:
    """What a model must know of its data."""
    sizes = {"pitches": windows.frame_size, "block_frames": windows.target_frames}
    return sizes | ({"condition_size": windows.condition_size} if windows.condition_size else {})


def _placed(model: SequenceModel, device: str | None, processes: Processes) -> SequenceModel:
    if isinstance(model, torch.nn.Module):
        try:
            model.to(torch.device(device) if device is not None else processes.device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise SettingsError(f"--device {device}: not on this machine ({reason}). Leave it out.") from error
    return model


def _callbacks(learning: Learning, windows: Windows, pieces: Pieces, place: Place) -> list[OnEpoch]:
    """The user's, and samples of music where they are asked for."""
    heard: Sequence[PianoRoll] = pieces.split.test or pieces.split.valid
    if learning.sample_every is None or not heard:
        return list(learning.on_epoch)
    primer, condition = opening(heard, windows)
    samples = SampleMusic(
        [primer],
        frames=2 * windows.target_frames,
        folder=place.output / "samples",
        every=learning.sample_every,
        seed=place.seed,
        onsets=windows.onsets,
        condition=None if condition is None else [condition],
        picture=find_spec("matplotlib") is not None,
    )
    return [*learning.on_epoch, samples]


def _tell(pieces: Pieces, windows: SlidingWindows) -> None:
    """What is trained on."""
    for path, reason in pieces.refused.items():
        say(f"not used: {reason if path in reason else f'{path}: {reason}'}")
    train_, valid, test = map(len, pieces.split)
    say(
        f"training on {train_} pieces ({len(windows)} windows of {windows.grid}, {windows.pitches}), choosing on "
        f"{valid}, testing on {test}; {pieces.left_out} duplicates left out"
    )


def _options(parser: "ArgumentParser", arguments: Sequence[str]) -> None:
    """Models, heads and trackers by class path, and the defaults of what is not named otherwise."""
    for name, kind, skipped, what in (
        ("model", Model, {"pitches", "head"}, "the model, by its class"),
        ("head", Head, {"features", "pitches"}, "what turns its outputs into distributions, by its class"),
        ("tracker", Logs, set(), "where to log beside metrics.jsonl, by its class"),
    ):
        parser.add_subclass_arguments(kind, name, as_group=False, skip=skipped, required=False, help=what)
    named = _named(arguments)
    if "model" not in named:
        parser.set_defaults(model=_DEFAULTS["model"])
        if "head" not in named:
            parser.set_defaults(head=_DEFAULTS["head"])
    if "optimizer" not in named:
        parser.set_defaults(optimizer=_DEFAULTS["optimizer"])


def _named(arguments: Sequence[str]) -> set[str]:
    """The classes that the arguments, or the files among them, name themselves: no default mixes with those."""
    named = {argument[2:].partition("=")[0] for argument in arguments}
    for argument in arguments:
        if argument.startswith("--config="):
            path = Path(argument.partition("=")[2])
            named |= set(read(path)) if path.is_file() else set()
    return named


def _call(made: "Namespace", text: str) -> TrainedRun | None:
    """From options to the function."""
    given = vars(made)
    music, windows, learning, place = (
        kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        for kind in cast("tuple[type[Any], ...]", (Music, Windows, Learning, Place))
    )
    model, head, tracker = (given.pop(name) for name in ("model", "head", "tracker"))
    options = yaml.safe_load(text)
    if music.data not in SETS:
        options["data"] = str(Path(music.data).absolute())  # the configuration is read elsewhere, too
    return train(
        music,
        windows,
        learning,
        place,
        model=model,
        head=head,
        tracker=NoTracker() if tracker is None else tracker,
        reading=cast(Reading, given),
        text=yaml.safe_dump(options, sort_keys=False),
    )


def _reading(**reading: Unpack[Reading]) -> None:
    """What counts as a note, in MIDI files."""


COMMAND = Command(
    train,
    examples=f"""
    pianoroll-seq2seq train
    pianoroll-seq2seq train --data my_midi --epochs 50 --output runs/mine
    pianoroll-seq2seq train --data jsb --model {_MODEL} --model.hidden 64 --head pianoroll_seq2seq.NADEHead
    pianoroll-seq2seq train --model my_module.MyModel --optimizer torch.optim.SGD --optimizer.lr 0.1 --output runs/own
    pianoroll-seq2seq train --config runs/mine/{CONFIG} --output runs/again
    """,
    groups=(Music, Windows, Learning, Place, _reading),
    add=_options,
    call=_call,
    configurable=True,
    own_classes=True,
)
