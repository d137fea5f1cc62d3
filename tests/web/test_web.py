"""The parts that pages with music share: what Python says, and what a browser makes of it."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from chromium import opened_page
from playwright.sync_api import Page

from pianoroll_seq2seq import BeatGrid, PianoRoll, PitchRange, SecondsGrid, TempoMap
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.web import VELOCITY, Music, asset, music, script_json, scripts


def _roll(*, frames: int = 16, grid: BeatGrid | SecondsGrid = BeatGrid(2)) -> PianoRoll:
    """A pitch after another, upwards from C4, at 120 BPM: a quarter of a second each."""
    active = np.arange(frames)[:, None] % 25 == np.arange(25)
    return PianoRoll.from_active(active, grid=grid, pitches=PitchRange(60, 84), name="upwards")


def test_times_are_those_of_the_tempo() -> None:
    """The page plays at another tempo than the MIDI file, or its beat lines lie beside the notes."""
    active = np.array([[1, 0], [1, 0], [1, 1], [0, 1]], dtype=bool)
    onset = np.array([[1, 0], [1, 0], [0, 1], [0, 0]], dtype=bool)
    tempo = TempoMap(480, [(480, 1_000_000)])
    made = music(PianoRoll(active, onset, BeatGrid(2), PitchRange(60, 61), tempo, "two"), primer_frames=1)
    assert made["notes"] == [
        [0.0, 0.25, 60, VELOCITY],
        [0.25, 1.0, 60, VELOCITY],
        [0.5, 1.5, 61, VELOCITY],
    ]
    assert (made["name"], made["seconds"], made["primer_seconds"]) == ("two", 1.5, 0.25)
    assert made["beats"] == [0.0, 0.5, 1.5]


def test_beats_of_a_grid_in_seconds() -> None:
    """Rolls of 20 ms frames have a beat line every frame, or none."""
    made = music(_roll(frames=60, grid=SecondsGrid(0.02)), name="another name")
    assert made["beats"] == [0.0, 0.5, 1.0]
    assert (made["seconds"], made["name"]) == (1.2, "another name")


def test_the_range_that_is_drawn() -> None:
    """Music of one pitch fills the whole height, or a silent roll has none."""
    assert (music(_roll())["lowest"], music(_roll())["highest"]) == (59, 76)
    alone = music(_roll(frames=1))
    assert alone["lowest"] < 60 < alone["highest"]
    assert alone["highest"] - alone["lowest"] == 12
    silent = PianoRoll.from_active(np.zeros((4, 2), dtype=bool), pitches=PitchRange(126, 127))
    assert (music(silent)["lowest"], music(silent)["highest"], music(silent)["notes"]) == (126, 127, [])
    top = PianoRoll.from_active(np.ones((1, 1), dtype=bool), pitches=PitchRange(127, 127))
    assert music(top)["highest"] == 127


def test_mistakes_are_named() -> None:
    """A primer longer than the piece, or a part of another name, fails somewhere in a browser."""
    with pytest.raises(SettingsError, match=r"0\.\.16"):
        music(_roll(), primer_frames=17)
    with pytest.raises(SettingsError, match=r"player\.js"):
        asset("jquery.js")


def test_no_name_ends_the_script() -> None:
    """A piece called ``</script>`` ends the page's script and begins its own."""
    assert "<" not in script_json({"name": "</script><img src=x onerror=alert(1)>"})


@contextmanager
def _mounted(*pieces: Music, dark: bool = False) -> Iterator[Page]:
    """A page with the pieces mounted as ``figures``."""
    html = f"""<!doctype html><meta charset="utf-8"><title>music</title><style>{asset("page.css")}</style>
    <body class="pr-page"><script>{scripts()}
    const figures = {script_json(list(pieces))}.map((music) => mountMusic(document.body, music));
    </script>"""
    with opened_page(dark=dark) as page:
        page.set_content(html)
        yield page


def _position(page: Page, figure: int = 0) -> float:
    return float(page.evaluate(f"figures[{figure}].player.position"))


def test_it_plays_and_the_cursor_moves() -> None:
    """The button does nothing, or nobody sees where the music is."""
    with _mounted(music(_roll(), primer_frames=4)) as page:
        group = page.get_by_role("group", name="upwards")
        cursor = group.locator(".pr-cursor")
        before = cursor.bounding_box()
        group.get_by_role("button", name="Play").click()
        page.wait_for_function("figures[0].player.position > 0.3")
        assert page.evaluate("figures[0].player.playing")
        after = cursor.bounding_box()
        assert before is not None
        assert after is not None
        assert after["x"] > before["x"] + 5
        group.get_by_role("button", name="Pause").click()
        paused = _position(page)
        page.wait_for_timeout(200)
        assert _position(page) == paused
