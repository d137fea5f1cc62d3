"""Runs as lines of JSON."""

import json
import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from azurite import KEY
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq import JsonlTracker
from pianoroll_seq2seq.errors import SettingsError

_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


def _strict_lines(path: Path) -> list[dict[str, Any]]:
    """The lines, read by a strict JSON parser, which refuses NaN."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_bytes().decode("utf-8").split("\n")[:-1]]


@given(
    params=st.dictionaries(st.text(), _values),
    metrics=st.dictionaries(st.text(), st.floats() | st.integers(-(2**53), 2**53)),
    step=st.integers(0),
)
def test_every_line_is_json(
    tmp_path_factory: pytest.TempPathFactory,
    params: dict[str, str | int | float | bool | None],
    metrics: dict[str, float],
    step: int,
) -> None:
    """Other programs cannot read the file: a NaN, a name with a line break in it, an odd character."""
    path = tmp_path_factory.mktemp("jsonl") / "events.jsonl"
    with JsonlTracker(path) as tracker:
        tracker.log_params(params)
        tracker.log_metrics(metrics, step=step)
        tracker.log_artifact(Path("runs") / "model.safetensors")
    running, first, second, third, finished = _strict_lines(path)
    assert running["status"] == "running"
    assert first["params"] == {name: _finite(value) for name, value in params.items()}
    assert second["metrics"] == {name: _finite(value) for name, value in metrics.items()}
    assert second["step"] == step
    assert third["artifact"] == str(Path("runs") / "model.safetensors")
    assert finished["status"] == "finished"
    assert "error" not in finished


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def test_a_resumed_run_continues_its_file(tmp_path: Path) -> None:
    """Resuming a run erases its earlier lines."""
    path = tmp_path / "runs" / "events.jsonl"
    for step in (1, 2):
        with JsonlTracker(path) as tracker:
            tracker.log_metrics({"loss": 1.0 / step}, step=step)
    lines = _strict_lines(path)
    assert [line.get("status") for line in lines] == ["running", None, "finished"] * 2
    assert [line["step"] for line in lines if "step" in line] == [1, 2]
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)


def test_an_error_marks_the_run_failed_and_passes(tmp_path: Path) -> None:
    """A run that died looks finished, or its error is swallowed."""
    path = tmp_path / "events.jsonl"
    with pytest.raises(ValueError, match="no such chord"), JsonlTracker(path):
        raise ValueError("no such chord")
    last = _strict_lines(path)[-1]
    assert (last["status"], last["error"]) == ("failed", "ValueError: no such chord")


def test_use_outside_with_says_how(tmp_path: Path) -> None:
    """Metrics logged before `with`, or after it, are silently lost."""
    tracker = JsonlTracker(tmp_path / "events.jsonl")
    for use in (
        lambda: tracker.log_metrics({"loss": 1.0}, step=1),
        lambda: tracker.log_params({"seed": 0}),
        lambda: tracker.log_artifact("model"),
    ):
        with pytest.raises(SettingsError, match="with JsonlTracker"):
            use()
    assert not tracker.path.exists()
    with tracker:
        pass
    with pytest.raises(SettingsError, match="with JsonlTracker"):
        tracker.log_metrics({"loss": 1.0}, step=1)


def test_a_killed_run_keeps_every_line_and_can_continue(tmp_path: Path) -> None:
    """A job that is killed loses its losses, or the next line after a resume is garbled."""
    path = tmp_path / "events.jsonl"
    script = """
import os, signal, sys
from pianoroll_seq2seq import JsonlTracker
with JsonlTracker(sys.argv[1]) as tracker:
    for step in range(3):
        tracker.log_metrics({"loss": 1.0}, step=step)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert [line["step"] for line in _strict_lines(path)[1:]] == [0, 1, 2]
    with path.open("a") as file:
        file.write('{"time": 17, "met')  # a line torn by a full disk or a power cut
    with JsonlTracker(path) as tracker:
        tracker.log_metrics({"loss": 0.5}, step=3)
    after = path.read_text().splitlines()[5:]
    assert [json.loads(line).get("status") for line in after] == ["running", None, "finished"]


def test_other_values_than_the_types_allow(tmp_path: Path) -> None:
    """NumPy's numbers, or NaN within a list, end the run, or make lines that are not JSON."""
    infinite = float("inf")
    with JsonlTracker(tmp_path / "events.jsonl") as tracker:
        tracker.log_params(
            {
                "rates": [1.0, float("nan"), (np.float32("inf"), {"deep": -infinite})],  # type: ignore[dict-item]
                "seed": np.int64(7),  # type: ignore[dict-item]
                "array": np.array([[1.0, np.nan]]),  # type: ignore[dict-item]
                "folder": Path("runs"),  # type: ignore[dict-item]
                "flag": np.bool_(True),  # type: ignore[dict-item]
                "tensor": torch.tensor(2.5),  # type: ignore[dict-item]
            }
        )
        tracker.log_metrics({"loss": np.float32(0.5), "f1": torch.tensor(infinite)}, step=np.int64(20))  # type: ignore[arg-type, dict-item]
    _, params, metrics, _ = _strict_lines(tracker.path)
    assert params["params"] == {
        "rates": [1.0, None, [None, {"deep": None}]],
        "seed": 7,
        "array": [[1.0, None]],
        "folder": "runs",
        "flag": True,
        "tensor": 2.5,
    }
    assert (metrics["metrics"], metrics["step"]) == ({"loss": 0.5, "f1": None}, 20)


def test_secrets_are_not_written(tmp_path: Path) -> None:
    """The settings of a run hold an address with a signature, and everybody who sees the run has it."""
    with JsonlTracker(tmp_path / "events.jsonl") as tracker:
        tracker.log_params(
            {
                "data": "https://acme.blob.core.windows.net/music?sv=1&sig=abcdef",
                "store.account_key": "abcdef",
                "WANDB_API_KEY": "abcdef",
                "hubToken": "abcdef",
                "text": KEY,
                "num_tokens": 7,
                "time_signature": "3/4",
            }
        )
    written = tracker.path.read_text()
    assert "abcdef" not in written
    assert KEY not in written
    assert _strict_lines(tracker.path)[1]["params"]["time_signature"] == "3/4"


def test_a_disk_that_is_full_for_a_while(tmp_path: Path) -> None:
    """Half a line stays in the file, and the lines after it cannot be read."""
    script = """
import resource, sys
from pianoroll_seq2seq import JsonlTracker
with JsonlTracker(sys.argv[1]) as tracker:
    tracker.log_metrics({"loss": 1.0}, step=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, resource.RLIM_INFINITY))
    for step in range(2, 9):
        tracker.log_metrics({"loss": 1.0}, step=step)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    tracker.log_metrics({"loss": 1.0}, step=9)
"""
    path = tmp_path / "events.jsonl"
    ended = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr.count("the lines of the run are not complete")) == (0, 1), ended.stderr
    steps = [line["step"] for line in _strict_lines(path) if "step" in line]
    assert (steps[0], steps[-1]) == (1, 9)
    assert len(steps) < 9


def test_a_path_that_cannot_be_a_file(tmp_path: Path) -> None:
    """A wrong path shows after the training, or as an error without the fix."""
    with pytest.raises(SettingsError, match="Choose another path"), JsonlTracker(tmp_path):
        pytest.fail("not reached")


def test_flush_makes_lines_visible(tmp_path: Path) -> None:
    """A dashboard that follows the file is behind what was logged."""
    with JsonlTracker(tmp_path / "events.jsonl") as tracker:
        tracker.log_metrics({"loss": 1.0}, step=1)
        tracker.flush()
        assert _strict_lines(tracker.path)[-1]["step"] == 1
