"""Runs that stop and resume, in one process."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from run_helpers import (
    FILES,
    RecordingTracker,
    fit_small,
    have_same_weights,
    make_model,
    make_windows,
    play,
    read_files,
    without_seconds,
)

from pianoroll_seq2seq import (
    BeatGrid,
    History,
    JsonlTracker,
    NoTracker,
    PitchRange,
    Seq2SeqLSTM,
    Tracker,
    cosine_schedule,
)
from pianoroll_seq2seq.checkpoint import load, read_header
from pianoroll_seq2seq.errors import CheckpointError, OverwriteError

pytestmark = pytest.mark.usefixtures("one_thread")


def run(folder: Path | None, tracker: Tracker = NoTracker(), **changes: Any) -> tuple[Seq2SeqLSTM, Any, History]:
    """A run with everything that could differ after a restart: dropout, noise, a schedule, the optimizer's state."""
    model = make_model(dropout=0.3, input_noise=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.1)
    arguments = {"epochs": 4, "schedule": cosine_schedule(0.2), "seed": 11} | changes
    history = fit_small(
        model, make_windows(), make_windows(1), optimizer=optimizer, checkpoint_dir=folder, tracker=tracker, **arguments
    )
    return model, optimizer, history


def assert_same_run(resumed: tuple[Seq2SeqLSTM, Any, History], whole: tuple[Seq2SeqLSTM, Any, History]) -> None:
    assert without_seconds(resumed[2]) == without_seconds(whole[2])
    assert have_same_weights(resumed[0], whole[0])
    ours, theirs = resumed[1].state_dict()["state"], whole[1].state_dict()["state"]
    assert ours.keys() == theirs.keys()
    for index, entries in theirs.items():
        assert all(torch.equal(ours[index][key], value) for key, value in entries.items())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("finished")
    run(folder)
    return folder


@pytest.fixture(scope="module")
def whole() -> tuple[Seq2SeqLSTM, Any, History]:
    """The uninterrupted run."""
    return run(None)


@pytest.mark.parametrize("epoch", [1, 2, 3, 4])
def test_interrupted_and_resumed(tmp_path: Path, whole: tuple[Seq2SeqLSTM, Any, History], epoch: int) -> None:
    """After Ctrl-C and a restart, a run ends with another model than if it had never stopped."""

    def interrupt(now: int) -> None:
        if now == epoch:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, RecordingTracker(interrupt))
    diary = RecordingTracker()
    assert_same_run(run(tmp_path, diary), whole)
    assert [metrics["epoch"] for _, metrics in diary.metrics] == list(range(epoch, 5))


@pytest.mark.parametrize(
    "write", [*range(1, 5), 8, 12, *(pytest.param(number, marks=pytest.mark.slow) for number in (5, 6, 7, 9, 10, 11))]
)
def test_stopped_at_any_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: tuple[Seq2SeqLSTM, Any, History], write: int
) -> None:
    """A run that stopped while it wrote a checkpoint cannot resume, or resumes with another result."""
    count = 0
    fsync = os.fsync

    def stop(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == write:
            raise KeyboardInterrupt
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", stop)
    try:
        run(tmp_path)
    except KeyboardInterrupt:
        monkeypatch.undo()
        assert_same_run(run(tmp_path), whole)
    else:
        assert count < write  # the run writes less often than this


def test_two_epochs_and_then_two_more(tmp_path: Path) -> None:
    """More epochs of a finished run give another model than all epochs at once."""
    whole = run(None, schedule=None)
    first = run(tmp_path, epochs=2, schedule=None)
    assert first[2].stopped_by == "epochs"
    assert_same_run(run(tmp_path, schedule=None), whole)


def test_resuming_keeps_an_earlier_best(tmp_path: Path) -> None:
    """After a restart the best weights are forgotten when all later epochs are worse."""
    history, _ = play([1.0, 3.0], checkpoint_dir=tmp_path)
    assert history.best_epoch == 1
    history, model = play([2.0, 2.0], checkpoint_dir=tmp_path, epochs=4)
    assert history.train_losses == [1.0, 3.0, 2.0, 2.0]
    assert (history.best_epoch, float(model.weight.detach())) == (1, -1.0)


def test_patience_counts_across_a_restart(tmp_path: Path) -> None:
    """Each restart resets the patience, so a run that is restarted often never stops."""
    play([1.0, 3.0], checkpoint_dir=tmp_path, patience=3)
    history, _ = play([2.0, 2.0, 2.0], checkpoint_dir=tmp_path, epochs=9, patience=3)
    assert (len(history.epochs), history.stopped_by) == (4, "patience")


@pytest.mark.parametrize("stopped_by", ["epochs", "patience"])
def test_a_finished_run_returns_at_once(tmp_path: Path, stopped_by: str) -> None:
    """Running a notebook again trains again."""
    patience = 1 if stopped_by == "patience" else None
    history, model = play([1.0, 2.0, 3.0], checkpoint_dir=tmp_path, patience=patience)
    assert history.stopped_by == stopped_by
    before = read_files(tmp_path)
    diary = RecordingTracker()
    again, model_again = play([], checkpoint_dir=tmp_path, epochs=3, patience=patience, tracker=diary)
    assert again == history
    assert have_same_weights(model, model_again)
    assert diary.metrics == []
    assert read_files(tmp_path) == before


def test_a_run_is_not_overwritten(finished: Path) -> None:
    """A second experiment in the same folder destroys the first."""
    before = read_files(finished)
    with pytest.raises(OverwriteError, match="checkpoint_dir"):
        run(finished, resume=False)
    assert read_files(finished) == before


def test_resume_may_be_off_for_a_new_run(tmp_path: Path, whole: tuple[Seq2SeqLSTM, Any, History]) -> None:
    """resume=False refuses an empty folder."""
    assert_same_run(run(tmp_path / "new", resume=False), whole)


@pytest.mark.parametrize(
    ("change", "key", "named"),
    [
        ({"seed": 12}, "run", "seed was 11 and is now 12"),
        ({"batch_size": 6}, "run", "batch_size was 4 and is now 6"),
        ({"clip_norm": None}, "run", "clip_norm was 1.0 and is now None"),
        ({"schedule": None}, "run", r"schedule was cosine_schedule\(warmup=0.2\) and is now constant"),
        ({"monitor": "train_loss"}, "run", "monitor was valid_loss and is now train_loss"),
        ({"optimizer": "rate"}, "run", "learning_rate was 0.05 and is now 0.01"),
        ({"optimizer": "kind"}, "run", "optimizer was AdamW and is now Adam"),
        ({"model": {"hidden_size": 7}}, "model", "hidden_size was 6 and is now 7"),
        ({"model": {"dropout": 0.2}}, "model", "dropout was 0.3 and is now 0.2"),
        ({"train": {"frames": 30}}, "run", "windows was 18 and is now 23"),
        ({"train": {"grid": BeatGrid(2)}}, "data", "frames_per_beat was 4 and is now 2"),
        ({"train": {"pitches": PitchRange(59, 63)}}, "data", "lowest was 60 and is now 59"),
        ({"train": {"input_frames": 3, "target_frames": 5}}, "data", "input_frames was 4 and is now 3"),
    ],
    ids=str,
)
def test_another_run_is_not_resumed(finished: Path, change: dict[str, Any], key: str, named: str) -> None:
    """A run resumes with another model, other data or other settings, and its history mixes both."""
    before = read_files(finished)
    change = dict(change)
    model = make_model(**{"dropout": 0.3, "input_noise": 0.1} | change.pop("model", {}))
    kind = change.pop("optimizer", "")
    optimizer = (torch.optim.Adam if kind == "kind" else torch.optim.AdamW)(
        model.parameters(), lr=0.01 if kind == "rate" else 0.05, weight_decay=0.1
    )
    arguments = {"epochs": 4, "schedule": cosine_schedule(0.2), "seed": 11}
    layout = change.pop("train", {})
    windows, valid = make_windows(**layout), make_windows(1, **layout)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=rf"last\.safetensors: cannot resume this run: .*{key}\.\S*{named}"):
        fit_small(model, windows, valid, optimizer=optimizer, checkpoint_dir=finished, **arguments | change)
    assert read_files(finished) == before
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_validation_windows_cannot_appear_halfway(tmp_path: Path) -> None:
    """A run that gets validation windows when it resumes fails with an internal error, or compares different losses."""
    fit_small(make_model(), make_windows(), epochs=1, checkpoint_dir=tmp_path)
    with pytest.raises(CheckpointError, match=r"monitor was train_loss and is now valid_loss"):
        fit_small(make_model(), make_windows(), make_windows(1), epochs=2, checkpoint_dir=tmp_path)
    history = fit_small(
        make_model(), make_windows(), make_windows(1), epochs=2, monitor="train_loss", checkpoint_dir=tmp_path
    )
    assert [epoch.valid_loss is None for epoch in history.epochs] == [True, False]


@pytest.mark.parametrize("damage", ["gone", "cut short"])
def test_a_lost_best_checkpoint_is_written_again(tmp_path: Path, damage: str) -> None:
    """A run whose best weights were deleted or damaged ends with others, or without a file of them."""
    whole = run(tmp_path)
    best = tmp_path / "best.safetensors"
    if damage == "gone":
        best.unlink()
    else:
        best.write_bytes(best.read_bytes()[:100])
    assert_same_run(run(tmp_path), whole)
    assert have_same_weights(load(best), whole[0])


def test_checkpoint_folder_holds_the_history(tmp_path: Path) -> None:
    """The record in the run's folder is not that of the run."""
    *_, history = run(tmp_path / "runs" / "first")
    assert History.load(tmp_path / "runs" / "first" / "history.jsonl") == history
    assert set(read_files(tmp_path / "runs" / "first")) == FILES
    details = read_header(tmp_path / "runs" / "first" / "best.safetensors")["details"]
    layout = details["data"]["layout"]["settings"]
    assert layout["pitches"]["settings"] == {"lowest": 60, "highest": 64}
    assert layout["grid"]["settings"] == {"frames_per_beat": 4}


def test_the_history_is_written_during_training(tmp_path: Path) -> None:
    """The progress of a long run is not visible."""
    seen: list[int] = []

    def look(epoch: int) -> None:
        if epoch > 1:
            history = History.load(tmp_path / "history.jsonl")
            assert history.stopped_by is None
            seen.append(len(history.epochs))

    run(tmp_path, RecordingTracker(look))
    assert seen == [1, 2, 3]


def test_tracker_gets_every_epoch(whole: tuple[Seq2SeqLSTM, Any, History]) -> None:
    """Curves in the tracker differ from the history, lack epochs, or have wrong steps."""
    diary = RecordingTracker()
    run(None, diary)
    epochs = whole[2].epochs
    assert [step for step, _ in diary.metrics] == [epoch.step for epoch in epochs] == [5, 10, 15, 20]
    for (_, metrics), epoch in zip(diary.metrics, epochs, strict=True):
        assert metrics.pop("seconds") > 0
        assert metrics == {
            "epoch": epoch.epoch,
            "train_loss": epoch.train_loss,
            "valid_loss": epoch.valid_loss,
            "learning_rate": epoch.learning_rate,
        }
    assert diary.params == [
        {
            "seed": 11,
            "batch_size": 4,
            "accumulate": 1,
            "windows": 18,
            "optimizer": "AdamW",
            "learning_rate": 0.05,
            "clip_norm": 1.0,
            "ema_decay": None,
            "augmentation": None,
            "precision": "auto",
            "schedule": "cosine_schedule(warmup=0.2)",
            "epochs": 4,
            "monitor": "valid_loss",
            "model": "Seq2SeqLSTM",
        }
    ]
    assert diary.flushed_after == [4]


def test_the_tracker_of_a_resumed_run_gets_the_missing_epochs(tmp_path: Path) -> None:
    """The lines of a resumed run are not those that were missing."""

    def train(epochs: int) -> None:
        with JsonlTracker(tmp_path / "events.jsonl") as tracker:
            run(tmp_path, tracker, epochs=epochs, schedule=None)

    train(2)
    train(4)
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["metrics"]["epoch"] for line in lines if "metrics" in line] == [1, 2, 3, 4]
    assert [line["step"] for line in lines if "metrics" in line] == [5, 10, 15, 20]
