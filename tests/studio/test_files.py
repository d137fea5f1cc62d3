"""Files of the page: opened from the disk or by a drop, saved in every kind, and dragged out."""

from pathlib import Path

import pytest
from chromium import opened_page
from playwright.sync_api import expect
from studio_models import PITCHES
from studio_page import draw_two_notes, expect_notes, notes, num_notes, press, saved
from studio_server import Served

from pianoroll_seq2seq.midi_io import read_midi, to_midi_bytes
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.tempo import TempoMap

TOP = PITCHES.highest
DROP = """([name, bytes]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], name));
    for (const type of ["dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }
}"""


def midi_file() -> bytes:
    """Two notes that small models know, and one that is too low for them."""
    table = NoteTable([0, 480, 960], [480, 960, 1920], [60, 30, 62], [90] * 3, [0] * 3)
    return to_midi_bytes(Score(table, TempoMap.from_bpm(75)))


def test_a_midi_file_is_opened_and_what_was_changed_is_said(studio: Served, tmp_path: Path) -> None:
    """Notes are dropped in silence, or opening cannot be undone, or a wrong file breaks the page."""
    with opened_page(excused=["responded with a status of 4"]) as page:
        draw_two_notes(page, studio.address, highest=TOP)
        before = notes(page, tmp_path)
        page.set_input_files("#open-file", {"name": "a.tune.mid", "mimeType": "audio/midi", "buffer": midi_file()})
        expect(page.locator("#status")).to_contain_text("a.tune.mid is open: 2 notes.")
        expect(page.locator("#status")).to_contain_text("1 note")
        assert [(pitch, start) for _, pitch, start, _ in notes(page, tmp_path)] == [(60, 0), (62, 2)]
        assert float(page.input_value("#tempo")) == 75
        assert page.input_value("#piece-name") == "a.tune"
        page.click("#undo")
        assert notes(page, tmp_path) == before
        for buffer, words in ((b"no music", "MIDI"), (bytes(2**20), "the limit is 5000")):
            page.set_input_files("#open-file", {"name": "b.mid", "mimeType": "audio/midi", "buffer": buffer})
            expect(page.locator("#error")).to_contain_text(words)
            assert num_notes(page) == 2


def test_files_are_dropped_on_the_page(studio: Served) -> None:
    """The browser leaves the page to show the file."""
    with opened_page() as page:
        draw_two_notes(page, studio.address, highest=TOP)
        page.evaluate(DROP, ["dropped.mid", list(midi_file())])
        expect(page.locator("#status")).to_contain_text("dropped.mid is open")
        expect(page.locator("body")).not_to_have_class("dropping")


@pytest.mark.parametrize(
    ("kind", "suffix", "magic"),
    [
        ("mid", ".mid", b"MThd"),
        ("musicxml", ".musicxml", b"<?xml"),
        ("wav", ".wav", b"RIFF"),
        ("png", ".png", b"\x89PNG"),
    ],
)
def test_the_piece_is_saved(studio: Served, tmp_path: Path, kind: str, suffix: str, magic: bytes) -> None:
    """A saved file is empty, or of another kind than its name says."""
    with opened_page() as page:
        draw_two_notes(page, studio.address, highest=TOP)
        page.fill("#piece-name", "My: tune")
        path = saved(page, kind, tmp_path)
        assert path.name == f"My tune{suffix}"
        assert path.read_bytes().startswith(magic)
        expect(page.locator("#status")).to_have_text(f"My tune{suffix} is saved.")
        if kind in ("mid", "musicxml"):  # which come back as they were
            before = notes(page, tmp_path)
            page.click("#clear")
            page.set_input_files("#open-file", path)
            expect_notes(page, 2)
            assert [note[1:] for note in notes(page, tmp_path)] == [note[1:] for note in before]


def test_scores_are_saved_and_shown_while_they_are_open(studio: Served, tmp_path: Path) -> None:
    """The score stays as it was before an edit, or is drawn although nobody looks."""
    pytest.importorskip("verovio")
    with opened_page() as page:
        draw_two_notes(page, studio.address, highest=TOP)
        assert b"<svg" in saved(page, "svg", tmp_path).read_bytes()[:500]
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url) if "/export" in request.url else None)
        press(page, 1, 62, highest=TOP)
        page.wait_for_timeout(900)
        assert not requests
        page.click("#score-details summary")
        image = page.locator("#score img")
        expect(image).to_be_visible(timeout=20_000)
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
        expect(image).to_have_attribute("alt", "Score of the piece, 4 bars, music")
        first = image.get_attribute("src")
        press(page, 3, 67, highest=TOP)
        expect(image).not_to_have_attribute("src", first or "", timeout=20_000)


def test_of_two_files_the_last_one_is_open(studio: Served) -> None:
    """A large file that is opened first arrives last, and takes the place of the other one."""
    with opened_page() as page:
        page.add_init_script(
            """const real = fetch;
            let isFirst = true;
            window.fetch = async (address, options) => {
                if (String(address).startsWith("/open") && isFirst) {
                    isFirst = false;
                    await new Promise((resolve) => setTimeout(resolve, 1000));
                }
                return real(address, options);
            };"""
        )
        page.goto(studio.address)
        page.evaluate(DROP, ["first.mid", list(midi_file())])
        page.evaluate(DROP, ["last.mid", list(midi_file())])
        expect(page.locator("#status")).to_contain_text("last.mid is open")
        page.wait_for_timeout(1500)
        expect(page.locator("#status")).to_contain_text("last.mid is open")
        assert page.input_value("#piece-name") == "last"
        expect(page.locator("#error")).to_have_text("")


def test_a_score_that_could_not_be_drawn_is_tried_again(studio: Served) -> None:
    """After a failure, the score stays away until the next edit."""
    pytest.importorskip("verovio")
    with opened_page(excused=["Failed to load resource"]) as page:
        draw_two_notes(page, studio.address, highest=TOP)
        page.route("**/export*", lambda route: route.abort())
        page.click("#score-details summary")
        expect(page.locator("#score")).to_contain_text("The score cannot be drawn. The studio does not answer.")
        page.unroute("**/export*")
        page.click("#score-details summary")
        page.click("#score-details summary")
        expect(page.locator("#score img")).to_be_visible(timeout=20_000)
        expect(page.locator("#score")).not_to_contain_text("cannot be drawn")


def test_the_piece_is_dragged_out_as_midi(studio: Served) -> None:
    """A drag carries nothing, or the piece of before."""
    drag = """() => {
        const transfer = new DataTransfer();
        const event = new DragEvent("dragstart", { dataTransfer: transfer, bubbles: true, cancelable: true });
        document.getElementById("drag-midi").dispatchEvent(event);
        return event.defaultPrevented ? null : transfer.getData("DownloadURL");
    }"""
    with opened_page() as page:
        draw_two_notes(page, studio.address, highest=TOP)
        assert page.evaluate(drag) is None
        page.hover("#drag-midi")
        made = page.wait_for_function(drag).json_value()
        kind, name, address = made.split(":", 2)
        assert (kind, name) == ("audio/midi", "piece.mid")
        with page.expect_download() as download:  # what the browser does where it is dropped
            page.evaluate("href => Object.assign(document.createElement('a'), { href, download: '' }).click()", address)
        assert len(read_midi(download.value.path()).notes) == 2
        press(page, 3, 67, highest=TOP)
        assert page.evaluate(drag) is None
        with page.expect_download() as download:
            page.click("#drag-midi")
        assert len(read_midi(download.value.path()).notes) == 3


def test_a_pointer_on_the_way_over_an_empty_piece_is_no_error(studio: Served) -> None:
    """Who moves the pointer or the focus over the buttons of an empty piece is told that something failed."""
    with opened_page() as page:
        page.goto(studio.address)
        page.click("#clear")
        expect_notes(page, 0)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.hover("#drag-midi")
        page.focus("#drag-midi")
        page.wait_for_timeout(200)
        assert requests == []
        expect(page.locator("#error")).to_have_text("")
