"""``train``: any model on any music, again and on."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from command_line import SMALL, SMALL_MODEL, SMALL_WINDOWS, Run

from pianoroll_seq2seq import (
    BeatGrid,
    FrameLayout,
    History,
    NoteTable,
    PianoRoll,
    PitchRange,
    Score,
    TempoMap,
    build_corpus,
    open_model,
)
from pianoroll_seq2seq.checkpoint import read_header
from pianoroll_seq2seq.cli import data as data_module
from pianoroll_seq2seq.data.datasets.bach_chorales import Chorale

OWN_MODEL = '''
"""A model of a user's."""

import torch
from torch import nn

from pianoroll_seq2seq import Bernoulli


class Rising(nn.Module):
    def __init__(self, frame_size: int, width: int = 3):
        super().__init__()
        self.width = width
        self.frame_size = frame_size
        self.logits = nn.Linear(frame_size, frame_size)

    def forward(self, inputs, targets):
        return Bernoulli(self.logits(torch.cat([inputs[:, -1:], targets[:, :-1]], dim=1)))

    def start(self, primer):
        return Bernoulli(self.logits(primer[:, -1])), None

    def advance(self, frame, state):
        return Bernoulli(self.logits(frame)), None

    def settings(self):
        return {"frame_size": self.frame_size, "width": self.width}


class Broken(Rising):
    def __init__(self, frame_size: int):
        raise ValueError("out of order")


def slow_start(step, num_steps):
    return min(1.0, (step + 1) / 10)
'''


def losses(folder: Path) -> list[tuple[float, float | None]]:
    history = History.load(folder / "history.jsonl")
    return [(epoch.train_loss, epoch.valid_loss) for epoch in history.epochs]


def settings(folder: Path) -> dict[str, object]:
    found: dict[str, object] = read_header(folder / "best.safetensors")["model"]["settings"]
    return found


def test_what_a_run_leaves(run: Run, small_run: Path) -> None:
    """A run lacks what is needed to use, repeat, compare or report it."""
    assert {path.name for path in small_run.iterdir()} >= {
        "best.safetensors",
        "config.yaml",
        "generated.mid",
        "history.jsonl",
        "metrics.jsonl",
        "primer.mid",
        "scores.json",
    }
    scores = json.loads((small_run / "scores.json").read_text())
    assert scores["test"]["num_frames"] > 0
    assert open_model(small_run).grid == BeatGrid(4)


def test_the_configuration_repeats_the_run_to_the_last_digit(run: Run, small_run: Path, here: Path) -> None:
    """A result cannot be had again; or only where the run was begun."""
    done = run("train", "--config", small_run / "config.yaml", "--output", "again", "--json")
    assert losses(here / "again") == losses(small_run)
    assert done.json["best"]["train_loss"] == losses(small_run)[0][0]
    assert (here / "again" / "generated.mid").read_bytes() == (small_run / "generated.mid").read_bytes()
    first, second = (yaml.safe_load((folder / "config.yaml").read_text()) for folder in (small_run, here / "again"))
    assert first | {"output": "again"} == second


def test_the_same_command_resumes(run: Run, midi: Path, tmp_path: Path) -> None:
    """An interrupted run starts again from the beginning; or a run is overwritten by another."""
    command = ["train", "--data", midi, *SMALL_WINDOWS, *SMALL_MODEL, "--schedule", "constant"]
    command += ["--output", tmp_path / "run"]
    assert run(*command, "--epochs", 1).code == 0
    before = losses(tmp_path / "run")
    again = run(*command, "--epochs", 1)
    assert "resuming the run in" in again.err
    assert losses(tmp_path / "run") == before
    assert run(*command, "--epochs", 2).code == 0
    assert losses(tmp_path / "run")[:1] == before
    assert len(losses(tmp_path / "run")) == 2
    assert run(*command, "--epochs", 2, "--precision", "float32").code == 0  # what auto is on a CPU
    assert "batch_size is 16, was 32" in run(*command, "--epochs", 2, "--batch-size", 16).refused()
    wider = [*command[:-2], "--output", tmp_path / "run"]
    wider[wider.index("--model.hidden-size") + 1] = 9
    assert "'hidden_size': 9" in run(*wider).refused()
    assert losses(tmp_path / "run")[:1] == before


def test_a_folder_of_other_files_is_left_alone(run: Run, midi: Path, tmp_path: Path) -> None:
    """A mistyped --output costs a user their files."""
    (tmp_path / "mine.txt").write_text("keep")
    for output in (tmp_path / "mine.txt", tmp_path):
        assert "not of a run" in run("train", "--data", midi, *SMALL, *SMALL_MODEL, "--output", output).refused()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ("--model", "Seq2SeqLSTM", "--model.hidden-size", 8, "--head", "NADEHead", "--head.hidden-size", 5),
            {"hidden_size": 8},
        ),
        (("--model", "ParallelSeq2SeqLSTM", "--model.hidden-size", 8), {"block_frames": 8}),
        ((*SMALL_MODEL, "--no-onsets"), {"hidden_size": 8}),
        ((*SMALL_MODEL, "--pitches", 40, 90), {"hidden_size": 8}),
        ((*SMALL_MODEL, "--frame-seconds", 0.25), {"hidden_size": 8}),
    ],
    ids=["head", "parallel", "onsets", "pitches", "seconds"],
)
def test_sizes_follow_from_the_data(
    run: Run, midi: Path, tmp_path: Path, options: tuple[object, ...], expected: dict[str, int]
) -> None:
    """A user must count pitches, features or target frames; or the layout is not that of the options."""
    done = run("train", "--data", midi, *SMALL, *options, "--output", tmp_path / "run")
    assert done.code == 0, done.err
    found = settings(tmp_path / "run")
    assert {name: found[name] for name in expected} == expected
    layout = open_model(tmp_path / "run").layout
    assert layout.has_onsets == ("--no-onsets" not in options)
    assert layout.pitches == (PitchRange(40, 90) if "--pitches" in options else PitchRange(48, 80))
    assert (layout.grid == BeatGrid(4)) == ("--frame-seconds" not in options)


def test_a_condition_is_known_to_the_model(scale_run: Path) -> None:
    """The size of the condition must be counted."""
    assert settings(scale_run)["condition_size"] == 12
    assert settings(scale_run)["condition_dropout"] == 0.1


def test_a_command_that_failed_at_once_can_be_corrected(run: Run, midi: Path, tmp_path: Path) -> None:
    """After a mistake in the options, the corrected command is refused, too."""
    command = ("train", "--data", midi, "--epochs", 1, "--hop", 16, "--target-frames", 8, *SMALL_MODEL)
    command += ("--output", tmp_path / "run")
    for wrong in (("--input-frames", 100_000), ("--batch-size", 0), ("--device", "teapot")):
        assert run(*command, *wrong).refused()
    assert run(*command, "--input-frames", 8).code == 0


def test_another_model_takes_no_defaults_of_the_first(run: Run) -> None:
    """Arguments of the default model are mixed into the named one."""
    options = ("--model", "CopyingLSTM", "--model.hidden-size", 8, "--model.num-copy-heads", 1)
    shown = yaml.safe_load(run("train", *options, "--print-config").out)
    assert shown["model"]["class"] == "pianoroll_seq2seq.CopyingLSTM"
    assert {"hidden_size": 8, "num_copy_heads": 1, "dropout": 0.0}.items() <= shown["model"].items()
    assert shown["head"] is None


def test_the_default_is_what_two_words_train(run: Run) -> None:
    """`train` alone, or with a size changed, is another model than the documented one."""
    shown = yaml.safe_load(run("train", "--model.hidden-size", 12, "--print-config").out)
    assert shown["data"] == "scale-chords"
    assert shown["model"]["class"] == "pianoroll_seq2seq.Seq2SeqLSTM"
    assert (shown["model"]["hidden_size"], shown["model"]["dropout"]) == (12, 0.2)
    assert shown["head"] == {"class": "pianoroll_seq2seq.RelativeBernoulliHead", "num_frames": 3} | shown["head"]
    assert shown["optimizer"]["lr"] == 0.003
    plain = yaml.safe_load(run("train", "--optimizer", "SGD", "--optimizer.lr", 0.1, "--print-config").out)
    assert plain["optimizer"]["class"] == "torch.optim.SGD"
    assert plain["optimizer"]["weight_decay"] == 0  # SGD's own


ALL_OPTIONS: dict[str, object] = {
    "data": "jsb",
    "epochs": 3,
    "output": "runs/x",
    "valid": 0.2,
    "verify": True,
    "test": 0.05,
    "frames_per_beat": 8,
    "offset": "auto",
    "frame_seconds": None,
    "pitches": [40, 80],
    "outside": "drop",
    "parts": "MELODY,PIANO",
    "track": "MELODY",
    "program": 4,
    "channel": 3,
    "drums": True,
    "sustain": True,
    "pairing": "last",
    "unended": "hold",
    "overlaps": "cut",
    "zero_length": "drop",
    "on_damage": "salvage",
    "input_frames": 16,
    "target_frames": 24,
    "hop": 4,
    "short": "pad",
    "onsets": False,
    "velocity": True,
    "condition": "scale",
    "transpose": [-2, 3],
    "transpose_share": 0.5,
    "tempo": [0.9, 1.1],
    "batch_size": 7,
    "schedule": "constant",
    "warmup": 0.1,
    "clip_norm": None,
    "ema_decay": 0.9,
    "accumulate": 2,
    "precision": "float32",
    "monitor": "train_loss",
    "patience": 4,
    "min_delta": 0.01,
    "device": "cpu",
    "threads": 2,
    "seed": 5,
    "checkpoint_seconds": 1.5,
    "sample_every": 6,
}
"""Every option of `train` but those that name classes, with another value than its default."""


def test_every_option_reaches_the_configuration_and_back(run: Run, tmp_path: Path) -> None:
    """An option is lost on its way, on the command line or in a configuration."""
    command: list[object] = []
    for name, value in ALL_OPTIONS.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, list):
            command += [flag, *value]
        elif isinstance(value, bool):
            command.append(flag if value else f"--no-{flag.removeprefix('--')}")
        elif name != "frame_seconds":
            command += [flag, "none" if value is None else value]
    default = yaml.safe_load(run("train", "--print-config").out)
    classes = {"model", "head", "optimizer", "tracker", "on_epoch"}
    assert default.keys() - classes == ALL_OPTIONS.keys()
    assert all(default[name] != value for name, value in ALL_OPTIONS.items() if name != "frame_seconds")
    shown = run("train", *command, "--print-config")
    assert {name: value for name, value in yaml.safe_load(shown.out).items() if name not in classes} == ALL_OPTIONS
    (tmp_path / "config.yaml").write_text(shown.out)
    assert run("train", "--config", tmp_path / "config.yaml", "--print-config").out == shown.out
    changed = run("train", "--config", tmp_path / "config.yaml", "--onsets", "--seed", 1, "--print-config")
    assert yaml.safe_load(changed.out) == yaml.safe_load(shown.out) | {"onsets": True, "seed": 1}


def test_a_named_class_replaces_that_of_the_configuration(run: Run, small_run: Path) -> None:
    """Arguments of the configuration's model are mixed into the named one, or a changed argument drops the others."""
    config = ("train", "--config", small_run / "config.yaml", "--print-config", "--json")
    other = run(*config, "--model", "CopyingLSTM").json
    assert other["model"]["hidden_size"] == 192
    changed = run(*config, "--model.hidden-size", 9).json
    assert changed["model"] == yaml.safe_load((small_run / "config.yaml").read_text())["model"] | {"hidden_size": 9}


def test_classes_of_ones_own(run: Run, midi: Path, here: Path) -> None:
    """A class in a file of the working directory cannot be trained, or not be used afterwards."""
    (here / "rising_model.py").write_text(OWN_MODEL)
    options = ("--model", "rising_model.Rising", "--model.width", 7, "--schedule", "rising_model.slow_start")
    assert run("train", "--data", midi, *SMALL, *options, "--output", "run").code == 0
    assert settings(here / "run") == {"frame_size": 66, "width": 7}
    opened = ("generate", "--model", "run", "--beats", 4)
    written = run(*opened, "--classes", "rising_model.Rising", "--output", "a.mid")
    assert written.code == 0, written.err
    assert "rising_model" in run(*opened, "--output", "b.mid").refused()
    bad = run("train", "--data", midi, *SMALL, "--model", "rising_model.Broken", "--output", "broken")
    assert "--model Broken: cannot be built" in bad.refused()
    head = run("train", "--data", midi, *SMALL, *options, "--head", "NADEHead", "--output", "head")
    assert "Leave out --head" in head.refused()


def test_a_corpus_callbacks_samples_and_a_tracker(run: Run, midi: Path, tmp_path: Path) -> None:
    """What a script can do, the command cannot."""
    build_corpus(midi, tmp_path / "corpus", grid=BeatGrid(2), pitches=PitchRange(48, 90), progress=False)
    done = run(
        *("train", "--data", tmp_path / "corpus", *SMALL_WINDOWS, *SMALL_MODEL, "--epochs", 3),
        *("--on-epoch", "StopAfter", "--on-epoch.seconds", 0, "--sample-every", 1),
        *("--tracker", "JsonlTracker", "--tracker.path", tmp_path / "more.jsonl"),
        *("--valid", 0, "--transpose", -2, 2, "--output", tmp_path / "run", "--json"),
    )
    assert done.json["stopped_by"] == "callback"
    assert done.json["best"]["valid_loss"] is None
    assert open_model(tmp_path / "run").layout == FrameLayout(BeatGrid(2), PitchRange(48, 90))
    assert (tmp_path / "run" / "samples" / "epoch_0001_piece_1.mid").is_file()
    assert "train_loss" in (tmp_path / "more.jsonl").read_text()
    other = ("train", "--data", tmp_path / "corpus", "--output", tmp_path / "other")
    assert "Leave out --frames-per-beat" in run(*other, "--frames-per-beat", 4).refused()
    assert "Leave out --pitches" in run(*other, "--pitches", 50, 60).refused()
    assert "without --offset" in run(*other, "--frames-per-beat", 2, "--offset", "auto").refused()


def test_files_that_were_not_used_are_named(run: Run, midi: Path, tmp_path: Path) -> None:
    """A model learns from half of the music, and nobody knows."""
    shutil.copytree(midi, tmp_path / "music")
    (tmp_path / "music" / "broken.mid").write_bytes(b"MThd")
    done = run("train", "--data", tmp_path / "music", *SMALL, *SMALL_MODEL, "--output", tmp_path / "run")
    assert done.code == 0
    assert "left out: 1 of 13 files\n  broken.mid: " in done.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "nowhere.Model"), "--model: there is no class nowhere.Model"),
        (("--model", "NoModel"), "--model: there is no class pianoroll_seq2seq.NoModel"),
        (("--model", "os.path.join"), "is not a class"),
        (("--model", "torch.nn.Linear"), "has no method start()"),
        (("--model", "Seq2SeqLSTM", "--model.hiden", 3), "Did you mean --model.hidden-size?"),
        (("--model.hidden-size", "many"), "--model.hidden-size"),
        (("--model.hidden-size", 0), "--model Seq2SeqLSTM: hidden_size"),
        (("--head", "torch.nn.Linear"), "--head torch.nn.Linear: the class has no method"),
        (("--optimizer", "torch.nn.Linear"), "--optimizer torch.nn.Linear: the class has no method"),
        (("--optimizer", "SGD", "--optimizer.momentun", 1), "Did you mean --optimizer.momentum?"),
        (("--optimizer", "SGD", "--optimizer.lr", -1), "--optimizer SGD: cannot be built"),
        (("--data", "nowhere"), "nowhere: neither a folder of MIDI files or a corpus, nor one of the data sets"),
        (("--device", "teapot"), "--device teapot"),
        (("--hop", 0), "--hop"),
        (("--valid", 2), "--valid"),
        (("--threads", 0), "--threads"),
        (("--seed", -1), "--seed"),
        (("--batch-size", 0), "--batch-size"),
        (("--config", "nowhere.yaml"), "nowhere.yaml"),
        (("--schedule", "steep"), "--schedule steep: expected constant, cosine, or the import path"),
        (("--frames-per-beat", 4, "--frame-seconds", 0.1), "not both"),
        (("--offset", "auto", "--frame-seconds", 0.1), "--offset auto is for a grid in beats"),
        (("--offset", 37), "--offset"),
        (("--condition", "scale", "--model", "CopyingLSTM"), "Leave out --condition"),
        (("--transpose", 2, 3), "semitones"),
        (("--transpose", -2.5, 3), "--transpose"),
        (("--pitches", 60.5, 70), "--pitches"),
        (("--pitches", 70, 60), "lowest <= highest"),
        (("--program", 1.5), "--program"),
    ],
)
def test_mistakes(run: Run, midi: Path, tmp_path: Path, options: tuple[object, ...], words: str) -> None:
    """A slip ends in a traceback, or in hours of another training than was meant."""
    data = () if "--data" in options else ("--data", midi)
    windows = ("--epochs", 1, "--input-frames", 8, "--target-frames", 8)
    assert words in run("train", *data, *windows, *options, "--output", tmp_path / "run").refused()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochz: 3\n", "Unknown option: 'epochz' from"),
        ("model:\n  class: Seq2SeqLSTM\n  hiden: 3\n", "Unknown option: 'model.hiden' from"),
        ("model:\n  class: nowhere.Model\n", "nowhere"),
        ("epochs: [1, 2\n", "config.yaml"),
        ("just words\n", "config.yaml"),
        ("3: 4\n", "config.yaml"),
        ("epochs: many\n", "'epochs' from"),
        ("epochs: 2.5\n", "'epochs' from"),
        ("onsets: perhaps\n", "'onsets' from"),
        ("pitches: 60\n", "expected two whole numbers"),
        ("pitches: [40, 60, 80]\n", "expected two whole numbers"),
        ("transpose: [1]\n", "expected two whole numbers"),
        ("model: {hidden_size: x}\n", "'model.hidden_size' from"),
        ("json: !!python/object/apply:os.getcwd []\n", "not YAML"),
    ],
)
def test_mistakes_in_yaml(run: Run, tmp_path: Path, text: str, words: str) -> None:
    """A typing error in a file is passed over, or ends in a traceback; or a file runs code."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    message = run("train", "--config", path, "--output", tmp_path / "run").refused()
    assert words in message
    assert "config.yaml" in message or "nowhere" in message
    assert not (tmp_path / "run").exists()


def test_replaced_files_are_refused(run: Run, midi: Path, tmp_path: Path) -> None:
    """A run goes on with other music, because the folder has the same name."""
    data, output = tmp_path / "data", tmp_path / "run"
    shutil.copytree(midi, data)
    command = ("train", "--data", data, *SMALL_WINDOWS, *SMALL_MODEL, "--schedule", "constant", "--output", output)
    assert run(*command, "--epochs", 1).code == 0
    before = {path.name: path.read_bytes() for path in output.iterdir() if path.name != "metrics.jsonl"}
    for number, path in enumerate(sorted(data.rglob("*.mid"))):
        roll = PianoRoll.from_midi(path)
        roll[number % 4 + 1 :].to_midi(path, overwrite=True)
    message = run(*command, "--epochs", 2).refused()
    assert "the training pieces are others" in message
    assert "--output" in message
    assert {path.name: path.read_bytes() for path in output.iterdir() if path.name != "metrics.jsonl"} == before


@pytest.mark.parametrize("schedule", ["constant", "cosine", "my_model.slow_start"])
def test_more_epochs(run: Run, midi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedule: str) -> None:
    """`--epochs 4` after 2 is refused, gives another run than 4 at once, or the refusal does not say what to do."""
    (tmp_path / "my_model.py").write_text(OWN_MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    command = ("train", "--data", midi, *SMALL_WINDOWS, *SMALL_MODEL, "--schedule", schedule)
    one, whole = tmp_path / "one", tmp_path / "whole"
    assert run(*command, "--epochs", 1, "--output", one).code == 0
    done = run(*command, "--epochs", 2, "--output", one)
    if schedule == "cosine":
        message = done.refused()
        assert "its schedule, cosine_schedule(warmup=0.05), spans all epochs" in message
        assert "--schedule constant" in message
        assert yaml.safe_load((one / "config.yaml").read_text())["epochs"] == 1
        return
    assert done.code == 0, done.err
    assert yaml.safe_load((one / "config.yaml").read_text())["epochs"] == 2
    assert run(*command, "--epochs", 2, "--output", whole).code == 0
    assert losses(one) == losses(whole)
    for name in ("generated.mid", "scores.json"):
        assert (one / name).read_bytes() == (whole / name).read_bytes()


def test_onsets_are_modelled_unless_told_otherwise(run: Run, midi: Path, tmp_path: Path) -> None:
    """Repeated notes are glued in all music that the command trains; or a head does not know what an onset is."""
    for options, onsets, head in (
        ((), True, "RelativeBernoulliHead"),
        (("--model", "Seq2SeqLSTM"), True, "NotesHead"),
        (("--no-onsets",), False, "RelativeBernoulliHead"),
    ):
        output = tmp_path / "-".join(("run", *options))
        done = run("train", "--data", midi, *SMALL, *options, "--model.hidden-size", 8, "--output", output)
        assert done.code == 0, done.err
        opened = open_model(output)
        assert opened.layout.has_onsets is onsets
        assert type(opened.model.head).__name__ == head  # type: ignore[attr-defined]
        assert "note:" not in done.err
    options = ("--model", "Seq2SeqLSTM", "--model.hidden-size", 8, "--head", "BernoulliHead")
    done = run("train", "--data", midi, *SMALL, *options, "--output", tmp_path / "independent")
    assert "note: the head BernoulliHead decides independently" in done.err


def test_harmonizations_of_a_tune_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation and test have tunes that were trained on."""
    pitches = [[60, 62, 64, 65, 67, 69, 71, 72], [72, 64, 67, 60, 62, 69, 65, 71]]

    def chorale(number: int) -> Chorale:
        onset = 480 * np.arange(8)
        notes = NoteTable(
            onset, onset + 480, np.array(pitches[number % 2]) - number // 2, np.full(8, 90), np.zeros(8, int)
        )
        score = Score(notes, TempoMap(480))
        return Chorale(f"bwv{number}", f"title {number}", score, "", "4/4", str(number % 4))

    chorales = {f"bwv{number}": chorale(number) for number in range(16)}
    monkeypatch.setattr(data_module, "_bach_chorales", lambda: chorales)
    split = data_module.read_split(data_module.Source("bach-chorales"), valid=0.25, test=0.25, seed=0).split
    tunes = [{chorales[roll.name].tune for roll in rolls} for rolls in split]
    assert all(tunes)
    assert sum(map(len, tunes)) == 4
