"""Lengths in frames, beats and seconds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.sampling import Length
from pianoroll_seq2seq.tempo import TempoMap

SLOW_THEN_FAST = TempoMap(480, [(0, 1_000_000), (1920, 500_000)])


@given(beats=st.integers(1, 64), frames_per_beat=st.integers(1, 12))
def test_beats_are_frames_of_a_beat_grid_at_any_tempo(beats: int, frames_per_beat: int) -> None:
    for tempo in (TempoMap.from_bpm(90), SLOW_THEN_FAST):
        assert Length(beats=beats).in_frames(BeatGrid(frames_per_beat), tempo) == beats * frames_per_beat


@given(seconds=st.integers(1, 30), after=st.integers(0, 99))
def test_seconds_are_frames_of_a_seconds_grid(seconds: int, after: int) -> None:
    assert Length(seconds=seconds).in_frames(SecondsGrid(0.25), TempoMap.from_bpm(120), after=after) == 4 * seconds


def test_the_tempo_is_that_of_the_stretch() -> None:
    """Seconds after a slow primer would be counted at its tempo."""
    assert Length(seconds=2).in_frames(BeatGrid(4), SLOW_THEN_FAST) == 8  # 60 beats per minute
    assert Length(seconds=2).in_frames(BeatGrid(4), SLOW_THEN_FAST, after=16) == 16  # 120
    assert Length(beats=2).in_frames(SecondsGrid(0.5), SLOW_THEN_FAST, after=8) == 2


def test_there_is_at_least_one_frame() -> None:
    assert Length(seconds=0.001).in_frames(BeatGrid(4), TempoMap.from_bpm(60)) == 1


def test_without_a_number_there_is_no_length() -> None:
    assert not Length()
    assert Length(num_frames=3)


@pytest.mark.parametrize(
    "wrong",
    [{"num_frames": 0}, {"beats": -1.0}, {"seconds": math.nan}, {"beats": math.inf}, {"beats": 1, "seconds": 1}],
)
def test_wrong_lengths_are_errors(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="one number above 0: num_frames, beats or seconds"):
        Length(**wrong)


@pytest.mark.parametrize("length", [Length(num_frames=10**12), Length(seconds=1e12), Length(beats=1e15)])
def test_lengths_beyond_the_limits_are_errors(length: Length) -> None:
    """A typo would take all memory."""
    with pytest.raises(SettingsError, match=f"at most {DEFAULT_LIMITS.max_frames}"):
        length.in_frames(BeatGrid(4), TempoMap.from_bpm(60))
