"""The benchmark of what later frames are worth, on tiny chorales."""

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pianoroll_seq2seq import FillingLSTM, FrameLayout, Given, likelihood

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("filling")


@pytest.fixture
def chorales(tmp_path: Path) -> Path:
    """A folder of chorales: four voices, a new pitch on each beat, six and seven bars."""
    steps = np.random.default_rng(0).integers(-3, 4, size=(28, 4))
    voices = np.repeat(steps + np.array([72, 67, 60, 50]), 4, axis=0).tolist()
    content = {part: [voices, voices[:96]] for part in ("train", "valid", "test")}
    (tmp_path / "Jsb16thSeparated.json").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def test_rows_are_the_likelihoods_of_the_library(benchmark: ModuleType, chorales: Path) -> None:
    """The benchmark conditions on other cells than it says, or counts frames that are given."""
    rolls = benchmark.jsb16(chorales).test
    model = FillingLSTM(FrameLayout.of(rolls[0]), hidden_size=8, encoder_size=4, num_copy_heads=1).eval()
    rows = benchmark.task_nats(model, rolls)
    melody = Given.parts("soprano")
    bar = [~Given.frames(16, 32) for _ in rolls]  # of 5 bars to the next one: once in each piece
    assert rows["continue"] == pytest.approx(likelihood(model, rolls, given=Given.nothing(), ends=False).nats, abs=1e-4)
    assert rows["lower"] == pytest.approx(likelihood(model, rolls, given=melody).nats, abs=1e-4)
    assert rows["melody"] == pytest.approx(likelihood(model, rolls, given=~melody).nats, abs=1e-4)
    assert rows["bar"] == pytest.approx(likelihood(model, rolls, given=bar).nats, abs=1e-4)
    assert rows["quarter"] != rows["bar"] != rows["bar_past"]


def test_a_second_run_trains_no_more(
    benchmark: ModuleType, chorales: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The results of a finished run are lost, or the gains are not those of its rows."""
    small = ["steps=1", "hidden_size=8", "encoder_size=4", "num_copy_heads=1", "channels=8", "tasks={'infilling': 0.5}"]
    output = chorales / "runs"
    arguments = ["--data", str(chorales), "--seeds", "1", "--split", "valid", "--output", str(output), "--set", *small]
    monkeypatch.setattr(sys, "argv", ["filling.py", *arguments])
    benchmark.main()
    first = capsys.readouterr().out
    monkeypatch.setattr(benchmark, "train", None)
    benchmark.main()
    assert capsys.readouterr().out == first
    (path,) = output.rglob("figures-valid.json")
    figures = json.loads(path.read_text(encoding="utf-8"))
    gain = figures["lower_past"] - figures["lower"]
    assert f"{gain:.3f}" in next(line for line in first.splitlines() if line.startswith("alto, tenor, bass"))


def test_the_bound_is_by_the_chain_rule(benchmark: ModuleType) -> None:
    """1.4 frame by frame, of which the others cost 1 given the soprano's past: so the soprano costs 0.4 given all."""
    runs = [{"continue": 1.4, "lower_past": 1.0, "lower": 0.9}] * 2
    text = benchmark.bound(runs, [0.4, 0.5])
    assert "given its own past 0.450, given the past of all 0.400" in text
    assert "is worth 0.050" in text
    assert "soprano first 1.350, frame by frame 1.400" in text


def test_the_melody_alone_is_scored_by_a_model_of_one_part(
    benchmark: ModuleType, chorales: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other voices are read as well, or the result of a finished run is lost."""
    data = benchmark.jsb16(chorales)
    nats = benchmark.melody_alone(data, chorales / "run", seed=0, split="valid", steps=2)
    model = benchmark.load(chorales / "run" / benchmark.BEST)
    assert [part.name for part in model.layout.parts] == ["soprano"]
    assert nats == pytest.approx(likelihood(model, [roll[["soprano"]] for roll in data.valid]).nats, abs=1e-4)
    monkeypatch.setattr(benchmark, "train", None)
    assert benchmark.melody_alone(data, chorales / "run", seed=0, split="valid") == nats
