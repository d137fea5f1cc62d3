"""The page keeps the piece and the settings in the browser, and opens and saves session files."""

import json
from pathlib import Path

import pytest
from chromium import opened_page
from playwright.sync_api import expect
from studio_models import PITCHES
from studio_page import draw_two_notes, expect_notes, notes, num_notes, piece, press, saved
from studio_server import Served

TOP = PITCHES.highest
CURRENT = "pianoroll-studio.current"


def test_a_browser_that_keeps_nothing_stops_nothing(studio: Served, tmp_path: Path) -> None:
    """A page without storage stays empty, or the user learns too late that nothing was saved."""
    with opened_page() as page:
        page.add_init_script(
            """for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, {
                get() { throw new DOMException("Access is denied for this document.", "SecurityError"); }
            });"""
        )
        page.goto(studio.address)
        expect(page.locator("#status")).to_contain_text("keeps nothing for this page, so your work is not saved")
        page.click("#clear")
        press(page, 0, 60, highest=TOP)
        expect_notes(page, 1)
        page.fill("#piece-name", "mine")
        page.click("#keep-piece")
        expect(page.locator("#error")).to_contain_text("Save it as a file")
        assert len(piece(page, tmp_path)["notes"]) == 1


def test_a_reload_loses_nothing(studio: Served, tmp_path: Path) -> None:
    """The piece of an hour is gone after a reload, or the settings are."""
    with opened_page() as page:
        draw_two_notes(page, studio.address, highest=TOP)
        page.select_option("#model", "slow")
        page.fill("#seed", "77")
        page.fill("#temperature", "0.65")
        page.select_option("#root", label="G")
        page.fill("#piece-name", "My tune")
        page.fill("#tempo", "133")
        page.press("#tempo", "Tab")
        before = piece(page, tmp_path)
        press(page, 3, 65, highest=TOP)  # and at once reloads
        page.reload()
        expect_notes(page, 3)
        after = piece(page, tmp_path)
        assert after["notes"][:2] == before["notes"]
        assert after["beats_per_minute"] == 133
        values = {name: page.input_value(f"#{name}") for name in ("model", "seed", "temperature", "root", "piece-name")}
        assert values == {"model": "slow", "seed": "77", "temperature": "0.65", "root": "7", "piece-name": "My tune"}
        other = page.context.new_page()  # opens with the last piece, too
        other.goto(studio.address)
        expect_notes(other, 3)
        other.click("#clear")
        other.close()
        page.reload()
        expect_notes(page, 3)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("{", "it is not JSON"),
        ("old", "version: expected 1, got 0"),
        ("wrong", "piece.notes[0].pitch: expected 0 to 127"),
    ],
)
def test_a_saved_piece_that_cannot_be_read_is_set_aside(studio: Served, broken: str, words: str) -> None:
    """A broken or older state leaves a blank page, or is lost."""
    with opened_page() as page:
        draw_two_notes(page, studio.address, highest=TOP)
        page.wait_for_function("name => (localStorage.getItem(name) ?? '').split('pitch').length === 3", arg=CURRENT)
        state = json.loads(page.evaluate("name => localStorage.getItem(name)", CURRENT))
        state["version"] = 0 if broken == "old" else 1
        state["piece"]["notes"][0]["pitch"] = 300 if broken == "wrong" else 60
        text = "{" if broken == "{" else json.dumps(state)
        page.add_init_script(
            f"if (!window.name) {{ window.name = 'spoiled'; sessionStorage.clear();"
            f" localStorage.setItem({CURRENT!r}, {json.dumps(text)}); }}"
        )
        page.reload()
        expect(page.locator("#status")).to_contain_text("The saved piece cannot be read and was set aside.")
        expect(page.locator("#status")).to_contain_text(words)
        assert num_notes(page) > 2  # the piece of a first visit
        with page.expect_download() as download:
            page.click("text=Save it as a file")
        assert Path(download.value.path()).read_text() == text
        page.click("#discard")
        page.reload()
        expect(page.locator("#status")).to_have_text("")


def test_pieces_are_kept_by_name(studio: Served, tmp_path: Path) -> None:
    """Opening another piece loses the one before."""
    with opened_page() as page:
        draw_two_notes(page, studio.address, highest=TOP)
        page.fill("#piece-name", "first")
        page.click("#keep-piece")
        expect(page.locator("#status")).to_contain_text("first is kept")
        first = notes(page, tmp_path)
        page.click("#clear")
        press(page, 1, 70, highest=TOP)
        second = notes(page, tmp_path)
        page.select_option("#kept", "first")
        page.click("#open-kept")
        assert notes(page, tmp_path) == first
        page.click("#undo")
        assert notes(page, tmp_path) == second
        page.reload()
        page.select_option("#kept", "first")
        page.click("#remove-kept")
        expect(page.locator("#kept")).to_be_disabled()


def test_a_session_file_holds_piece_and_settings(studio: Served, tmp_path: Path) -> None:
    """A shared file opens with other notes or settings, or a wrong one breaks the page."""
    with opened_page() as page:
        draw_two_notes(page, studio.address, highest=TOP)
        page.fill("#seed", "9")
        page.fill("#piece-name", "shared")
        path = saved(page, "json", tmp_path)
        assert path.name == "shared.json"
        before = notes(page, tmp_path)
        page.click("#clear")
        page.fill("#seed", "1")
        page.set_input_files("#open-file", path)
        expect_notes(page, 2)
        assert notes(page, tmp_path) == before
        assert page.input_value("#seed") == "9"
        text = path.read_text()
        for old, new, words in (
            ('"pitch":60', '"pitch":128', "piece.notes[0].pitch: expected 0 to 127, got 128."),
            ('"takes":1', '"takes":"2"', "choices.takes: expected a whole number"),
            ("{", "[", "it is not JSON"),
        ):
            assert old in text
            wrong = text.replace(old, new, 1).encode()
            page.set_input_files("#open-file", {"name": "wrong.json", "mimeType": "application/json", "buffer": wrong})
            expect(page.locator("#error")).to_contain_text(f"wrong.json: {words}" if "JSON" not in words else words)
            assert num_notes(page) == 2
        other = json.dumps(json.loads(text) | {"choices": json.loads(text)["choices"] | {"model": "unknown"}})
        buffer = {"name": "other.json", "mimeType": "application/json", "buffer": other.encode()}
        page.set_input_files("#open-file", buffer)
        expect(page.locator("#status")).to_contain_text("The model unknown is not open here; small takes its place.")
        expect(page.locator("#error")).to_have_text("")
