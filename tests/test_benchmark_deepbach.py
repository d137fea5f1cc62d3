"""The benchmark of a model in the manner of DeepBach, with a few steps on tiny chorales."""

import importlib
import json
import sys
from pathlib import Path

import pytest
import torch
from voice_music import chorale

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"

pytestmark = pytest.mark.usefixtures("one_thread")


def test_chorales_are_written_and_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The benchmark fails after training, or changes the melodies."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    benchmark = importlib.import_module("deepbach")
    content = {part: [chorale(bars, bars) for bars in (4, 5)] for part in ("train", "valid", "test")}
    (tmp_path / "Jsb16thSeparated.json").write_text(json.dumps(content), encoding="utf-8")
    options = {"--data": tmp_path, "--steps": 4, "--sweeps": 3, "--pieces": 3, "--output": tmp_path / "music"}
    monkeypatch.setattr(sys, "argv", ["deepbach.py", *(str(word) for pair in options.items() for word in pair)])
    benchmark.main()
    assert "3 generated pieces and 3 of the data" in capsys.readouterr().out
    figures = json.loads((tmp_path / "music" / "figures.json").read_text(encoding="utf-8"))
    assert set(figures["pseudo_nats"]) == {"soprano", "alto", "tenor", "bass"}
    data = benchmark.jsb16(tmp_path)
    states = [benchmark.states_of(roll) for roll in data.test]
    model = benchmark.DeepBach([1 + len(part.pitches) for part in data.test[0].parts], hidden_size=4).eval()
    for before, after in zip(states, benchmark.harmonizations(model, states, sweeps=2, seed=0), strict=True):
        assert (before[:, 0] == after[:, 0]).all()
        assert (before[:, 1:] != after[:, 1:]).any()
    for roll, piece in zip(data.test, states, strict=True):
        assert benchmark.roll_of(piece, roll) == roll


def test_a_cell_does_not_know_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A conditional reads the cell that it predicts, so its pseudo-likelihood is worth nothing."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    benchmark = importlib.import_module("deepbach")
    torch.manual_seed(0)
    model, first = benchmark.DeepBach([4, 5, 6], hidden_size=8).eval(), torch.zeros(1, dtype=torch.int64)
    states = torch.randint(0, 4, (1, 6, 3))
    for voice, frame in ((0, 0), (1, 3), (2, 5)):
        other = states.clone()
        other[0, frame, voice] = (other[0, frame, voice] + 1) % 4
        one, two = (model(each, first) for each in (states, other))
        torch.testing.assert_close(one[voice][0, frame], two[voice][0, frame])
        assert any(not torch.equal(a, b) for a, b in zip(one, two, strict=True))
