"""The notebook display, in Chromium, as on a page made from the notebook."""

import base64
import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from chromium import opened_page, overflowing, painted_notes
from PIL import Image

from pianoroll_seq2seq import Audio, BeatGrid, Generations, History, PianoRoll, Piece, PitchRange, SecondsGrid
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.evaluation.prediction_scores import Evaluation, Predictor, Scores
from pianoroll_seq2seq.train.history import Epoch


def _roll(name: str = "upwards", *, frames: int = 32) -> PianoRoll:
    active = np.arange(frames)[:, None] % 25 == np.arange(25)
    return PianoRoll.from_active(active, grid=BeatGrid(2), pitches=PitchRange(60, 84), name=name)


def _history(epochs: int) -> History:
    made = tuple(Epoch(n, 10 * n, 3 / n, 4 / n, 0.001, 1.5) for n in range(1, epochs + 1))
    return History(made, epochs, "epochs")


def _page(*values: object) -> str:
    """A page as nbconvert makes it: the outputs one after another."""
    outputs = "".join(f"<div class='output_html'>{value._repr_html_()}</div>" for value in values)  # type: ignore[attr-defined]
    return f"<!doctype html><meta charset='utf-8'><title>a notebook</title><body>{outputs}"


def _without_scripts(html: str) -> str:
    """An untrusted notebook: without scripts, styles and inline SVG."""
    return re.sub(r"<(script|style|svg)>.*?</\1>", "", html, flags=re.DOTALL)


def _drawing(html: str) -> str:
    """The SVG in an image of a page."""
    return base64.b64decode(html.partition("base64,")[2].partition('"')[0]).decode()


def test_outputs_of_one_notebook_do_not_clash() -> None:
    """The second cell's player does not start, plays the first cell's music, or both sound at once."""
    rolls = Generations([_roll("one")[16:], _roll("two")[16:]], [_roll("one")[:16], _roll("two")[:16]])
    with opened_page(height=1600) as page:
        page.set_content(_page(_roll(), rolls, _roll(), _history(3)))
        groups = page.locator(".pr-figure")
        names = [groups.nth(index).get_attribute("aria-label") for index in range(groups.count())]
        assert names == ["upwards", "one", "two", "upwards"]
        groups.nth(0).get_by_role("button", name="Play").click()
        page.wait_for_function("document.querySelector('.pr-seek').value > 0.2")
        groups.nth(2).get_by_role("button", name="Play").click()
        groups.nth(0).get_by_role("button", name="Play").wait_for()  # it has paused
        page.wait_for_function("document.querySelectorAll('.pr-seek')[2].value > 0.2")
        assert groups.nth(2).get_by_role("button", name="Pause").is_visible()
        assert page.locator(".pr-slot > img").count() == 0, "the still pictures have made way"
        assert sum(note["primer"] for note in painted_notes(page)) == 32


def test_a_notebook_without_scripts_still_shows_the_music() -> None:
    """On a site that removes scripts, or in an untrusted notebook, there is nothing to see."""
    with opened_page() as page:
        page.set_content(_without_scripts(_page(_roll(), Piece(_roll("continued"), 8), _history(3))))
        page.wait_for_function("[...document.images].every((image) => image.complete && image.naturalWidth)")
        pictures = page.get_by_role("img")
        assert [pictures.nth(index).get_attribute("alt") for index in range(pictures.count())] == [
            "Piano roll of upwards: 32 notes in 8.0 seconds",
            "Piano roll of continued: 32 notes in 8.0 seconds, the first 2.0 are the primer",
            "Loss curves: nats per frame over 3 epochs",
        ]
        boxes = [pictures.nth(index).bounding_box() for index in range(pictures.count())]
        assert all(box is not None and box["height"] > 200 and box["width"] == 900 for box in boxes)


def test_outputs_fit_a_phone() -> None:
    """A table reaches out of the page, or the curves shrink until their text has 5 pixels."""
    scores = Scores(1.25, 0.5, 0.5, 0.5)
    evaluation = Evaluation(1_000, 500, *(Predictor(scores, scores) for _ in range(3)))
    with opened_page(width=390) as page:
        page.set_content(_page(_roll(), _history(120), evaluation))
        page.locator("summary").click()
        assert overflowing(page) == []
        curves = page.get_by_role("img", name="Loss curves").bounding_box()
    with opened_page(width=1200) as page:
        page.set_content(_page(_history(120)))
        wide = page.get_by_role("img", name="Loss curves").bounding_box()
    assert curves is not None
    assert wide is not None
    assert (curves["height"], wide["width"]) == (wide["height"], 900)
    assert curves["width"] < 390


def test_a_name_cannot_begin_a_script() -> None:
    """The name of a MIDI file runs code in the notebook."""
    name = "</script><img src=x onerror=\"throw 'hurt'\">`${1}"
    rolls = Generations([_roll(name)], [_roll(name)])
    with opened_page() as page:  # fails on any error or request
        page.set_content(_page(rolls))
        assert page.get_by_role("group").get_attribute("aria-label") == name
        assert page.locator("img[src=x]").count() == 0
        page.set_content(_without_scripts(_page(rolls)))
        assert page.locator("img[src=x]").count() == 0


def test_dense_music_stays_small(pop909_dir: Path) -> None:
    """A notebook with a few pop songs grows by megabytes."""
    for path in sorted(pop909_dir.glob("*.mid"))[:5]:
        for grid in (BeatGrid(4), SecondsGrid(0.02)):
            roll = PianoRoll.from_midi(path, grid=grid)
            assert len(roll._repr_html_()) < 300_000 * max(roll.seconds / 60, 1)
            assert len(roll[: len(roll) // 8]._repr_html_()) < 300_000


def test_noise_is_cut() -> None:
    """An untrained model writes tens of thousands of notes, which freeze the browser."""
    active = np.random.default_rng(0).random((3000, 88)) < 0.5
    html = PianoRoll.from_active(active, grid=SecondsGrid(0.02), name="noise")._repr_html_()
    assert len(html) < 300_000
    assert "noise, the first" in html
    assert "of 60.0 seconds" in html


def test_silent_and_empty_rolls() -> None:
    """A silent roll, or one without frames, fails to display."""
    silent = PianoRoll.from_active(np.zeros((8, 88), dtype=bool), name="silence")
    with opened_page() as page:
        page.set_content(_page(silent, silent[:0], History()))
        page.get_by_role("button").first.click()
        page.wait_for_function("document.querySelector('.pr-seek').value > 0.2")
        page.get_by_role("button", name="Play").last.click()
        assert page.get_by_text("without epochs").is_visible()


def test_generations_are_a_list() -> None:
    """Generations do not work as a list."""
    primer, continuation = _roll()[:8], _roll()[8:]
    made = Generations([continuation], [primer])
    assert made == [continuation]
    assert made.primers == (primer,)
    assert "the first 2.0 are the primer" in made._repr_html_()
    with pytest.raises(ShapeError, match="1, 2"):
        Generations([continuation], [primer, primer])


def test_a_primer_longer_than_the_piece() -> None:
    """The mistake shows in a browser, or never."""
    with pytest.raises(SettingsError, match=r"0\.\.32"):
        Piece(_roll(), 33)


def test_histories_show_their_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without matplotlib there are no curves, or a long run fills the notebook with its epochs."""
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    html = _history(3)._repr_html_()
    assert _drawing(html).count("<polyline") == 2
    assert "3 (best)" in html
    assert "1.0000" in html
    assert _history(1000)._repr_html_().count("<tr>") == 51
    diverged = History((Epoch(1, 1, float("nan"), None, 0.1, 1.0), Epoch(2, 2, 1.0, None, 0.1, 1.0)), None, None)
    assert _drawing(diverged._repr_html_()).count("<polyline") == 1


def test_evaluations_are_tables() -> None:
    """Readers, also with a screen reader, do not see which score belongs to which model."""
    row = Predictor(Scores(1.5, 0.25, 0.5, 0.3333), Scores(4.5, 0.1, 0.2, 0.1333))
    other = Predictor(Scores(2.5, 0.25, 0.5, 0.3333), Scores(5.5, 0.1, 0.2, 0.1333))
    with opened_page() as page:
        page.set_content(_page(Evaluation(12345, 678, row, other, other)))
        table = page.get_by_role("table", name="12,345 frames, 678 of them changed")
        model = table.get_by_role("row", name="model")
        assert model.get_by_role("cell").all_inner_texts() == ["1.500", "0.250", "0.500", "0.333", "4.500", "0.133"]
        assert table.get_by_role("rowheader").all_inner_texts() == ["model", "copy last", "copy input"]


@pytest.mark.parametrize("system_is_dark", [False, True])
@pytest.mark.parametrize("page", ["white", "black"])
def test_curves_can_be_read_on_every_page(system_is_dark: bool, page: str) -> None:
    """On a dark system, the curves in a white notebook are white on black, or black on black in a dark one."""
    with opened_page(dark=system_is_dark) as shown:
        shown.set_content(f"<body style='background: {page}'>{_history(3)._repr_html_()}")
        shown.wait_for_function("document.images[0].complete && document.images[0].naturalWidth")
        picture = Image.open(io.BytesIO(shown.locator("img").screenshot())).convert("L")
    lightness = np.asarray(picture)
    assert np.median(lightness) == 255  # white ground, whatever is around it
    assert lightness.min() < 60  # dark text


def test_sound_has_a_player() -> None:
    """roll.to_audio() in a cell shows numbers instead of a player; or long music makes a notebook of 100 MB."""
    sound = Audio(np.zeros((48000, 2), np.float32) + 0.1, 48000)
    with opened_page() as page:
        page.set_content(sound._repr_html_())
        page.wait_for_function("Math.abs(document.querySelector('audio').duration - 1) < 0.1")
        assert page.evaluate("document.querySelector('audio').controls")
    long = Audio(np.zeros((8000 * 150, 1), np.float32), 8000)._repr_html_()
    assert "The first 120 of 150 seconds; <code>save(path)</code> writes all of it." in long
    assert "The first" not in sound._repr_html_()


def test_sound_has_a_player_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without soundfile there is no player."""
    monkeypatch.setitem(sys.modules, "soundfile", None)
    assert 'src="data:audio/wav;base64,UklGR' in Audio(np.zeros((80, 1), np.float32), 8000)._repr_html_()
