"""Notes far behind the end of the music."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pianoroll_seq2seq import (
    BeatGrid,
    PianoRoll,
    PitchRange,
    SecondsGrid,
    SlidingWindows,
    WholePieces,
    read_folder,
)
from pianoroll_seq2seq.data.stray_notes import find_stray_notes
from pianoroll_seq2seq.tempo import TempoMap

PITCHES = PitchRange(60, 64)


def music(frames: int, **more: Any) -> PianoRoll:
    active = np.zeros((frames, len(PITCHES)), dtype=bool)
    active[np.arange(frames), np.arange(frames) % 5] = True
    return PianoRoll.from_active(active, pitches=PITCHES, **more)


def with_stray(silence: int, *, after: int = 1, name: str = "song", **more: Any) -> PianoRoll:
    silent = PianoRoll.from_active(np.zeros((silence, len(PITCHES)), dtype=bool), pitches=PITCHES, **more)
    return (music(32, **more) + silent + music(after, **more)).renamed(name)


@pytest.mark.parametrize("hours", [0.1, 18])
@pytest.mark.parametrize("after", [1, 3])
@pytest.mark.parametrize("grid", [BeatGrid(4), SecondsGrid(0.125)])
def test_notes_after_a_long_silence_are_found(hours: float, after: int, grid: Any) -> None:
    """A stray note 18 hours out makes a data set that is nearly all silence."""
    silence = int(hours * 3600 * 8)  # frames of an eighth of a second
    found = find_stray_notes(with_stray(silence, after=after, grid=grid))
    assert found is not None
    assert (found.silent_from, found.silent_until, found.num_notes) == (32, 32 + silence, after)
    assert (found.seconds_from, found.seconds_until) == (4, 4 + hours * 3600)
    if hours == 18:
        assert str(found) == f"silence from 0:00:04 to 18:00:04, then {after} note{'s' * (after > 1)}"


@pytest.mark.parametrize(
    "roll",
    [
        music(200),
        with_stray(400),  # 50 seconds
        with_stray(700, after=100),  # a movement follows
        PianoRoll.silent(5000, pitches=PITCHES),
        PianoRoll.silent(0, pitches=PITCHES),
        PianoRoll.silent(5000, pitches=PITCHES) + music(4),  # a late beginning
        music(32) + PianoRoll.silent(5000, pitches=PITCHES),  # silence at the end
    ],
)
def test_music_is_left_alone(roll: PianoRoll) -> None:
    """A rest, a late beginning or an encore is taken for damage."""
    assert find_stray_notes(roll) is None


def test_seconds_are_those_of_the_tempo() -> None:
    slow = TempoMap(480, [(0, 4_000_000)])  # a frame is a second
    assert find_stray_notes(with_stray(61, tempo=slow)) is not None
    assert find_stray_notes(with_stray(61)) is None
    assert find_stray_notes(with_stray(61), min_seconds=5) is not None


TRAINING_DATA: dict[str, Any] = {
    "windows": lambda rolls: SlidingWindows(rolls, input_frames=8, target_frames=8, hop=8),
    "whole pieces": lambda rolls: WholePieces(rolls, max_frames_per_batch=100),
}


@pytest.mark.parametrize("make", TRAINING_DATA)
def test_training_data_warn_and_say_what_to_do(make: str) -> None:
    """A model is trained on the silence, and nobody is told."""
    rolls = [music(40, name="good"), *(with_stray(8 * 64_800, name=f"bad{number}") for number in range(4))]
    match = (
        r"because 4 pieces have a few notes far behind their end\. bad0: silence from 0:00:04 to 18:00:04, then 1 "
        r"note; bad1: .*and 1 more\. Remove these notes from the files, or cut the rolls: roll\[:32\]"
    )
    with pytest.warns(UserWarning, match=match) as caught:
        TRAINING_DATA[make](rolls)
    assert [warning.filename for warning in caught] == [__file__]
    windows = TRAINING_DATA[make]([roll[:32] for roll in rolls])
    assert len(windows) > 0


def test_the_warning_is_given_once() -> None:
    rolls = [with_stray(5000)]
    with pytest.warns(UserWarning, match="long silence"):
        windows = TRAINING_DATA["windows"](rolls)
    windows.with_hop(4)


def test_real_pieces_have_none(pop909_dir: Path) -> None:
    """Every tenth song of a good collection is suspected."""
    rolls, _ = read_folder(pop909_dir)
    assert len(rolls) > 100
    assert [roll.name for roll in rolls if find_stray_notes(roll) is not None] == []
