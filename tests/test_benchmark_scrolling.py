"""The benchmark of scrolling, with a few seconds of music."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest
from chromium import opened_page

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
MINUTES = 0.5


@pytest.fixture
def scrolling(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("scrolling")


def test_the_music_is_three_parts_of_the_asked_length(scrolling: ModuleType) -> None:
    """The benchmark measures less than it says."""
    roll = scrolling.music(MINUTES)
    assert [part.name for part in roll.parts] == ["flute", "violin", "bass"]
    assert len(roll.notes().pitch) == MINUTES * 120 * (4 + 2 + 1)
    assert roll.grid.seconds_at([len(roll)], roll.tempo)[0] == pytest.approx(60 * MINUTES)


def test_the_player_scrolls_and_plays_in_every_frame(scrolling: ModuleType) -> None:
    """Frames are counted in which nothing moves, or the music does not play."""
    with opened_page(width=800) as page:
        times = scrolling.measure_player(page, scrolling.music(MINUTES), 0.4)
        assert page.evaluate("figure.player.playing")
        assert page.evaluate("figure.player.position") > 30 * MINUTES
        assert page.evaluate("figure.view.scrolled") > 0
    assert list(times) == ["player, scrolling", "player, playing"]
    assert all(len(of) > 1 and min(of) > 0 for of in times.values())
    assert scrolling.row("player", [20, 20, 20, 60]) == ["player", "33", "20", "59"]


def test_the_editor_scrolls_and_plays_in_every_frame(scrolling: ModuleType) -> None:
    """The studio shows other music than was opened, or does not scroll or play."""
    with opened_page(width=800) as page:
        times = scrolling.measure_studio(page, scrolling.music(MINUTES), 0.4)
        page.locator("#transport").get_by_text("Play").wait_for(state="hidden")
    assert list(times) == ["editor, scrolling", "editor, playing"]
    assert all(len(of) > 1 and min(of) > 0 for of in times.values())
