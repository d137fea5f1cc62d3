"""``evaluate``, ``compare`` and ``report``: what runs and models are worth."""

import json
import math
import re
import shutil
from pathlib import Path

import pytest
from command_line import SMALL_MODEL, SMALL_WINDOWS, Run

from pianoroll_seq2seq import SlidingWindows, evaluate, likelihood, open_model, read_folder


def test_scores_are_those_of_the_library(run: Run, midi: Path, small_run: Path) -> None:
    """The command scores other windows than a script would, or forgets the baselines."""
    trained = open_model(small_run)
    rolls = read_folder(midi, grid=trained.grid, pitches=trained.pitches).rolls
    done = run("evaluate", midi, "--model", small_run, "--continuations", 3, "--json").json
    windows = SlidingWindows(rolls, input_frames=8, target_frames=8, hop=8)
    assert done["windows"] == json.loads(json.dumps(evaluate(trained.model, windows).to_json()))
    whole = likelihood(trained.model, rolls, input_frames=8, target_frames=8)
    assert done["likelihood"]["nats"] == whole.nats
    assert done["pieces"] == 12
    assert done["music"]["generated_pieces"] == 3
    text = run("evaluate", midi, "--model", small_run, "--continuations", 3).out
    assert all(word in text for word in ("copy last", "whole pieces", "scale_consistency"))


def test_what_cannot_be_scored(run: Run, midi: Path, small_run: Path, tmp_path: Path) -> None:
    """A wrong path or pitch range is a traceback."""
    assert "no such model" in run("evaluate", midi, "--model", "nothing").refused()
    assert "neither a folder" in run("evaluate", tmp_path / "nothing", "--model", small_run).refused()
    long = ("--input-frames", 5000)
    assert "5001" in run("evaluate", midi, "--model", small_run, *long, "--target-frames", 1).refused()


@pytest.fixture
def runs(run: Run, midi: Path, small_run: Path, tmp_path: Path) -> list[Path]:
    """Two runs, the worse one first."""
    worse, better = tmp_path / "worse" / "run", tmp_path / "better" / "run"
    shutil.copytree(small_run, worse)
    given = (
        "train",
        "--data",
        midi,
        *SMALL_WINDOWS,
        *SMALL_MODEL,
        "--optimizer.lr",
        0.02,
        "--epochs",
        3,
        "--output",
        better,
    )
    assert run(*given).code == 0
    return [worse, better]


def test_runs_side_by_side(run: Run, runs: list[Path], tmp_path: Path) -> None:
    """The best run is not the first, or what made it better does not show."""
    files = ("--picture", tmp_path / "curves.png", "--page", tmp_path / "page.html")
    done = run("compare", *runs, *files)
    assert done.code == 0, done.err
    head, first, second, *_ = done.out.splitlines()
    assert (first.split()[0], second.split()[0]) == ("better/run", "worse/run")
    assert {"epochs", "optimizer.lr"} <= set(head.split())
    assert "hidden" not in head
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "page.html").read_text()
    assert page.index("better/run") < page.index("worse/run")
    assert "exists already" in run("compare", *runs, *files).refused()
    found = run("compare", *runs, "--json").json["runs"]
    assert [row["options"]["epochs"] for row in found] == [3, 1]
    assert found[0]["valid_loss"] < found[1]["valid_loss"]
    assert all(math.isfinite(row["test_nats"]) for row in found)


def test_what_is_no_run(run: Run, runs: list[Path], tmp_path: Path) -> None:
    """A folder of something else is compared, or ends in a traceback."""
    assert "not the folder of a run" in run("compare", tmp_path).refused()
    assert "no such folder" in run("compare", *runs, tmp_path / "nosuch").refused()
    assert "named twice" in run("compare", runs[0], runs[0]).refused()
    assert "the ending must be .png" in run("compare", *runs, "--picture", tmp_path / "curves.jpg").refused()


def test_damaged_runs(run: Run, runs: list[Path], tmp_path: Path) -> None:
    """One damaged folder of thirty hides the other runs."""
    scores, history, music = (shutil.copytree(runs[0], tmp_path / name) for name in ("scores", "history", "music"))
    (scores / "scores.json").write_text("{")
    (history / "history.jsonl").write_text("nothing\n")
    (music / "generated.mid").write_bytes(b"MThd")
    page = tmp_path / "page.html"
    done = run("compare", *runs, tmp_path, scores, history, music, "--page", page)
    assert done.code == 0
    names = [line.split()[0].rpartition("/")[2] for line in done.out.splitlines()[1:4]]
    assert names == ["run", "run", "music"]
    left_out = done.out.partition("left out: 3 of 6 folders\n")[2].splitlines()
    reasons = ("not the folder of a run", "scores.json: damaged", "history.jsonl: not a history")
    assert all(any(reason in line for line in left_out) for reason in reasons)
    assert len(left_out) == len(reasons)
    assert re.search(r"the page has no music of \S*/music: .*generated\.mid", done.err)
    assert page.is_file()
    found = run("compare", *runs, history, "--json").json
    assert len(found["runs"]) == 2
    assert list(found["refused"]) == [str(history)]
    assert "scores.json: damaged, or not JSON" in run("compare", scores, history).refused()


def test_runs_that_know_less(run: Run, runs: list[Path]) -> None:
    """Runs of scripts, without configuration or scores, cannot be compared."""
    for name in ("config.yaml", "scores.json"):
        (runs[0] / name).unlink()
    found = run("compare", *runs, "--json").json["runs"]
    assert found[1]["test_nats"] is None
    assert run("compare", runs[0]).code == 0


def test_the_page_of_a_run(run: Run, small_run: Path, tmp_path: Path) -> None:
    """The page lacks what the run has, or replaces one that was there."""
    done = run("report", small_run, "--output", tmp_path / "page.html", "--title", "A small run", "--no-wav")
    assert done.code == 0, done.err
    assert "A small run" in (tmp_path / "page.html").read_text()
    assert re.search(r"page\.html: \d+ KB\. Open it", done.out)  # and not 0.0 MB
    assert "page.html" in run("report", small_run, "--output", tmp_path / "page.html").refused()
    assert "not the folder of a run" in run("report", tmp_path).refused()
