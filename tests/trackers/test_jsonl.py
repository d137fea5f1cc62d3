"""Runs as lines of JSON."""

import json
import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
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


def test_flush_makes_lines_visible(tmp_path: Path) -> None:
    """A dashboard that follows the file is behind what was logged."""
    with JsonlTracker(tmp_path / "events.jsonl") as tracker:
        tracker.log_metrics({"loss": 1.0}, step=1)
        tracker.flush()
        assert _strict_lines(tracker.path)[-1]["step"] == 1
