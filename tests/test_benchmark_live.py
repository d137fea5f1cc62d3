"""The benchmark of live playing, with small untrained models."""

import importlib
import json
import sys
from pathlib import Path

import pytest
from live_models import trained

from pianoroll_seq2seq.live.memory_backend import MEMORY

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_conversation_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The benchmark fails, hears nothing, or takes the player's notes for the model's."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("MIDO_BACKEND", "")  # the benchmark sets it
    module = importlib.import_module("live")
    monkeypatch.setattr(module, "open_model", trained)
    arguments = ["live.py", "continuing", "--phrases", 4, "--tempo", 400, "--output", tmp_path / "delays.json"]
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    module.main()
    MEMORY.clear()
    delays = json.loads((tmp_path / "delays.json").read_text(encoding="utf-8"))["continuing"]
    assert len(delays["through"]) == 2
    assert len(delays["behind"]) > 4
    assert min(delays["through"] + delays["behind"] + delays["silence"]) > -0.001
    assert 0 < delays["cpu_share"] < 2
    printed = capsys.readouterr().out
    assert "| continuing | key to the same note on the output |" in printed
