"""What a musician does with the studio, in one go, with the model that comes with the library.

With PIANOROLL_SEQ2SEQ_PICTURES=docs/images, the pictures of docs/studio.md are made again.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import opened_page
from playwright.sync_api import Page, expect
from studio_page import expect_notes, notes, press, saved, select_bars
from studio_server import Served, served, waited

from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pretrained.opening import open_model

pytestmark = pytest.mark.usefixtures("one_thread")
SOPRANO = (67, 69, 71, 72, 74, 72, 71, 69, 71, 69, 67, 66, 67)
"""Twelve quarters and a whole note: four bars."""


@pytest.fixture(scope="module")
def bach() -> Iterator[Served]:
    with served([open_model("bach-chorales")]) as running:
        yield running


def picture(page: Page, name: str, folder: Path, *, top: int = 90) -> None:
    """Keeps what the page shows, with the roll scrolled down by ``top`` pixels."""
    kept = os.environ.get("PIANOROLL_SEQ2SEQ_PICTURES")
    page.evaluate("scrollTo(0, 0)")
    page.locator(".roll-scroll").evaluate("(roll, top) => { roll.scrollTop = top; }", top)
    page.wait_for_timeout(100)
    page.screenshot(path=Path(kept or folder) / f"{name}.png")


def position(page: Page) -> float:
    return float(page.input_value("#position"))


def test_draw_harmonize_change_regenerate_undo_play_and_save(bach: Served, tmp_path: Path) -> None:
    """The parts of the page do not work together."""
    highest = 83  # of the model
    with opened_page(width=1280, height=900) as page:
        page.goto(bach.address)
        page.click("#clear")
        page.fill("#bars", "4")
        page.press("#bars", "Tab")
        for beat, pitch in enumerate(SOPRANO):
            press(page, beat, pitch, highest=highest, to=(15.9, pitch) if beat == 12 else None)
        picture(page, "studio-melody", tmp_path, top=20)
        melody = notes(page, tmp_path)
        assert [pitch for _, pitch, _, _ in melody] == list(SOPRANO)
        page.fill("#seed", "4")
        page.click("#harmonize")
        expect(page.locator("#status")).to_contain_text("Done", timeout=60_000)
        assert waited(lambda: position(page) > 2, 30)  # it plays
        picture(page, "studio", tmp_path)
        harmony = notes(page, tmp_path)
        assert [note for note in harmony if note[0] == 0] == melody
        assert {part for part, *_ in harmony} == {0, 1, 2, 3}

        press(page, 1.2, 69, highest=highest, to=(1.2, 67))
        moved = notes(page, tmp_path)
        assert len(moved) == len(harmony)
        assert (0, 67, 1, 1) in moved

        select_bars(page, 3, 3)
        page.click("#fill")
        expect(page.locator("#status")).to_contain_text("Done: Fill", timeout=60_000)
        picture(page, "studio-bar", tmp_path)
        again = notes(page, tmp_path)
        in_bar = [note for note in again if note[2] >= 8 and note[2] + note[3] <= 12]
        assert in_bar != [note for note in moved if note[2] >= 8 and note[2] + note[3] <= 12]
        assert [note for note in again if note not in in_bar and note[2] < 8] == [note for note in moved if note[2] < 8]

        page.click("#undo")
        assert notes(page, tmp_path) == moved
        page.click("#undo")
        assert notes(page, tmp_path) == harmony
        page.click("#redo")
        page.locator(".roll-canvas").focus()
        page.keyboard.press("Escape")
        if page.inner_text("#play") == "Pause":
            page.click("#play")
        page.click("#to-start")
        page.click("#play")
        assert waited(lambda: position(page) > 1, 10)
        page.click("#play")
        expect(page.locator("#play")).to_have_text("Play")

        roll = PianoRoll.from_midi(saved(page, "mid", tmp_path), pitches=open_model("bach-chorales").pitches)
        assert len(roll) == 64
        assert re.match(rb"<\?xml", saved(page, "musicxml", tmp_path).read_bytes())
        page.reload()
        expect_notes(page, len(moved))
        assert notes(page, tmp_path) == moved
        page.set_viewport_size({"width": 390, "height": 844})
        page.emulate_media(color_scheme="dark")
        picture(page, "studio-phone", tmp_path)
