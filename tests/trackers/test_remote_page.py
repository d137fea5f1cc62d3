"""The block of docs/remote.md that needs MLflow, as a reader pastes it."""

import os
from pathlib import Path

import numpy as np
import pytest
from documents import DOCS, blocks_of
from layouts import active_windows
from mlflow_server import needs_mlflow

from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll

pytestmark = [
    pytest.mark.mlflow,
    # The local store itself calls a deprecated function.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
]


def test_the_block_on_trackers_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The block that logs to two places does not run, or one of them gets nothing."""
    needs_mlflow()
    for name in os.environ:
        if name.startswith("MLFLOW_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    [block] = [block for block in blocks_of(DOCS / "remote.md") if block.what == "MLflow"]

    roll = PianoRoll.from_active(np.eye(88, dtype=bool)[:32])
    windows = active_windows([roll], input_frames=8, target_frames=8, hop=8)
    roll.to_midi("runs/generated.mid")
    exec(
        compile(block.text, block.place, "exec"),
        {"train": windows, "valid": windows, "model": Seq2SeqLSTM(88, hidden_size=4)},
    )

    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name("scale-chords")
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert len(client.get_metric_history(run.info.run_id, "train_loss")) == 20
    assert len(Path("runs/events.jsonl").read_text(encoding="utf-8").splitlines()) > 20
