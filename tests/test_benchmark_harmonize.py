"""The benchmark of harmonizations and infills, with an untrained model and tiny chorales."""

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from voice_music import chorale

from pianoroll_seq2seq import FillingLSTM, FrameLayout, MonophonicHead, save
from pianoroll_seq2seq.midi_io import read_midi

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark, which measures the time of two bars once."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("harmonize")
    monkeypatch.setattr(module, "TIMED_FRAMES", 32)
    monkeypatch.setattr(module, "ROUNDS", 1)
    return module


def test_a_model_is_measured_beside_bach(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The benchmark fails after training, changes the melodies, or measures the model's seams in Bach's bars."""
    content = {part: [chorale(bars, bars) for bars in (4, 5)] for part in ("train", "valid", "test")}
    content["test"].append(chorale(2, 7))  # too short for an infill
    (tmp_path / "Jsb16thSeparated.json").write_text(json.dumps(content), encoding="utf-8")
    layout = FrameLayout.of(benchmark.jsb16(tmp_path).train[0])
    path = tmp_path / "model.safetensors"
    save(FillingLSTM(layout, hidden_size=8, encoder_size=4, num_copy_heads=1, head=MonophonicHead), path)
    arguments = ["harmonize.py", path, "--data", tmp_path, "--pieces", 4, "--output", tmp_path / "music"]
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    benchmark.main()
    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "music" / "figures.json").read_text(encoding="utf-8"))
    assert figures["data"]["memorized"]["16 frames"] > 0.8  # the longer test pieces are training pieces
    assert figures["generated"]["grade"] > figures["data"]["grade"]
    assert figures["seams"]["Bach's own bars"][0] > figures["seams"]["infills"][0]
    assert figures["seconds"] > 0
    assert "4 generated pieces and 4 of the data" in printed
    assert " 6\n" in printed  # seams: two in each infill
    written = sorted((tmp_path / "music").glob("*.mid"))
    assert len(written) == 4
    assert {part.name for part in read_midi(written[3]).parts} == {"soprano", "alto", "tenor", "bass"}
