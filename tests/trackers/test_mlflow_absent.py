"""The MLflow tracker without MLflow."""

import os
import sys
from pathlib import Path

import pytest

from pianoroll_seq2seq.errors import MissingExtraError, SettingsError
from pianoroll_seq2seq.trackers.mlflow import MLflowTracker
from pianoroll_seq2seq.trackers.mlflow_run import mlflow_name


@pytest.fixture(autouse=True)
def no_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    for name in os.environ:
        if name.startswith("MLFLOW_"):
            monkeypatch.delenv(name)


def test_the_error_names_the_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"pianoroll-seq2seq\[mlflow\]"), MLflowTracker():
        pytest.fail("not reached")
    assert not [name for name in os.environ if name.startswith("MLFLOW_")]


@pytest.mark.parametrize("variable", ["RANK", "OMPI_COMM_WORLD_RANK"])
def test_the_other_processes_do_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str) -> None:
    """Every metric arrives once for each process, or each process begins a run."""
    monkeypatch.setenv(variable, "1")
    with MLflowTracker("scales", run_id="17") as tracker:
        tracker.log_params({"seed": 1})
        tracker.log_metrics({"loss": 0.5}, step=3)
        tracker.log_artifact(tmp_path / "not there.mid")
        tracker.flush()
    assert tracker.run_id == "17"


def test_use_outside_with_says_how() -> None:
    """Metrics logged before ``with`` are silently lost."""
    tracker = MLflowTracker()
    for use in (
        lambda: tracker.log_metrics({"loss": 1.0}, step=1),
        lambda: tracker.log_params({"seed": 0}),
        lambda: tracker.log_artifact("model"),
        tracker.flush,
    ):
        with pytest.raises(SettingsError, match="with MLflowTracker"):
            use()


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_flush_seconds_must_be_above_0(seconds: float) -> None:
    with pytest.raises(SettingsError, match="flush_seconds"):
        MLflowTracker(flush_seconds=seconds)


@pytest.mark.parametrize("password", ["pa55word", "p@ss/w:rd", "p%40ss"])
def test_passwords_are_not_shown(password: str) -> None:
    assert password not in repr(MLflowTracker(tracking_uri=f"https://me:{password}@example.org/mlflow"))
    assert "example.org/mlflow" in repr(MLflowTracker(tracking_uri=f"https://me:{password}@example.org/mlflow"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train_loss", "train_loss"),
        ("valid/loss at.1", "valid/loss at.1"),
        ("loss@5 (best)", "loss_5 _best_"),
        ("", "_"),
        (".", "_"),
        ("../../etc", "______etc"),
        ("/root", "_root"),
        ("a//b", "a__b"),
        ("x" * 300, "x" * 250),
        ("Verlust ä", "Verlust ä"),
    ],
)
def test_names_become_those_that_mlflow_accepts(name: str, expected: str) -> None:
    """One odd name makes MLflow refuse a whole batch of metrics."""
    assert mlflow_name(name) == expected
