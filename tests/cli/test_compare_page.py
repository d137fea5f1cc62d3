"""The page of ``compare``, opened in a browser, without training."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from chromium import opened_page, overflowing
from playwright.sync_api import Page, ViewportSize

from pianoroll_seq2seq import BeatGrid, History, PianoRoll, PitchRange, summarize_music
from pianoroll_seq2seq.cli.compare import Comparison, RunFacts
from pianoroll_seq2seq.cli.compare_page import write_page
from pianoroll_seq2seq.evaluation.prediction_scores import Evaluation, Predictor, Scores
from pianoroll_seq2seq.evaluation.run_scores import RunScores
from pianoroll_seq2seq.train.history import Epoch


def _roll(frames: int, lowest: int) -> PianoRoll:
    active = np.arange(frames)[:, None] % 13 == np.arange(13)
    return PianoRoll.from_active(active, grid=BeatGrid(2), pitches=PitchRange(lowest, lowest + 12))


def _run(folder: Path, losses: list[float], roll: PianoRoll, options: Mapping[str, object]) -> RunFacts:
    """A run whose folder has nothing but its music."""
    epochs = [Epoch(number, 8 * number, loss + 0.5, loss, 0.01, 30.0) for number, loss in enumerate(losses, start=1)]
    history = History(tuple(epochs), 1 + int(np.argmin(losses)))
    roll.to_midi(folder / "generated.mid")
    model, baseline = (Scores(nats, 0.5, 0.5, f1) for nats, f1 in ((min(losses), 0.5), (9.0, 0.25)))
    test = Evaluation(100, 50, *(Predictor(scores, scores) for scores in (model, baseline, baseline)))
    summary = summarize_music([roll], [_roll(16, 48)])
    scores = RunScores(test=test, music=dict(summary.generated), summary=summary, primer_frames=8)
    return RunFacts(folder, history, options, scores)


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    """Two runs whose music has other lengths and pitches."""
    better = _run(tmp_path / "better", [3.0, 2.0, 2.25], _roll(32, 60), {"epochs": 3, "batch_size": 32, "hop": 4})
    worse = _run(tmp_path / "worse", [3.5, 3.0], _roll(16, 36), {"epochs": 2, "batch_size": 16, "hop": 4})
    return Comparison((better, worse), ("better", "worse"), refused={"elsewhere": "not the folder of a run"})


@pytest.fixture
def written(comparison: Comparison, tmp_path: Path) -> Path:
    return write_page(comparison, tmp_path / "page.html", overwrite=False)


def _tops_and_lefts(page: Page) -> list[tuple[float, float]]:
    boxes = [figure.bounding_box() for figure in page.locator(".pr-figure").all()]
    return [(box["y"], box["x"]) for box in boxes if box is not None]


def test_one_table_at_the_head_has_all_figures(comparison: Comparison, written: Path) -> None:
    """Runs are compared by scrolling between tables of their own, or the page lacks what the terminal shows."""
    with opened_page() as page:
        page.goto(written.as_uri())
        table = page.get_by_role("table").first
        rows = [row.locator("th, td").all_inner_texts() for row in table.get_by_role("row").all()]
        lines = str(comparison).splitlines()
        assert ["".join("".join(cells).split()) for cells in rows] == ["".join(line.split()) for line in lines[:3]]
        cells = dict(zip(rows[0], rows[1], strict=True))
        shown = {"epochs": "3", "best epoch": "2", "batch size": "32", "validation": "2.0000", "minutes": "1.5"}
        assert {name: cells[name] for name in shown} == shown
        assert table.locator(".pr-best").all_inner_texts() == ["2.0000", "2.5000", "2.0000"]
        assert page.get_by_text("elsewhere: not the folder of a run").is_visible()


def test_the_scores_are_in_one_table(written: Path) -> None:
    """The baselines stand between the models, once for each, though they are equal."""
    with opened_page() as page:
        page.goto(written.as_uri())
        table = page.get_by_role("table").filter(has_text="100 frames")
        rows = table.locator("tbody").get_by_role("rowheader").all_inner_texts()
        assert rows == ["better", "worse", "copy last", "copy input"]


def test_music_is_side_by_side_on_equal_scales(written: Path) -> None:
    """A short piece looks as long as a long one, and a low one as high: pieces are compared by their looks."""
    with opened_page(width=1400) as page:
        page.goto(written.as_uri())
        (top, left), (other_top, other_left) = _tops_and_lefts(page)
        assert (top, left) == (other_top, pytest.approx(left))
        assert other_left > left + 400
        labels = [roll.get_attribute("aria-label") or "" for roll in page.get_by_role("img", name="Piano roll").all()]
        for label in labels:
            assert "between B1 and C#5 in 8.0 seconds" in label
        measures = page.locator(".pr-column").first
        assert measures.get_by_role("row", name="polyphony rate").is_visible()
        with page.expect_download() as download:
            page.get_by_role("link", name="MIDI").last.click()
        assert len(PianoRoll.from_midi(download.value.path(), grid=BeatGrid(2))) == 16  # without silence at its end
        page.set_viewport_size(ViewportSize(width=390, height=800))
        (top, left), (other_top, other_left) = _tops_and_lefts(page)
        assert left == other_left
        assert other_top > top + 250


@pytest.mark.parametrize("dark", [False, True])
def test_curves_are_drawn_over_one_another(written: Path, *, dark: bool) -> None:
    """Two runs have one colour and dash, the unit is missing, or a phone shows text of 5 pixels."""
    with opened_page(width=390, dark=dark) as page:
        page.goto(written.as_uri())
        curves = page.get_by_role("img", name="Loss curves of 2 runs: nats per frame over 3 epochs")
        lines = curves.locator("polyline").all()
        styles = [(line.get_attribute("stroke"), line.get_attribute("stroke-dasharray")) for line in lines]
        assert styles[0] == styles[1] != styles[2] == styles[3]
        assert len({dashes for _, dashes in styles}) == 2  # readable in grey
        unit = curves.get_by_text("loss (nats per frame)")
        assert unit.evaluate("text => text.getBoundingClientRect().height") >= 12
        names = page.locator(".pr-legend li").all_inner_texts()
        assert names == ["better", "worse", "validation", "training", "best epoch"]
        colours = curves.evaluate(
            "node => [getComputedStyle(node).color, getComputedStyle(document.body).backgroundColor]"
        )
        assert colours == (
            ["rgb(232, 232, 232)", "rgb(22, 24, 28)"] if dark else ["rgb(28, 30, 33)", "rgb(255, 255, 255)"]
        )


@pytest.mark.parametrize("width", [390, 800])
def test_nothing_reaches_out_of_the_page(tmp_path: Path, width: int) -> None:
    """On a phone the whole page scrolls sideways, and the names of the runs leave the screen with their figures."""
    long = "a_run_with_a_name_that_no_screen_is_wide_enough_for_" * 2
    options = {f"an_option.with_a_long_name_{index}": f"{long}{index}" for index in range(4)}
    runs = [
        _run(tmp_path / str(index), [3.0 + index, 2.0], _roll(32, 60), {**options, "hop": index, f"own_{index}": long})
        for index in range(3)
    ]
    comparison = Comparison(tuple(runs), tuple(f"{long}{index}" for index in range(3)), refused={long * 2: long})
    with opened_page(width=width) as page:
        page.goto(write_page(comparison, tmp_path / "page.html", overwrite=False).as_uri())
        for summary in page.locator("summary").all():
            summary.click()
        assert overflowing(page) == []
        region = page.get_by_role("region", name="Runs")
        name = region.get_by_role("rowheader").first
        region.focus()
        before = name.bounding_box()
        region.evaluate("region => region.scrollTo(200, 0)")
        assert name.bounding_box() == before


def test_names_are_only_names(tmp_path: Path) -> None:
    """A folder whose name is mark-up runs code where the page is opened."""
    name = "</script><img src=x onerror=\"throw 'hurt'\"><b>&amp;"
    run = _run(tmp_path / "run", [3.0, 2.0], _roll(16, 60), {name: name})
    other = _run(tmp_path / "other", [3.0, 2.0], _roll(16, 60), {name: "x"})
    comparison = Comparison((run, other), (name, "other"), refused={name: name})
    with opened_page() as page:  # fails on any error or request
        page.goto(write_page(comparison, tmp_path / "page.html", overwrite=False).as_uri())
        assert page.locator("img[src=x], main b").count() == 0
        assert page.get_by_role("group", name=name).is_visible()
