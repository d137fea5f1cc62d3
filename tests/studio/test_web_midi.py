"""A MIDI keyboard and a synthesizer at the page, as fake ports of the browser: record, play in turn, send out."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import opened_page
from playwright.sync_api import Page, expect
from studio_models import quartet_model, small_model
from studio_page import expect_notes, notes, num_notes
from studio_server import Served, served, waited

pytestmark = pytest.mark.usefixtures("one_thread")
FAKE_MIDI = """
    const port = (id, name) => ({ id, name, onmidimessage: null });
    window.sent = [];
    const keyboard = port("in-1", "Fake keyboard");
    const synthesizer = { ...port("out-1", "Fake synthesizer"), send: (data, at) => sent.push([...data, at ?? -1]) };
    const access = { inputs: new Map([["in-1", keyboard]]), outputs: new Map([["out-1", synthesizer]]) };
    navigator.requestMIDIAccess = async () => access;
    window.unplug = () => {
        const gone = () => { throw new DOMException("disconnected", "InvalidStateError"); };
        [synthesizer.send, keyboard.onmidimessage] = [gone, null];
        access.inputs.clear();
        access.outputs.clear();
        access.onstatechange();
    };
    window.keyAt = (timeStamp, ...data) => keyboard.onmidimessage({ data: new Uint8Array(data), timeStamp });
    window.key = (...data) => keyAt(performance.now(), ...data);
    window.tap = (pitch, from, until) => {  // at exact times, also if the page is late
      const now = performance.now();
      setTimeout(() => keyAt(now + from, 0x90, pitch, 100), from);
      setTimeout(() => keyAt(now + until, 0x80, pitch, 0), until);
    };
"""
LATE_KEYS = """beat => {
    let [before, now] = [0, Infinity];
    for (let tries = 0; now - before > 5 && tries < 100; tries++) {  // a busy machine may pause in between
        before = performance.now();
        document.getElementById("metronome").checked = false;
        document.getElementById("metronome").click();  // shows the position of now
        now = performance.now();
    }
    const zero = now - Number(document.getElementById("position").value) * beat;
    for (let at = 0; at < 16; at++) {
        keyAt(zero + at * beat, 0x90, 60 + at, 100);
        keyAt(zero + (at + 1) * beat, 0x80, 60 + at, 0);
    }
}"""
"""Sixteen beats of keys, which the page gets all together, when they have been played."""
TEMPO = 240
BEAT = 60 / TEMPO
"""Seconds of a beat: the tests are quick."""


@pytest.fixture(scope="module")
def continuing() -> Iterator[Served]:
    with served([small_model(), quartet_model()]) as running:
        yield running


def connected(page: Page, studio: Served) -> None:
    """An empty piece, quick, with the fake ports connected."""
    page.add_init_script(FAKE_MIDI)
    page.goto(studio.address)
    page.click("#clear")
    expect_notes(page, 0)
    page.fill("#tempo", str(TEMPO))
    page.press("#tempo", "Tab")
    page.click("#connect-midi")
    expect(page.locator("#status")).to_have_text("MIDI is connected: 1 input, 1 output.")


def note_ons(page: Page) -> list[tuple[int, float]]:
    """Pitch and time of the notes that were sent, without those that only echo what was played."""
    return [(pitch, at) for status, pitch, *_, at in page.evaluate("sent") if status & 0xF0 == 0x90]


def test_four_bars_are_recorded_on_the_grid(continuing: Served, tmp_path: Path) -> None:
    """Recorded notes are late by the count-in or by a busy page, off the grid, or many steps for undo."""
    with opened_page() as page:
        connected(page, continuing)
        page.fill("#bars", "1")
        page.press("#bars", "Tab")
        page.click("#record")
        expect(page.locator("#status")).to_contain_text("after a bar of clicks")
        assert waited(lambda: float(page.locator("#position").input_value()) > 16.5, 60)
        page.evaluate(LATE_KEYS, 1000 * BEAT)
        assert num_notes(page) == 16
        page.click("#record")
        expect(page.locator("#record")).to_have_text("Record")
        expect(page.locator("#play")).to_have_text("Play")
        found = notes(page, tmp_path)
        assert [pitch for _, pitch, _, _ in found] == list(range(60, 76))
        assert [(start, length) for _, _, start, length in found] == [(beat, 1) for beat in range(16)]
        assert page.input_value("#bars") == "4"
        page.click("#undo")
        expect_notes(page, 0)
        assert page.input_value("#bars") == "1"


def test_the_model_answers_after_a_bar_of_silence_to_the_output(continuing: Served, tmp_path: Path) -> None:
    """The model interrupts the player, never answers, or its answer is heard in the page only."""
    with opened_page() as page:
        connected(page, continuing)
        page.select_option("#midi-output", "out-1")
        page.check("#only-output")
        page.uncheck("#echo")
        page.click("#turns")
        expect(page.locator("#status")).to_contain_text("After a bar of silence")
        page.evaluate(
            "beat => [60, 64, 67, 72].forEach((pitch, at) => tap(pitch, at * beat, (at + 0.9) * beat))", 1000 * BEAT
        )
        page.wait_for_timeout(int(1000 * BEAT * 6))
        assert note_ons(page) == []
        expect(page.locator("#status")).to_have_text("Your turn.", timeout=20_000)
        found = notes(page, tmp_path)
        call, answer = found[:4], [note for note in found if note[2] >= 4]
        assert [(pitch, start) for _, pitch, start, _ in call] == [(60, 0), (64, 1), (67, 2), (72, 3)]
        assert answer
        assert max(start + length for _, _, start, length in answer) <= 8
        written = Counter(pitch for _, pitch, _, _ in answer)
        # A note that waits for the model is sent again, so there may be more.
        assert waited(lambda: written <= Counter(pitch for pitch, _ in note_ons(page)), 10)
        assert set(written) == {pitch for pitch, _ in note_ons(page)}
        page.click("#turns")
        expect(page.locator("#turns")).to_have_attribute("aria-pressed", "false")


def test_the_piece_is_sent_to_the_output_and_ends_there_with_pause(continuing: Served) -> None:
    """Parts come on one channel, or notes hang in the synthesizer after Pause."""
    with opened_page() as page:
        page.add_init_script(FAKE_MIDI)
        page.goto(continuing.address)
        page.click("#connect-midi")
        page.select_option("#midi-output", "out-1")
        page.click("#play")
        assert waited(lambda: len(note_ons(page)) >= 4, 10)
        page.click("#play")
        page.wait_for_timeout(100)
        sent = page.evaluate("sent")
        on = {(status & 15, pitch) for status, pitch, *_ in sent if status & 0xF0 == 0x90}
        off = {(status & 15, pitch) for status, pitch, *_ in sent if status & 0xF0 == 0x80}
        assert on == off
        assert sent[0][0] & 0xF0 == 0xC0


def test_a_browser_without_web_midi_says_so(continuing: Served) -> None:
    """Buttons do nothing, and nobody learns why."""
    with opened_page() as page:
        page.add_init_script("delete Navigator.prototype.requestMIDIAccess;")
        page.goto(continuing.address)
        expect(page.locator("#live")).to_contain_text("This browser has no Web MIDI.")
        for button in ("connect-midi", "record", "turns"):
            expect(page.locator(f"#{button}")).to_have_attribute("aria-disabled", "true")
        page.locator("#record").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#status")).to_contain_text("no Web MIDI")


def test_midi_that_is_not_allowed_is_reported(continuing: Served) -> None:
    """A refusal of the browser leaves the page waiting."""
    with opened_page() as page:
        page.add_init_script(
            "navigator.requestMIDIAccess = () => Promise.reject(new DOMException('', 'SecurityError'));"
        )
        page.goto(continuing.address)
        page.click("#connect-midi")
        expect(page.locator("#error")).to_contain_text("did not allow MIDI")
        expect(page.locator("#record")).to_have_attribute("title", "Connect MIDI first.")


def test_unplugged_ports_stop_nothing_but_themselves(continuing: Served) -> None:
    """Without its keyboard, a recording cannot be ended; without its synthesizer, the page cannot pause."""
    with opened_page() as page:
        connected(page, continuing)
        page.select_option("#midi-output", "out-1")
        for button, said in (("#record", "The recording has ended."), ("#turns", "The call and response has ended.")):
            page.click(button)
            page.evaluate("key(0x90, 60, 100)")
            page.evaluate("unplug()")
            expect(page.locator("#midi-output")).to_have_value("")
            expect(page.locator(button)).to_have_attribute("aria-pressed", "true")
            page.click(button)
            expect(page.locator("#status")).to_have_text(said)
            expect(page.locator(button)).to_have_attribute("aria-disabled", "true")
            page.click("#play")
            expect(page.locator("#play")).to_have_text("Pause")
            page.click("#play")
            expect(page.locator("#play")).to_have_text("Play")
            page.reload()
            page.click("#connect-midi")
