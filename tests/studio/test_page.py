"""The studio's page in a browser, as a person uses it."""

import re
from pathlib import Path

import numpy as np
from chromium import opened_page
from playwright.sync_api import Page, expect
from studio_models import HOSTILE, PITCHES, SLOW, Slow, slow_model
from studio_server import Served, served, waited

from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.score import NoteTable, Score
from pianoroll_seq2seq.tempo import TempoMap

PIXELS = {"beat": 56, "row": 11}
"""Sizes in the editor."""
SECONDS = 'document.querySelector(".pr-seek").max'
WATCH = """
    new MutationObserver((_, observer) => {
      if (document.querySelector(".pr-play")?.textContent !== "Pause") return;
      window.firstSeconds = document.querySelector(".pr-seek").max;
      observer.disconnect();
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
"""
"""Keeps how long the piece is when the page begins to play, however late the test looks."""
POSITION = 'Number(document.querySelector(".pr-seek").value)'


def press(page: Page, beat: float, pitch: int, *, to_beat: float | None = None) -> None:
    """Presses the mouse in a cell of the editor, and releases it there or at another beat."""
    grid = page.locator("#editor svg")
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    assert box is not None
    y = box["y"] + (PITCHES.highest - pitch + 0.5) * PIXELS["row"]
    page.mouse.move(box["x"] + beat * PIXELS["beat"] + 3, y)
    page.mouse.down()
    if to_beat is not None:
        page.mouse.move(box["x"] + to_beat * PIXELS["beat"] - 3, y, steps=4)
    page.mouse.up()


def notes_drawn(page: Page) -> int:
    label = page.locator("#editor svg").get_attribute("aria-label") or ""
    return int(re.findall(r"\d+", label)[0])


def generated(page: Page) -> None:
    page.click("#continue")
    expect(page.locator("#status")).to_contain_text("Done", timeout=20_000)


def downloaded(page: Page, kind: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.click(f"#download-{kind}")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def music(page: Page, folder: Path) -> PianoRoll:
    return PianoRoll.from_midi(downloaded(page, "midi", folder), pitches=PITCHES)


def test_a_drawn_primer_is_continued_until_stop(studio: Served, tmp_path: Path) -> None:
    """The page plays nothing before the piece is complete, cannot stop it, or plays another primer."""
    model = SLOW.model
    assert isinstance(model, Slow)
    with opened_page() as page:
        page.goto(studio.address)
        page.click("#clear")
        page.select_option("#note-length", "0.5")
        press(page, 0, 60)
        press(page, 1, 64, to_beat=2)
        press(page, 3, 67)
        press(page, 3, 67)  # and removes it again
        assert notes_drawn(page) == 2
        page.select_option("#model", "slow")
        page.fill("#length", "200")
        page.fill("#tempo", "120")
        page.evaluate(WATCH)
        page.click("#continue")
        expect(page.locator(".pr-play")).to_have_text("Pause", timeout=5_000)
        assert float(page.evaluate("window.firstSeconds")) < 4  # of a hundred seconds
        first, began = float(page.evaluate(SECONDS)), page.evaluate(POSITION)
        assert waited(lambda: float(page.evaluate(SECONDS)) > first + 1 and page.evaluate(POSITION) > began + 0.4)
        expect(page.locator("#continue")).to_be_disabled()
        page.click("#stop")
        expect(page.locator("#status")).to_have_text("Stopped.")
        expect(page.locator(".pr-play")).to_have_text("Play")
        assert studio.idle(2)
        frames = model.frames
        assert not waited(lambda: model.frames != frames, 0.2)
        piece = music(page, tmp_path)
        assert 8 < len(piece) < 500
        assert piece.active[:9, 5].tolist() == [True, True] + [False] * 6 + [piece.active[8, 5]]  # C4
        assert piece.active[:8, 9].tolist() == [False] * 4 + [True] * 4  # E4


def test_settings_determine_the_downloaded_piece(studio: Served, tmp_path: Path) -> None:
    """The fields of the page have no effect, or the download is another piece than the page plays."""
    with opened_page() as page:
        page.goto(studio.address)
        page.fill("#length", "8")
        page.fill("#seed", "5")
        generated(page)
        first = music(page, tmp_path)
        generated(page)
        assert music(page, tmp_path) == first
        page.fill("#seed", "6")
        generated(page)
        assert music(page, tmp_path) != first
        page.fill("#seed", "5")
        page.fill("#temperature", "0.3")
        generated(page)
        assert music(page, tmp_path) != first
        page.fill("#temperature", "1")
        page.select_option("#root", label="D")
        page.select_option("#scale", label="major")
        page.select_option("#unit", "seconds")
        page.fill("#tempo", "120")
        page.uncheck("#from-primer")
        generated(page)
        assert page.evaluate(POSITION) > 1.9  # the primer lasts two seconds
        in_d = music(page, tmp_path)
        assert 64 < len(in_d) <= 16 + 64
        columns = np.nonzero(in_d[17:].active.any(axis=0))[0]
        assert set((columns + PITCHES.lowest) % 12) <= {2, 4, 6, 7, 9, 11, 1}
        data = downloaded(page, "wav", tmp_path).read_bytes()
        assert data[:4] == b"RIFF"
        assert data[8:12] == b"WAVE"


def test_a_midi_file_becomes_the_primer_and_other_files_an_error(studio: Served) -> None:
    """A wrong file breaks the page, or a long one fills it."""
    table = NoteTable([0, 480, 9600], [480, 960, 9900], [60, 30, 62], [90] * 3, [0] * 3)
    data = to_midi_bytes(Score(table, TempoMap.from_bpm(75)))
    with opened_page(excused=["responded with a status of 4"]) as page:
        page.goto(studio.address)
        page.set_input_files("#midi", {"name": "a.mid", "mimeType": "audio/midi", "buffer": data})
        expect(page.locator("#status")).to_contain_text("1 note of a.mid, its first 16 beats. Left out: 1 note outside")
        assert notes_drawn(page) == 1
        assert float(page.input_value("#tempo")) == 75
        for buffer, words in ((b"no music", "not a readable MIDI file"), (bytes(2**20), "the limit is 5000")):
            page.set_input_files("#midi", {"name": "b.mid", "mimeType": "audio/midi", "buffer": buffer})
            expect(page.locator("#error")).to_contain_text(words)
            assert notes_drawn(page) == 1
        generated(page)
        expect(page.locator("#error")).to_have_text("")


def test_everything_works_by_keyboard_and_has_a_name(studio: Served) -> None:
    """The page cannot be used without a mouse, or with a screen reader."""
    with opened_page() as page:
        page.goto(studio.address)
        page.click("#clear")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('role')") == "application"
        for key in ("Home", "ArrowUp", "ArrowRight", "Enter", "+", "+", "-"):
            page.keyboard.press(key)
        expect(page.locator("#editor [aria-live]")).to_have_text("C#4, beat 1.25: note of 1.25 beats from beat 1.25")
        for key in ("ArrowDown", "Enter", "Control+z"):
            page.keyboard.press(key)
        assert notes_drawn(page) == 1
        page.keyboard.press("PageDown")
        expect(page.locator("#editor [aria-live]")).to_contain_text("G3")  # the model's lowest
        page.fill("#length", "4")
        page.locator("#continue").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#status")).to_contain_text("Done", timeout=20_000)
        assert page.evaluate("document.activeElement.id") == "continue"
        tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
        controls = {"button", "textbox", "spinbutton", "slider", "checkbox", "combobox", "link", "application", "img"}
        found = [
            (node["role"]["value"], node["name"]["value"])
            for node in tree
            if node.get("role", {}).get("value") in controls
        ]
        assert len(found) > 15
        assert all(name.strip() for _, name in found), found
        assert page.locator("[role=status], [role=alert]").count() == 2


def test_a_tap_draws_and_a_swipe_scrolls(studio: Served) -> None:
    """Scrolling on a tablet draws notes."""
    touch = """([type, x, y]) => {
        const svg = document.querySelector('#editor svg'), box = svg.getBoundingClientRect();
        svg.dispatchEvent(new PointerEvent(type, {pointerType: 'touch', pointerId: 9, button: 0, buttons: 1,
          clientX: box.x + x, clientY: box.y + y, bubbles: true}));
    }"""
    with opened_page() as page:
        page.goto(studio.address)
        page.click("#clear")
        page.evaluate(touch, ["pointerdown", 10, 20])
        page.evaluate(touch, ["pointercancel", 10, 60])
        assert notes_drawn(page) == 0
        page.evaluate(touch, ["pointerdown", 10, 20])
        page.evaluate(touch, ["pointerup", 10, 20])
        assert notes_drawn(page) == 1


def test_errors_are_shown_and_the_page_still_works(studio: Served) -> None:
    """After an error the page waits forever."""
    with opened_page() as page:
        page.goto(studio.address)
        page.click("#clear")
        page.click("#continue")
        expect(page.locator("#error")).to_contain_text("The primer is empty")
        page.click("#undo")
        page.fill("#length", "-3")
        page.click("#continue")
        expect(page.locator("#error")).to_contain_text("Length")
        page.fill("#length", "4")
        page.select_option("#model", "conditional")
        page.click("#continue")
        expect(page.locator("#error")).to_contain_text("The model failed")
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
        expect(page.locator(".pr-play")).to_have_text("Pause", timeout=5_000)
        page.close()
        assert studio.idle(2)


def test_a_stopped_studio_is_reported(tmp_path: Path) -> None:
    """After Ctrl-C in the terminal, the page waits forever."""
    with opened_page(excused=["Failed to load resource", "net::ERR"]) as page:
        with served([slow_model()]) as studio:
            page.goto(studio.address)
            page.fill("#length", "200")
            page.click("#continue")
            expect(page.locator(".pr-play")).to_have_text("Pause", timeout=5_000)
        expect(page.locator("#error")).to_contain_text("stopped answering", timeout=5_000)
        page.click("#continue")
        expect(page.locator("#error")).to_contain_text("Is it still running?")
