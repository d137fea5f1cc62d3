"""The end of a run: what was logged is complete before the run is."""

import contextlib
import os
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from pianoroll_seq2seq.trackers.azureml import AzureMLTracker
from pianoroll_seq2seq.trackers.jsonl import JsonlTracker


@pytest.mark.parametrize("fails", [False, True])
def test_azure_ml_sends_metrics_before_it_ends_the_run(fails: bool) -> None:
    """The last metrics of a run are lost: the client keeps them until it is flushed, and the job ends."""
    run = MagicMock()
    with contextlib.suppress(ValueError), AzureMLTracker(run, local=None) as tracker:
        tracker.log_metrics({"train_loss": float("out of memory" if fails else 1.0)}, step=1)
    calls = [name for name, _, _ in run.method_calls]
    assert calls == (["flush", "fail"] if fails else ["log", "flush", "complete"])


def test_lines_are_on_the_disk_when_the_run_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is taken away after the run, and the last lines were in its memory only."""
    path, synced = tmp_path / "events.jsonl", []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(path.read_text()))
    with JsonlTracker(path) as tracker:
        tracker.log_metrics({"train_loss": 1.0}, step=1)
    assert synced
    assert synced[-1] == path.read_text()
