"""The studio's page as a whole, as a person uses it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chromium import opened_page
from playwright.sync_api import Page, expect
from studio_models import HOSTILE, LIMITS, PITCHES, SLOW, Slow, all_models, slow_model
from studio_page import expect_notes, num_notes, press, saved
from studio_server import Served, served, waited

from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.tempo import TempoMap


@pytest.fixture(scope="module")
def studio() -> Iterator[Served]:
    """A studio that takes as many notes as its models write."""
    request = replace(LIMITS.request, max_primer_notes=2000, max_request_bytes=200_000)
    with served(all_models(), replace(LIMITS, request=request)) as running:
        yield running


WATCH = """
    new MutationObserver((_, observer) => {
      if (document.querySelector("#play").textContent !== "Pause") return;
      window.firstLabel = document.querySelector(".roll-canvas").getAttribute("aria-label");
      window.firstStatus = document.querySelector("#status").textContent;
      observer.disconnect();
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
"""
"""Keeps what the page showed when it began to play, however late the test looks."""


def generated(page: Page) -> None:
    page.click("#continue")
    expect(page.locator("#status")).to_contain_text("Done", timeout=20_000)


def position(page: Page) -> float:
    return float(page.input_value("#position"))


def music(page: Page, folder: Path) -> PianoRoll:
    return PianoRoll.from_midi(saved(page, "mid", folder), pitches=PITCHES)


def test_drawn_notes_are_continued_until_stop(studio: Served, tmp_path: Path) -> None:
    """The page plays nothing before the piece is complete, cannot stop it, or continues other notes."""
    model = SLOW.model
    assert isinstance(model, Slow)
    with opened_page() as page:
        page.goto(studio.address)
        page.click("#clear")
        page.select_option("#note-length", "0.5")
        for beat, pitch, to in ((0, 60, None), (1, 64, (1.75, 64)), (3, 67, None)):
            press(page, beat, pitch, highest=PITCHES.highest, to=to)
        page.keyboard.press("Control+z")
        expect_notes(page, 2)
        page.select_option("#model", "slow")
        page.fill("#length", "200")
        page.fill("#tempo", "120")
        page.evaluate(WATCH)
        page.click("#continue")
        expect(page.locator("#play")).to_have_text("Pause", timeout=5_000)
        assert "Done" not in page.evaluate("window.firstStatus")
        first, began = num_notes(page), position(page)
        assert waited(lambda: num_notes(page) > first + 3 and position(page) > began + 1)
        expect(page.locator("#continue")).to_have_attribute("aria-disabled", "true")
        page.click("#stop")
        expect(page.locator("#status")).to_have_text("Stopped.")
        expect(page.locator("#play")).to_have_text("Play")
        assert studio.idle(2)
        frames = model.frames
        assert not waited(lambda: model.frames != frames, 0.2)
        piece = music(page, tmp_path)
        assert 8 < len(piece) < 500
        assert piece.active[:8, 5].tolist() == [True, True] + [False] * 6  # C4
        assert piece.active[:8, 9].tolist() == [False] * 4 + [True] * 4  # E4


def test_settings_determine_the_saved_piece(studio: Served, tmp_path: Path) -> None:
    """The fields of the page have no effect, or the file is another piece than the page plays."""
    with opened_page() as page:
        page.goto(studio.address)
        page.fill("#length", "8")
        pieces = []
        for seed, temperature in (("5", "1"), ("5", "1"), ("6", "1"), ("5", "0.3")):
            page.fill("#seed", seed)
            page.fill("#temperature", temperature)
            generated(page)
            pieces.append(music(page, tmp_path))
            page.click("#undo")
        assert pieces[0] == pieces[1]
        assert pieces[0] != pieces[2]
        assert pieces[0] != pieces[3]
        page.fill("#temperature", "1")
        page.select_option("#root", label="D")
        page.select_option("#scale", label="major")
        page.select_option("#unit", "seconds")
        page.fill("#tempo", "120")
        page.uncheck("#from-start")
        generated(page)
        assert waited(lambda: position(page) > 3.9)  # the notes that were given last four beats
        in_d = music(page, tmp_path)
        assert 64 < len(in_d) <= 16 + 64
        columns = np.nonzero(in_d[17:].active.any(axis=0))[0]
        assert set((columns + PITCHES.lowest) % 12) <= {2, 4, 6, 7, 9, 11, 1}
        data = saved(page, "wav", tmp_path).read_bytes()
        assert data[:4] == b"RIFF"
        assert data[8:12] == b"WAVE"


def test_a_midi_file_is_opened_and_other_files_are_an_error(studio: Served) -> None:
    """A wrong file breaks the page, or notes are lost without a word."""
    table = NoteTable([0, 480, 9600], [480, 960, 9900], [60, 30, 62], [90] * 3, [0] * 3)
    data = to_midi_bytes(Score(table, TempoMap.from_bpm(75)))
    with opened_page(excused=["responded with a status of 4"]) as page:
        page.goto(studio.address)
        page.set_input_files("#open-file", {"name": "a.mid", "mimeType": "audio/midi", "buffer": data})
        expect(page.locator("#status")).to_contain_text("a.mid is open: ")
        expect(page.locator("#status")).to_contain_text("outside")
        kept = num_notes(page)
        assert kept in (2, 3)
        assert float(page.input_value("#tempo")) == 75
        for buffer, words in ((b"no music", "not a MIDI"), (bytes(2**20), "the limit is 5000")):
            page.set_input_files("#open-file", {"name": "a.mid", "mimeType": "audio/midi", "buffer": buffer})
            expect(page.locator("#error")).to_contain_text(words)
            assert num_notes(page) == kept
        page.click("#undo")
        expect(page.locator("#tempo")).to_have_value("90")


def test_everything_has_a_name(studio: Served) -> None:
    """A screen reader finds controls that say nothing, or messages go unread."""
    with opened_page() as page:
        page.goto(studio.address)
        page.fill("#length", "4")
        page.locator("#continue").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#status")).to_contain_text("Done", timeout=20_000)
        assert page.evaluate("document.activeElement.id") == "continue"
        tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
        controls = {"button", "textbox", "spinbutton", "slider", "checkbox", "radio", "combobox", "link", "application"}
        found = [
            (node["role"]["value"], node["name"]["value"])
            for node in tree
            if node.get("role", {}).get("value") in controls
        ]
        assert len(found) > 40
        assert all(name.strip() for _, name in found), found
        assert page.locator("[role=status]").count() == 2  # of the page, and of its score
        assert page.locator("[role=alert]").count() == 1


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_the_page_fits_its_window(studio: Served, width: int) -> None:
    """On a phone the page scrolls sideways, or its buttons lie under one another."""
    with opened_page(width=width, touch=width == 390) as page:
        page.goto(studio.address)
        expect(page.locator("#continue")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        boxes = page.evaluate(
            "[...document.querySelectorAll('button')].filter(button => button.checkVisibility())"
            ".map(button => button.getBoundingClientRect())"
            ".map(({left, top, right, bottom}) => [left, top, right, bottom])"
        )
        for index, (left, top, right, bottom) in enumerate(boxes):
            assert left >= 0
            assert right <= width
            for other in boxes[:index]:
                assert other[2] <= left + 1 or other[0] >= right - 1 or other[3] <= top + 1 or other[1] >= bottom - 1


def test_errors_are_shown_and_the_page_still_works(studio: Served) -> None:
    """After an error the page waits forever."""
    with opened_page(excused=["responded with a status of 4"]) as page:
        page.goto(studio.address)
        page.fill("#length", "-3")
        page.click("#continue")
        expect(page.locator("#error")).to_contain_text("Length")
        page.fill("#length", "4")
        page.select_option("#model", "conditional")
        page.click("#continue")
        expect(page.locator("#error")).to_contain_text("scale")
        page.select_option("#root", label="C")
        generated(page)
        expect(page.locator("#error")).to_have_text("")
        page.select_option("#model", HOSTILE)  # is only text
        generated(page)
        assert "Studio" in page.title()


def test_closing_the_page_stops_generation(studio: Served) -> None:
    """Jobs of closed tabs continue for minutes and slow down the next ones."""
    with opened_page() as page:
        page.goto(studio.address)
        page.select_option("#model", "slow")
        page.fill("#length", "150")
        page.click("#continue")
        expect(page.locator("#play")).to_have_text("Pause", timeout=5_000)
        page.close()
        assert studio.idle(2)


def test_a_stopped_studio_is_reported() -> None:
    """After Ctrl-C in the terminal, the page waits forever."""
    with opened_page(excused=["Failed to load resource", "net::ERR"]) as page:
        with served([slow_model()]) as studio:
            page.goto(studio.address)
            page.fill("#length", "200")
            page.click("#continue")
            expect(page.locator("#play")).to_have_text("Pause", timeout=5_000)
        expect(page.locator("#error")).to_contain_text("stopped answering", timeout=5_000)
        page.click("#continue")
        expect(page.locator("#error")).to_contain_text("Is it still running?")
