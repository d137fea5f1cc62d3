"""The benchmark of copy attention, on a short piece."""

import importlib
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("one_thread")


def test_both_ways_agree_and_are_timed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It would time two different computations: the benchmark compares candidates and gradients itself."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "benchmarks"))
    benchmark = importlib.import_module("copy_attention")
    monkeypatch.setattr(sys, "argv", ["copy_attention.py", "--frames", "300", "--rounds", "1"])
    benchmark.main()
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[-1] == "ratio"
    assert [row.split()[:2] for row in rows] == [["300", "float32"], ["300", "bfloat16"]]


def test_a_difference_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "benchmarks"))
    benchmark = importlib.import_module("copy_attention")
    plain = benchmark.all_pairs
    monkeypatch.setattr(benchmark, "all_pairs", lambda inputs: [1.1 * values for values in plain(inputs)])
    monkeypatch.setattr(sys, "argv", ["copy_attention.py", "--frames", "20"])
    with pytest.raises(AssertionError):
        benchmark.main()
