"""``train``: any model on any music, again and on."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from command_line import SMALL, SMALL_MODEL, Run

from pianoroll_seq2seq import BeatGrid, History, PitchRange, build_corpus, open_model
from pianoroll_seq2seq.checkpoint import read_header

OWN_MODEL = '''
"""A model of a user's."""

import torch
from torch import nn

from pianoroll_seq2seq import Bernoulli


class Rising(nn.Module):
    def __init__(self, pitches: int, width: int = 3):
        super().__init__()
        self.width = width
        self.pitches = pitches
        self.logits = nn.Linear(pitches, pitches)

    def forward(self, inputs, targets):
        return Bernoulli(self.logits(torch.cat([inputs[:, -1:], targets[:, :-1]], dim=1)))

    def start(self, primer):
        return Bernoulli(self.logits(primer[:, -1])), None

    def advance(self, frame, state):
        return Bernoulli(self.logits(frame)), None

    def settings(self):
        return {"pitches": self.pitches, "width": self.width}


class Broken(Rising):
    def __init__(self, pitches: int):
        raise ValueError("out of order")
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
    assert scores["test"]["frames"] > 0
    assert open_model(small_run).grid == BeatGrid(4)


def test_the_configuration_repeats_the_run_to_the_last_digit(run: Run, small_run: Path, here: Path) -> None:
    """A result cannot be had again; or only where the run was begun."""
    done = run("train", "--config", small_run / "config.yaml", "--output", "again", "--json")
    assert losses(here / "again") == losses(small_run)
    assert done.json["best"]["train_loss"] == losses(small_run)[0][0]
    assert (here / "again" / "generated.mid").read_bytes() == (small_run / "generated.mid").read_bytes()
    first, second = (yaml.safe_load((folder / "config.yaml").read_text()) for folder in (small_run, here / "again"))
    assert first | {"output": "again"} == second


def test_the_same_command_goes_on(run: Run, midi: Path, tmp_path: Path) -> None:
    """What was interrupted begins anew; or a run is overwritten by another."""
    given = ["train", "--data", midi, *SMALL, *SMALL_MODEL, "--schedule", "constant", "--output", tmp_path / "run"]
    assert run(*given).code == 0
    before = losses(tmp_path / "run")
    again = run(*given)
    assert "going on with the run" in again.err
    assert losses(tmp_path / "run") == before
    further = run(*given, "--epochs", 2)
    assert further.code == 0
    assert losses(tmp_path / "run")[:1] == before
    assert len(losses(tmp_path / "run")) == 2
    assert "batch_size 32, now 16" in run(*given, "--batch_size", 16).refused()
    assert "'hidden': 9" in run(*given, "--model.hidden", 9).refused()
    assert losses(tmp_path / "run")[:1] == before
    (tmp_path / "mine.txt").write_text("keep")
    assert "not of a run" in run(*given, "--output", tmp_path / "mine.txt").refused()
    assert "not of a run" in run(*given, "--output", tmp_path).refused()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--head", "pianoroll_seq2seq.NADEHead", "--head.hidden", 5), {"hidden": 8, "pitches": 33}),
        (("--model.head.class_path", "pianoroll_seq2seq.BernoulliHead"), {"pitches": 33}),
        (("--model.decoder", "parallel"), {"block_frames": 8}),
        (("--condition", "scale"), {"condition_size": 12}),
        (("--onsets", "--head", "pianoroll_seq2seq.NotesHead"), {"pitches": 66}),
        (("--pitches.lowest", 40, "--pitches.highest", 90), {"pitches": 51}),
    ],
)
def test_sizes_that_follow_from_the_data_are_filled_in(
    run: Run, midi: Path, tmp_path: Path, options: tuple[object, ...], expected: dict[str, int]
) -> None:
    """A user must count pitches, features or target frames."""
    done = run("train", "--data", midi, *SMALL, *SMALL_MODEL, *options, "--output", tmp_path / "run")
    assert done.code == 0, done.err
    found = settings(tmp_path / "run")
    assert {name: found[name] for name in expected} == expected


def test_what_failed_at_once_does_not_stand_in_the_way(run: Run, midi: Path, tmp_path: Path) -> None:
    """After a mistake in the options, the mended command is refused, too."""
    given = ("train", "--data", midi, *SMALL, *SMALL_MODEL, "--output", tmp_path / "run")
    for wrong in (("--input_frames", 100_000), ("--batch_size", 0), ("--device", "teapot")):
        assert run(*given, *wrong).refused()
    assert run(*given).code == 0


def test_another_model_takes_no_defaults_of_the_first(run: Run, midi: Path, tmp_path: Path) -> None:
    """Options of the default model are mixed into that which was asked for."""
    options = ("--model", "pianoroll_seq2seq.CopyingLSTM", "--model.hidden", 8, "--model.copies", 1)
    options += ("--head", "pianoroll_seq2seq.BernoulliHead")
    done = run("train", "--data", midi, *SMALL, *options, "--output", tmp_path / "run")
    assert done.code == 0, done.err
    assert {name: settings(tmp_path / "run")[name] for name in ("hidden", "dropout")} == {"hidden": 8, "dropout": 0.0}


def test_the_default_is_what_two_words_train(run: Run) -> None:
    """`train` alone, or with a size changed, is another model than the documented one."""
    shown = yaml.safe_load(run("train", "--model.hidden", 12, "--print_config").out)
    assert shown["data"] == "scale-chords"
    assert shown["model"]["class_path"] == "pianoroll_seq2seq.Seq2SeqLSTM"
    assert shown["model"]["init_args"]["hidden"] == 12
    assert shown["model"]["init_args"]["dropout"] == 0.2
    assert shown["head"]["class_path"] == "pianoroll_seq2seq.RelativeBernoulliHead"
    assert shown["optimizer"]["init_args"]["lr"] == 0.003
    plain = yaml.safe_load(run("train", "--optimizer", "torch.optim.SGD", "--optimizer.lr", 0.1, "--print_config").out)
    assert plain["optimizer"]["init_args"]["weight_decay"] == 0  # SGD's own


def test_a_model_of_ones_own(run: Run, midi: Path, here: Path) -> None:
    """A class in a file beside one cannot be trained, or not be used afterwards."""
    (here / "rising_model.py").write_text(OWN_MODEL)
    given = ("--model", "rising_model.Rising", "--model.width", 7)
    assert run("train", "--data", midi, *SMALL, *given, "--output", "run").code == 0
    assert settings(here / "run") == {"pitches": 33, "width": 7}
    written = run("generate", "--model", "run", "--classes", "rising_model.Rising", "--beats", 4, "--output", "a.mid")
    assert written.code == 0, written.err
    assert "rising_model" in run("generate", "--model", "run", "--beats", 4, "--output", "b.mid").refused()
    bad = run("train", "--data", midi, *SMALL, "--model", "rising_model.Broken", "--output", "broken")
    assert "Broken cannot be built" in bad.refused()


def test_a_corpus_callbacks_samples_and_a_tracker(run: Run, midi: Path, tmp_path: Path) -> None:
    """What a script can do, the command cannot."""
    build_corpus(midi, tmp_path / "corpus", grid=BeatGrid(2), pitches=PitchRange(48, 90), progress=False)
    done = run(
        *("train", "--data", tmp_path / "corpus", *SMALL, *SMALL_MODEL, "--epochs", 3, "--output", tmp_path / "run"),
        *("--on_epoch+=pianoroll_seq2seq.StopAfter", "--on_epoch.seconds=0", "--sample_every", 1),
        *("--tracker", "pianoroll_seq2seq.JsonlTracker", "--tracker.path", tmp_path / "more.jsonl"),
        *("--valid", 0, "--augmentation.semitones", "[-2, 2]", "--json"),
    )
    assert done.json["stopped_by"] == "callback"
    assert done.json["best"]["valid_loss"] is None
    assert open_model(tmp_path / "run").pitches == PitchRange(48, 90)
    assert (tmp_path / "run" / "samples" / "epoch_0001_piece_1.mid").is_file()
    assert "train_loss" in (tmp_path / "more.jsonl").read_text()
    refused = run("train", "--data", tmp_path / "corpus", "--grid.frames_per_beat", 4, "--output", tmp_path / "other")
    assert "Leave out --grid" in refused.refused()


def test_files_that_were_not_used_are_named(run: Run, midi: Path, tmp_path: Path) -> None:
    """A model learns from half of the music, and nobody knows."""
    shutil.copytree(midi, tmp_path / "music")
    (tmp_path / "music" / "broken.mid").write_bytes(b"MThd")
    done = run("train", "--data", tmp_path / "music", *SMALL, *SMALL_MODEL, "--output", tmp_path / "run")
    assert done.code == 0
    assert "not used: " in done.err
    assert "broken.mid" in done.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "nowhere.Model"), "nowhere"),
        (("--model", "torch.nn.Linear"), "does not implement protocol Model"),
        (("--model", "pianoroll_seq2seq.Seq2SeqLSTM", "--model.hiden", 3), "hiden"),
        (("--model.hidden", "many"), "hidden"),
        (("--model.hidden", 0), "must be at least 1"),
        (("--head", "torch.nn.Linear"), "Head"),
        (("--optimizer", "torch.nn.Linear"), "optimizer"),
        (("--optimizer", "torch.optim.SGD", "--optimizer.momentun", 1), "momentun"),
        (("--data", "nowhere"), "neither a folder of MIDI files or a corpus, nor one of the sets scale-chords"),
        (("--device", "teapot"), "--device teapot"),
        (("--input_frames", 100_000), "No windows"),
        (("--valid", 2), "valid and test must be shares"),
        (("--threads", 0), "threads"),
        (("--batch_size", 0), "batch_size"),
        (("--config", "nowhere.yaml"), "nowhere.yaml"),
        (("--schedule", "steep"), "schedule"),
    ],
)
def test_mistakes(run: Run, midi: Path, tmp_path: Path, options: tuple[object, ...], words: str) -> None:
    """A slip ends in a traceback, or in hours of another training than was meant."""
    given = () if "--data" in options else ("--data", midi)
    assert words in run("train", *given, *SMALL, *options, "--output", tmp_path / "run").refused()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochz: 3\n", "epochz"),
        ("model:\n  class_path: pianoroll_seq2seq.Seq2SeqLSTM\n  init_args:\n    hiden: 3\n", "hiden"),
        ("model:\n  class_path: nowhere.Model\n", "nowhere"),
        ("epochs: [1, 2\n", "config.yaml"),
        ("just words\n", "config.yaml"),
        ("epochs: many\n", "epochs"),
    ],
)
def test_mistakes_in_yaml(run: Run, tmp_path: Path, text: str, words: str) -> None:
    """A typing error in a file is passed over, or ends in a traceback."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert words in run("train", "--config", path, "--output", tmp_path / "run").refused()
    assert not (tmp_path / "run").exists()
