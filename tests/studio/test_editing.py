"""The roll of the studio, edited by mouse, finger and keyboard."""

import time
from pathlib import Path

import pytest
from chromium import opened_page
from playwright.sync_api import Page, expect
from studio_models import PITCHES
from studio_page import BEAT, RULER, expect_notes, notes, num_notes, piece, point, press
from studio_server import Served, waited

TOP = PITCHES.highest


def opened(page: Page, studio: Served) -> None:
    page.goto(studio.address)
    page.click("#clear")
    expect_notes(page, 0)


def test_the_mouse_draws_moves_stretches_and_removes(studio: Served, tmp_path: Path) -> None:
    """A drag is many steps, or notes leave the grid, or a press on a note draws another one."""
    with opened_page() as page:
        opened(page, studio)
        page.select_option("#note-length", "0.5")
        press(page, 0, 60, highest=TOP)
        press(page, 1, 64, highest=TOP, to=(1.75, 64))
        assert notes(page, tmp_path) == [(0, 60, 0, 0.5), (0, 64, 1, 1)]
        press(page, 1.2, 64, highest=TOP, to=(3.2, 66))
        assert notes(page, tmp_path) == [(0, 60, 0, 0.5), (0, 66, 3, 1)]
        press(page, 3.9, 66, highest=TOP, to=(5.4, 66))
        assert notes(page, tmp_path) == [(0, 60, 0, 0.5), (0, 66, 3, 2.5)]
        page.mouse.dblclick(*point(page, 0.1, 60, highest=TOP))
        assert notes(page, tmp_path) == [(0, 66, 3, 2.5)]
        page.mouse.dblclick(*point(page, 7, 60, highest=TOP))  # draws one note, and does not remove it again
        assert notes(page, tmp_path) == [(0, 66, 3, 2.5), (0, 60, 7, 0.5)]
        page.locator(".roll-canvas").focus()
        page.keyboard.press("Delete")
        expect_notes(page, 1)
        for count in (2, 1, 2, 2, 2, 1, 0):
            page.click("#undo")
            expect_notes(page, count)
        for _ in range(4):
            page.click("#redo")
        assert notes(page, tmp_path) == [(0, 60, 0, 0.5), (0, 66, 3, 2.5)]


def test_a_note_behind_the_end_makes_the_piece_longer(studio: Served, tmp_path: Path) -> None:
    """The note lands in the last beat, or undo leaves the piece long."""
    with opened_page() as page:
        opened(page, studio)
        press(page, 17, 60, highest=TOP)
        assert notes(page, tmp_path) == [(0, 60, 17, 1)]
        expect(page.locator("#bars")).to_have_value("5")
        page.click("#undo")
        expect(page.locator("#bars")).to_have_value("4")


COUNT_SOUNDS = """
    window.sounds = 0;
    for (const source of [AudioScheduledSourceNode, AudioBufferSourceNode]) {
      const start = source.prototype.start;
      source.prototype.start = function (...times) {
        window.sounds += 1;
        return start.apply(this, times);
      };
    }
"""
"""Counts what begins to sound: synthesised notes, and recorded ones."""


def test_every_press_sounds_at_once(studio: Served) -> None:
    """A note is silent when it is drawn or moved, or sound waits for Play."""
    with opened_page() as page:
        page.add_init_script(COUNT_SOUNDS)
        opened(page, studio)

        def sounds() -> int:
            count = int(page.evaluate("window.sounds"))
            page.evaluate("window.sounds = 0")
            return count

        assert page.evaluate("window.pianorollAudio === undefined")  # browsers allow it only inside a press
        press(page, 0, 60, highest=TOP)
        assert page.evaluate("window.pianorollAudio.state") == "running"
        assert sounds() > 0
        press(page, 0.2, 60, highest=TOP, to=(0.2, 63))
        assert sounds() > 1  # it is pressed, and has another pitch
        x, y = point(page, 0, 64, highest=TOP)
        page.mouse.click(x - 30, y)  # a key of the piano
        assert sounds() > 0
        assert num_notes(page) == 1
        page.locator(".roll-canvas").press("Enter")
        assert sounds() > 0
        page.check("#metronome")
        page.click("#play")
        assert waited(lambda: sounds() >= 2)


def test_loudness_is_drawn(studio: Served, tmp_path: Path) -> None:
    """Alt, or the tool for fingers, moves the note instead."""
    with opened_page() as page:
        opened(page, studio)
        press(page, 0, 60, highest=TOP)
        page.keyboard.down("Alt")
        press(page, 0.2, 60, highest=TOP, to=(0.2, 63))
        page.keyboard.up("Alt")
        assert [note["velocity"] for note in piece(page, tmp_path)["notes"]] == [80 + 3 * 13]
        page.click("text=Loudness")
        press(page, 0.2, 60, highest=TOP, to=(0.2, 55))
        assert [note["velocity"] for note in piece(page, tmp_path)["notes"]] == [119 - 5 * 13]
        press(page, 3, 60, highest=TOP)
        assert num_notes(page) == 1
        page.click("#undo")
        page.click("#undo")
        assert [note["velocity"] for note in piece(page, tmp_path)["notes"]] == [80]


def test_selected_notes_are_copied_moved_and_repeated(studio: Served, tmp_path: Path) -> None:
    """What is selected is not what is changed."""
    with opened_page() as page:
        opened(page, studio)
        for beat, pitch in ((0, 60), (1, 62), (2, 70)):
            press(page, beat, pitch, highest=TOP)
        page.keyboard.down("Shift")
        press(page, 0, 64, highest=TOP, to=(1.5, 59))
        page.keyboard.up("Shift")
        expect(page.locator(".roll-canvas")).to_have_attribute("aria-label", "Piece, 3 notes, 1 part, 2 selected")
        press(page, 0.1, 60, highest=TOP, to=(0.1, 61))
        assert notes(page, tmp_path) == [(0, 61, 0, 1), (0, 63, 1, 1), (0, 70, 2, 1)]
        page.click("#repeat")
        assert notes(page, tmp_path)[2:] == [(0, 61, 2, 1), (0, 70, 2, 1), (0, 63, 3, 1)]
        page.locator(".roll-canvas").focus()
        page.keyboard.press("Control+x")
        expect_notes(page, 3)
        for key in ("End", "Control+v"):
            page.keyboard.press(key)
        expect_notes(page, 4)  # only the first of the two fits in before the end
        assert notes(page, tmp_path)[-1] == (0, 61, 15.75, 0.25)
        page.locator(".roll-canvas").focus()
        for key in ("Control+z", "Home", "Control+a", "Delete"):
            page.keyboard.press(key)
        expect_notes(page, 0)


def test_a_drag_over_bar_numbers_selects_bars_and_play_stays_in_them(studio: Served) -> None:
    """Bars cannot be chosen by hand, or the loop is the whole piece."""
    with opened_page() as page:
        page.goto(studio.address)
        ruler = page.locator(".roll-ruler").bounding_box()
        assert ruler is not None
        middle = ruler["y"] + RULER / 2
        page.mouse.move(ruler["x"] + 4 * BEAT + 5, middle)
        page.mouse.down()
        page.mouse.move(ruler["x"] + 9 * BEAT, middle, steps=3)
        page.mouse.up()
        assert float(page.input_value("#position")) == 4
        page.fill("#tempo", "220")
        page.keyboard.press("Tab")
        page.check("#loop")
        page.click("#play")
        assert waited(lambda: float(page.input_value("#position")) > 10)
        assert waited(lambda: 4 <= float(page.input_value("#position")) < 6, 3)
        expect(page.locator("#play")).to_have_text("Pause")


def test_everything_works_by_keyboard(studio: Served, tmp_path: Path) -> None:
    """The roll cannot be used without a mouse, or a screen reader is not told what happens."""
    with opened_page() as page:
        opened(page, studio)
        page.locator(".roll-canvas").focus()
        cell = page.locator(".roll [aria-live]")
        for key in ("Home", "ArrowUp", "ArrowRight", "Enter", "+", "+", "-"):
            page.keyboard.press(key)
        expect(cell).to_have_text("C#4, beat 1.25: note of 1.25 beats from beat 1.25")
        for key in ("ArrowDown", "Enter", "Control+z"):
            page.keyboard.press(key)
        expect_notes(page, 1)
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Shift+ArrowUp")
        expect(cell).to_have_text("D4, beat 1.5: note of 1.25 beats from beat 1.5")
        page.keyboard.press("Alt+ArrowDown")
        expect(cell).to_contain_text("Velocity 75.")
        page.keyboard.press("Shift+ArrowUp")
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+Shift+z")
        assert notes(page, tmp_path) == [(0, 63, 0.5, 1.25)]
        page.locator(".roll-canvas").focus()
        page.keyboard.press("PageDown")
        expect(cell).to_contain_text("G3")  # the model's lowest
        page.keyboard.press("b")
        expect(cell).to_contain_text("Bar 1 selected.")
        page.keyboard.press(" ")
        expect(page.locator("#play")).to_have_text("Pause")
        page.keyboard.press(" ")
        expect(page.locator("#play")).to_have_text("Play")


@pytest.mark.parametrize("width", [390, 1400])
def test_a_tap_draws_and_a_swipe_scrolls(studio: Served, tmp_path: Path, width: int) -> None:
    """Scrolling on a phone draws notes, or a finger cannot move one."""
    with opened_page(width=width, touch=True) as page:
        opened(page, studio)
        touch = page.context.new_cdp_session(page)

        def swipe(start: tuple[float, float], end: tuple[float, float]) -> None:
            steps = [(start[0] + (end[0] - start[0]) * i / 8, start[1] + (end[1] - start[1]) * i / 8) for i in range(9)]
            began = time.time() - 1
            for index, (x, y) in enumerate(steps):
                kind = "touchMove" if index else "touchStart"
                event = {"type": kind, "touchPoints": [{"x": x, "y": y}], "timestamp": began + 0.03 * index}
                touch.send("Input.dispatchTouchEvent", event)
            # By its time the finger rests before it leaves, so that the roll does not go on scrolling.
            touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": [], "timestamp": began + 0.9})

        def scrolled() -> float:
            return float(page.locator(".roll-scroll").evaluate("roll => roll.scrollLeft"))

        x, y = point(page, 4, 65, highest=TOP)
        swipe((x, y), (x - 120, y))
        assert width > 1000 or waited(lambda: scrolled() > 50)
        assert num_notes(page) == 0
        page.locator(".roll-scroll").evaluate("roll => { roll.scrollLeft = 0; }")
        page.touchscreen.tap(*point(page, 2, 65, highest=TOP))
        expect_notes(page, 1)
        before = scrolled()
        swipe(point(page, 2.2, 65, highest=TOP), point(page, 4.2, 67, highest=TOP, visible=False))
        assert notes(page, tmp_path) == [(0, 67, 4, 1)]
        assert scrolled() == before
        x, y = point(page, 4.2, 67, highest=TOP)
        for _ in range(2):  # at once, whatever else this machine does
            touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
            touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        expect_notes(page, 0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_parts_are_named_muted_and_removed(studio: Served, tmp_path: Path) -> None:
    """A part's notes stay behind, or new notes go to another part."""
    with opened_page() as page:
        opened(page, studio)
        page.click("#add-part")
        page.fill("#part-name-1", "</script>low")
        page.select_option("#program-1", label="Cello")
        press(page, 0, 60, highest=TOP)
        page.click("#part-0")
        press(page, 0, 64, highest=TOP)
        found = piece(page, tmp_path)
        assert [part["name"] for part in found["parts"]][1] == "</script>low"
        assert found["parts"][1]["program"] == 42
        assert sorted((note["part"], note["pitch"]) for note in found["notes"]) == [(0, 64), (1, 60)]
        page.click("#mute-0")
        expect(page.locator("#mute-0")).to_have_attribute("aria-pressed", "true")
        page.click("#remove-0")
        expect(page.locator("#mute-0")).to_have_attribute("aria-pressed", "false")
        assert notes(page, tmp_path) == [(0, 60, 0, 1)]
        expect(page.locator("#remove-0")).to_be_hidden()
        page.click("#undo")
        expect_notes(page, 2)


def test_the_longest_piece_follows_the_tempo(studio: Served) -> None:
    """The page lets a piece grow to a length at which the server refuses it."""
    with opened_page() as page:  # the server takes two minutes
        page.goto(studio.address)
        page.fill("#tempo", "120")
        page.press("#tempo", "Tab")
        page.fill("#bars", "100")
        page.press("#bars", "Tab")
        expect(page.locator("#bars")).to_have_value("60")
        expect(page.locator("#status")).to_have_text("At this tempo and metre, a piece has at most 60 bars.")
        page.fill("#tempo", "90")
        page.press("#tempo", "Tab")
        expect(page.locator("#tempo")).to_have_value("120")
        expect(page.locator("#error")).to_contain_text("at most 45 bars. Shorten it first.")
        page.fill("#tempo", "121")
        page.press("#tempo", "Tab")
        expect(page.locator("#error")).to_have_text("")


def test_the_length_and_the_metre_of_the_piece(studio: Served, tmp_path: Path) -> None:
    """A shorter piece keeps notes behind its end, or a wrong number is taken."""
    with opened_page() as page:
        opened(page, studio)
        page.fill("#bars", "2")
        page.keyboard.press("Tab")
        press(page, 7, 60, highest=TOP, to=(7.9, 60))
        page.fill("#beats-per-bar", "3")
        page.keyboard.press("Tab")
        assert piece(page, tmp_path)["beats_per_bar"] == 3
        page.fill("#bars", "1")
        page.keyboard.press("Tab")
        expect_notes(page, 0)
        page.fill("#bars", "0")
        page.keyboard.press("Tab")
        assert piece(page, tmp_path)["beats"] == 3
