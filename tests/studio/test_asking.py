"""The page asks models: harmonize, fill, vary and continue, several takes, stop, undo."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import opened_page
from playwright.sync_api import Page, expect
from studio_models import FAILING, SLOW, quartet_model, small_model
from studio_page import expect_notes, notes, num_notes, select_bars
from studio_server import Served, served, waited

from pianoroll_seq2seq.pretrained.opening import open_model

pytestmark = pytest.mark.usefixtures("one_thread")
MELODY = 8
"""Notes of the piece that the tests ask about: two bars of the soprano, of the melody with which the page opens."""


@pytest.fixture(scope="module")
def voices() -> Iterator[Served]:
    """A studio whose first model writes four voices, and fills."""
    with served([quartet_model(), open_model("bach-chorales"), small_model(), SLOW, FAILING]) as running:
        yield running


def opened(page: Page, studio: Served) -> None:
    """Opens the page and keeps the first two bars of its melody."""
    page.goto(studio.address)
    page.fill("#bars", "2")
    page.press("#bars", "Tab")
    expect_notes(page, MELODY)


def ask(page: Page, task: str, words: str = "Done") -> None:
    page.click(f"#{task}")
    expect(page.locator("#status")).to_contain_text(words, timeout=30_000)


def parts_of(found: list[tuple[int, int, float, float]], part: int) -> list[tuple[int, int, float, float]]:
    return [note for note in found if note[0] == part]


def test_a_melody_is_harmonized_and_undone_as_one_step(voices: Served, tmp_path: Path) -> None:
    """The melody changes, voices are missing, or undo takes back a single note of the answer."""
    with opened_page() as page:
        opened(page, voices)
        page.select_option("#model", "bach-chorales")
        melody = notes(page, tmp_path)
        assert len(melody) == MELODY
        ask(page, "harmonize")
        found = notes(page, tmp_path)
        assert parts_of(found, 0) == melody
        for part in (1, 2, 3):
            assert len(parts_of(found, part)) > 2
            assert max(start + length for _, _, start, length in parts_of(found, part)) == MELODY
        page.click("#undo")
        assert notes(page, tmp_path) == melody
        page.click("#redo")
        assert notes(page, tmp_path) == found
        expect(page.locator("#harmonize")).to_have_attribute("aria-disabled", "true")


def test_selected_bars_and_parts_are_written_and_nothing_else(voices: Served, tmp_path: Path) -> None:
    """Filling or varying a bar changes its neighbours."""
    with opened_page() as page:
        opened(page, voices)
        ask(page, "harmonize")
        before = notes(page, tmp_path)
        select_bars(page, 2, 2)
        page.fill("#seed", "11")
        ask(page, "fill")
        filled = notes(page, tmp_path)
        assert filled != before
        assert [note for note in filled if note[2] < 4] == [note for note in before if note[2] < 4]
        assert max(start + length for _, _, start, length in filled) == MELODY
        page.fill("#strength", "0.3")
        ask(page, "vary")
        varied = notes(page, tmp_path)
        assert varied != filled
        assert [note for note in varied if note[2] < 4] == [note for note in before if note[2] < 4]
        assert set(varied) & {note for note in filled if note[2] >= 4}
        page.uncheck("#from-start")
        page.fill("#length", "4")
        select_bars(page, 1, 1)
        ask(page, "continue")  # after the first bar
        continued = notes(page, tmp_path)
        assert [note for note in continued if note[2] < 4] == [note for note in before if note[2] < 4]
        assert float(page.locator("#position").input_value()) >= 4
        for expected in (varied, filled, before):
            page.click("#undo")
            assert notes(page, tmp_path) == expected


def test_the_seed_determines_the_answer(voices: Served, tmp_path: Path) -> None:
    """Nobody can show an answer again."""
    with opened_page() as page:
        opened(page, voices)
        answers = []
        for seed in ("5", "5", "6"):
            page.fill("#seed", seed)
            ask(page, "harmonize")
            answers.append(notes(page, tmp_path))
            page.click("#undo")
            expect_notes(page, MELODY)
        assert answers[0] == answers[1]
        assert answers[0] != answers[2]


def test_the_answer_plays_while_it_arrives_and_stop_keeps_what_came(voices: Served, tmp_path: Path) -> None:
    """The page is silent until all is written, or Stop loses it, or the model goes on."""
    with opened_page() as page:
        opened(page, voices)
        page.select_option("#model", SLOW.name)
        page.fill("#length", "200")
        page.click("#silence")
        expect(page.locator("#play")).to_have_text("Pause", timeout=5_000)
        expect(page.locator("#continue")).to_have_attribute("aria-disabled", "true")
        assert waited(lambda: num_notes(page) > 0)
        assert waited(lambda: float(page.locator("#position").input_value()) > 0.5)
        page.click("#stop")
        expect(page.locator("#status")).to_have_text("Stopped.")
        expect(page.locator("#play")).to_have_text("Play")
        assert voices.idle(2)
        found = notes(page, tmp_path)
        assert 0 < max(start for _, _, start, _ in found) < 100
        page.click("#undo")
        expect_notes(page, MELODY)


def test_takes_are_heard_kept_and_dropped(voices: Served, tmp_path: Path) -> None:
    """A take that is heard is another one than its name says, or dropping loses the melody."""
    with opened_page() as page:
        opened(page, voices)
        page.fill("#seed", "3")
        page.select_option("#take-count", "3")
        ask(page, "harmonize")
        rows = page.locator("#takes li")
        expect(rows).to_have_count(3)
        expect(rows.nth(1)).to_contain_text("Take 2 · seed 3")
        versions = []
        for index in range(3):
            rows.nth(index).get_by_role("button", name="Hear").click()
            expect(rows.nth(index)).to_contain_text("in the piece")
            expect(page.locator("#play")).to_have_text("Pause")
            versions.append(notes(page, tmp_path))
        assert len({tuple(version) for version in versions}) == 3
        rows.nth(0).get_by_role("button", name="Drop").click()
        expect(rows).to_have_count(2)
        rows.nth(0).get_by_role("button", name="Keep").click()
        expect(page.locator("#takes")).to_be_hidden()
        assert notes(page, tmp_path) == versions[1]
        page.click("#undo")
        expect_notes(page, MELODY)
        expect(page.locator("#undo")).to_have_attribute("title", "Undo: Change the length")


def test_what_cannot_be_done_says_why(voices: Served) -> None:
    """A button does nothing, and nobody learns the reason."""
    with opened_page() as page:
        opened(page, voices)
        fill = page.locator("#fill")
        expect(fill).to_have_attribute("aria-disabled", "true")
        expect(fill).to_have_attribute("title", "Select the bars or the parts to fill.")
        reason = page.locator(f"#{fill.get_attribute('aria-describedby')}")
        expect(reason).to_have_text("Select the bars or the parts to fill.")
        fill.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#status")).to_have_text("Select the bars or the parts to fill.")
        page.select_option("#model", "small")
        expect(page.locator("#harmonize")).to_have_attribute("title", re.compile("only continues"))
        expect(page.locator("#continue")).not_to_have_attribute("aria-disabled", "true")


def test_errors_are_shown_and_the_focus_returns(voices: Served) -> None:
    """After an error the page waits forever, or the keyboard loses its place."""
    with opened_page(excused=["responded with a status of 4"]) as page:
        opened(page, voices)
        page.fill("#length", "-3")
        page.click("#continue")
        expect(page.locator("#error")).to_contain_text("Length")
        assert page.evaluate("document.activeElement.id") == "length"
        page.fill("#length", "8")
        page.select_option("#model", FAILING.name)
        page.locator("#silence").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#error")).to_contain_text("The model failed", timeout=10_000)
        assert page.evaluate("document.activeElement.id") == "silence"
        page.select_option("#model", "small")
        page.locator("#silence").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#status")).to_contain_text("Done", timeout=10_000)
        expect(page.locator("#error")).to_have_text("")
        assert page.evaluate("document.activeElement.id") == "silence"


def test_closing_the_page_stops_the_model(voices: Served) -> None:
    """Jobs of closed tabs continue for minutes and slow down the next ones."""
    with opened_page() as page:
        opened(page, voices)
        page.select_option("#model", SLOW.name)
        page.fill("#length", "150")
        page.click("#silence")
        assert waited(lambda: num_notes(page) > 0)
        page.close()
        assert voices.idle(2)
