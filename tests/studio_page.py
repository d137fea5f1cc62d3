"""The studio's page, as tests use it: the roll by pixels, and the piece as its session file has it."""

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

KEYS, RULER = 44, 24
"""Pixels of the piano keys and of the bar numbers."""
BEAT, ROW = 40, 13
"""Pixels of a beat and of a semitone when the page opens."""


def point(page: Page, beat: float, pitch: int, *, highest: int, visible: bool = True) -> tuple[float, float]:
    """The point of the window at a beat, a little into it, and in the middle of a row; scrolls the roll to it."""
    scroll = page.locator(".roll-scroll")
    if visible:
        scroll.scroll_into_view_if_needed()
        scroll.evaluate(
            "(roll, [x, y]) => { roll.scrollLeft = Math.min(roll.scrollLeft, x); roll.scrollTop = y - 80; }",
            [beat * BEAT, (highest - pitch) * ROW],
        )
    left, top = scroll.evaluate("roll => [roll.scrollLeft, roll.scrollTop]")
    box = scroll.bounding_box()
    assert box is not None
    return box["x"] + KEYS + beat * BEAT + 3 - left, box["y"] + RULER + (highest - pitch + 0.5) * ROW - top


def press(page: Page, beat: float, pitch: int, *, highest: int, to: tuple[float, int] | None = None) -> None:
    """Presses the mouse in a cell of the roll, and releases it there or at another beat and pitch."""
    page.mouse.move(*point(page, beat, pitch, highest=highest))
    page.mouse.down()
    if to is not None:
        page.mouse.move(*point(page, *to, highest=highest, visible=False), steps=5)
    page.mouse.up()


def num_notes(page: Page) -> int:
    """The number of notes that a screen reader is told."""
    label = page.locator(".roll-canvas").get_attribute("aria-label") or ""
    return int(re.findall(r"\d+", label)[0])


def saved(page: Page, kind: str, folder: Path) -> Path:
    """Saves the piece as a file of a kind."""
    if not page.locator("#save-format").is_visible():
        page.click("#file-menu > summary")
    page.select_option("#save-format", kind)
    with page.expect_download() as download:
        page.click("#save-file")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def piece(page: Page, folder: Path) -> dict[str, Any]:
    """The piece, as the session file has it."""
    found = json.loads(saved(page, "json", folder).read_text())["piece"]
    assert isinstance(found, dict)
    return found


def notes(page: Page, folder: Path) -> list[tuple[int, int, float, float]]:
    """Part, pitch, start and length of every note."""
    return [(note["part"], note["pitch"], note["start"], note["length"]) for note in piece(page, folder)["notes"]]


def expect_notes(page: Page, count: int) -> None:
    """Waits until the roll has so many notes."""
    expect(page.locator(".roll-canvas")).to_have_attribute("aria-label", re.compile(rf"\b{count} notes?,"))


def select_bars(page: Page, first: int, last: int) -> None:
    """Drags over the numbers of bars of four beats, in a roll that is scrolled to its beginning."""
    scroll = page.locator(".roll-scroll")
    scroll.evaluate("roll => { roll.scrollLeft = 0; }")
    box = scroll.bounding_box()
    assert box is not None
    y = box["y"] + RULER / 2
    page.mouse.move(box["x"] + KEYS + (4 * first - 3.5) * BEAT, y)
    page.mouse.down()
    page.mouse.move(box["x"] + KEYS + (4 * last - 3) * BEAT, y)
    page.mouse.up()


def draw_two_notes(page: Page, address: str, *, highest: int) -> None:
    """Opens the page with a piece of two notes."""
    page.goto(address)
    page.click("#clear")
    press(page, 0, 60, highest=highest)
    press(page, 2, 64, highest=highest)
    expect_notes(page, 2)
