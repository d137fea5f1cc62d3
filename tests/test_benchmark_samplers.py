"""The benchmark of samplers, on tiny chorales."""

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pianoroll_seq2seq import CopyingLSTM, FrameLayout, PianoRoll, RelativeWindowHead
from pianoroll_seq2seq.checkpoint import save

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.usefixtures("one_thread")


def chords(rows: list[list[int]]) -> PianoRoll:
    """A roll with a chord of MIDI pitches in each frame."""
    active = np.zeros((len(rows), 88), dtype=bool)
    for frame, pitches in enumerate(rows):
        active[frame, [pitch - 21 for pitch in pitches]] = True
    return PianoRoll.from_active(active)


def test_each_sampler_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row has the figures of another sampler, or a goal counts as reached that is not."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    benchmark = importlib.import_module("samplers")
    pieces = tuple(chords([[60 + (frame + shift) % 5, 67] for frame in range(14)]) for shift in range(3))
    data = importlib.import_module("pianoroll_seq2seq.data.splitting").Split(pieces, pieces, pieces)
    short = replace(benchmark.SETS["jsb"], read=lambda folder: data, primer=4, continuation=8)
    monkeypatch.setitem(benchmark.SETS, "jsb", short)
    monkeypatch.setattr(benchmark, "CONTINUATIONS", 4)
    monkeypatch.setattr(benchmark, "FEWEST_FRAMES", 1)
    files = []
    for seed in range(2):
        torch.manual_seed(seed)
        model = CopyingLSTM(FrameLayout.of(pieces[0], onsets=False), hidden_size=8, head=RelativeWindowHead)
        files.append(str(tmp_path / f"{seed}.safetensors"))
        save(model, files[-1])
    output = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["samplers.py", *files, "--output", str(output)])
    benchmark.main()
    lines = capsys.readouterr().out.splitlines()
    figures = json.loads(output.read_text(encoding="utf-8"))
    assert [*figures] == [*benchmark.SAMPLERS, "data"]
    assert len(lines) == 1 + len(figures)
    for name, line in zip(benchmark.SAMPLERS, lines[1:], strict=False):
        assert line.startswith(name)
        mean = np.mean([model["repeated"] for model in figures[name]["models"]])
        assert line.split("(")[1].split()[-1] == f"{mean:.3f}"


def test_the_goals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    benchmark = importlib.import_module("samplers")
    scale = [60, 62, 64, 65, 67, 69, 71, 72]
    calm = chords([[pitch] for pitch in scale for _ in range(2)])
    data = benchmark.Gate.of([calm], [calm])
    assert data == benchmark.Gate(clashes=0.0, repeated=pytest.approx(8 / 15), in_scale=1.0, polyphony=1.0)
    assert data.passes(data) == [True] * 4
    restless = benchmark.Gate.of([chords([[pitch] for pitch in scale])], [calm])
    assert restless.passes(data) == [True, False, True, True]
    clashing = benchmark.Gate.of([chords([[60, 61]] * 8)], [calm])
    assert clashing.passes(data) == [False, False, True, False]
