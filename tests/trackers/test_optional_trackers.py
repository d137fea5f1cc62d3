"""The trackers of TensorBoard and Weights & Biases without their packages, in other processes, and outside ``with``."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pianoroll_seq2seq.errors import MissingExtraError, SettingsError
from pianoroll_seq2seq.trackers.base import Tracker
from pianoroll_seq2seq.trackers.tensorboard import TensorBoardTracker
from pianoroll_seq2seq.trackers.wandb import WandbTracker

MAKE: dict[str, Callable[[Path], TensorBoardTracker | WandbTracker]] = {
    "tensorboard": lambda folder: TensorBoardTracker(folder / "run"),
    "wandb": lambda folder: WandbTracker("scales", mode="offline", folder=folder),
}


@pytest.mark.parametrize("package", MAKE)
def test_the_error_names_the_extra(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    tracker: Tracker = MAKE[package](tmp_path)
    with pytest.raises(MissingExtraError, match=rf"pianoroll-seq2seq\[{package}\]"), tracker:
        pytest.fail("not reached")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("variable", ["RANK", "OMPI_COMM_WORLD_RANK"])
@pytest.mark.parametrize("package", MAKE)
def test_the_other_processes_do_nothing(
    package: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every metric arrives once for each process, or each process begins a run."""
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setenv(variable, "1")
    with MAKE[package](tmp_path) as tracker:
        tracker.log_params({"seed": 1})
        tracker.log_metrics({"loss": 0.5}, step=3)
        tracker.log_artifact(tmp_path / "not there.mid")
        tracker.log_media("piece_1", tmp_path / "not there.png", step=3)
        tracker.flush()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", MAKE)
def test_use_outside_with_says_how(package: str, tmp_path: Path) -> None:
    """Metrics logged before ``with`` are silently lost."""
    tracker = MAKE[package](tmp_path)
    for use in (
        lambda: tracker.log_metrics({"loss": 1.0}, step=1),
        lambda: tracker.log_params({"seed": 0}),
        lambda: tracker.log_artifact("model"),
        lambda: tracker.log_media("piece_1", "piece_1.png", step=1),
        lambda: tracker.log_media("piece_1", "piece_1.mid", step=1),
        tracker.flush,
    ):
        with pytest.raises(SettingsError, match=rf"with {type(tracker).__name__}"):
            use()


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_flush_seconds_must_be_above_0(seconds: float) -> None:
    with pytest.raises(SettingsError, match="flush_seconds"):
        WandbTracker(flush_seconds=seconds)
