"""Conditions that follow from a piece: the place of every frame in bar and beat, and where phrases end."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq import BeatGrid, Meter, PianoRoll, SecondsGrid, TempoMap, TimeSignature
from pianoroll_seq2seq.checkpoint.descriptions import build, describe
from pianoroll_seq2seq.data.condition_sources import (
    ConditionSource,
    JoinedConditions,
    MetricPosition,
    PhraseEnds,
    drop_phrase_ends,
    phrase_end_frames,
)
from pianoroll_seq2seq.errors import CheckpointError, SettingsError
from pianoroll_seq2seq.grid import FrameGrid

POSITION = MetricPosition()
BAR_BEGINS, BEAT_BEGINS, BAR_LENGTH, BEAT_LENGTH = 4, 5, 6, 7


def roll_of(frames: int, *times: tuple[int, int, int], grid: FrameGrid = BeatGrid(4), tempo: Any = None) -> PianoRoll:
    """A silent roll with time signatures: tick, numerator, denominator; 480 ticks in a quarter note."""
    active = np.zeros((frames, 88), bool)
    meter = Meter([TimeSignature(*time) for time in times])
    return PianoRoll(active, active, grid, tempo=tempo or TempoMap(480), meter=meter)


def place(rows: np.ndarray, column: int = 0) -> np.ndarray:
    """The position that a sine and a cosine say, 0 <= position < 1."""
    turns = np.arctan2(rows[:, column], rows[:, column + 1]) / (2 * np.pi)
    position: np.ndarray = np.round(turns, 5) % 1
    return position


def begins(rows: np.ndarray, column: int) -> list[int]:
    return np.flatnonzero(rows[:, column]).tolist()


# ---- Metric position


@given(
    numerator=st.integers(1, 13),
    denominator=st.sampled_from([1, 2, 4, 8, 16]),
    frames=st.integers(1, 60),
    begin=st.integers(0, 80),
)
def test_position_is_that_of_the_score(numerator: int, denominator: int, frames: int, begin: int) -> None:
    """A model takes the second beat for the first: in odd metres, or in a passage that was cut out of a piece."""
    rows = POSITION(roll_of(200, (0, numerator, denominator))[begin : begin + frames])
    bar, beat = Fraction(16 * numerator, denominator), Fraction(16, denominator)  # in frames
    at = range(begin, begin + frames)
    assert place(rows) == pytest.approx([float(frame % bar / bar) for frame in at], abs=1e-4)
    assert place(rows, 2) == pytest.approx([float(frame % beat / beat) for frame in at], abs=1e-4)
    assert begins(rows, BAR_BEGINS) == [frame - begin for frame in at if frame % bar < 1]
    assert begins(rows, BEAT_BEGINS) == [frame - begin for frame in at if frame % beat < 1]
    assert np.allclose(rows[:, BAR_LENGTH], np.log2(numerator / denominator))
    assert np.allclose(rows[:, BEAT_LENGTH], np.log2(4 / denominator))


def test_a_roll_without_signatures_is_in_four_four() -> None:
    rows = POSITION(PianoRoll.silent(20))
    assert np.array_equal(rows, POSITION(roll_of(20, (0, 4, 4))))
    assert place(rows)[:16].tolist() == [frame / 16 for frame in range(16)]
    assert POSITION(PianoRoll.silent(0)).shape == (0, 8)


@pytest.mark.parametrize("first", [(0, 3, 4), (0, 1, 4)])
def test_an_upbeat_is_the_end_of_a_bar(first: tuple[int, int, int]) -> None:
    """A hymn that begins with an upbeat is off by a beat to its end; or only its first beat is taken for a downbeat."""
    rows = POSITION(roll_of(40, first, (480, 3, 4)))
    assert np.allclose(place(rows)[:5], [8 / 12, 9 / 12, 10 / 12, 11 / 12, 0])
    assert begins(rows, BAR_BEGINS) == [4, 16, 28]
    assert begins(rows, BEAT_BEGINS) == list(range(0, 40, 4))
    assert len(np.unique(rows[:, BAR_LENGTH])) == 1


def test_an_upbeat_of_half_a_beat() -> None:
    """Beats are counted from the first note on, half a beat beside those of all other bars."""
    rows = POSITION(roll_of(20, (0, 4, 4), (240, 4, 4)))
    assert begins(rows, BEAT_BEGINS) == [2, 6, 10, 14, 18]
    assert np.allclose(place(rows)[:3], [14 / 16, 15 / 16, 0])


def test_a_bar_that_a_repeat_sign_divides() -> None:
    """The last beat of a divided bar is taken for the first."""
    rows = POSITION(roll_of(44, (0, 4, 4), (1920, 4, 4), (1920 + 1440, 4, 4), (2 * 1920, 4, 4)))
    assert begins(rows, BAR_BEGINS) == [0, 16, 32]
    assert np.allclose(place(rows)[28:33], [12 / 16, 13 / 16, 14 / 16, 15 / 16, 0])


def test_metres_change() -> None:
    rows = POSITION(roll_of(40, (0, 2, 4), (480 * 4, 6, 8)))
    assert begins(rows, BAR_BEGINS) == [0, 8, 16, 28]
    assert begins(rows, BEAT_BEGINS) == [0, 4, 8, 12, *range(16, 40, 2)]
    assert rows[0, [BAR_LENGTH, BEAT_LENGTH]].tolist() == [-1, 0]


@given(
    times=st.lists(
        st.tuples(st.integers(0, 4000), st.integers(1, 255), st.sampled_from([1, 2, 4, 8, 128])), max_size=5
    ),
    ticks_per_beat=st.sampled_from([1, 7, 480]),
    grid=st.sampled_from([BeatGrid(4), BeatGrid(1), SecondsGrid(0.02), SecondsGrid(1.0)]),
    us_per_beat=st.sampled_from([500_000, 1_000, 5_000_000]),
)
def test_every_number_is_finite_and_small(
    times: list[tuple[int, int, int]], ticks_per_beat: int, grid: FrameGrid, us_per_beat: int
) -> None:
    """Training ends in NaN because of one file with an odd metre."""
    rows = POSITION(roll_of(50, *times, grid=grid, tempo=TempoMap(ticks_per_beat, [(0, us_per_beat)])))
    assert rows.shape == (50, POSITION.size)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert np.abs(rows).max() <= 8


@pytest.mark.parametrize("frame_seconds", [0.02, 0.03, 0.07])
def test_bars_begin_in_the_nearest_frame_of_a_grid_in_seconds(frame_seconds: float) -> None:
    """The bar lines of a picture and those that a model reads differ by a frame."""
    tempo = TempoMap(480, [(0, 510_000), (2000, 470_000)])
    roll = roll_of(400, (0, 3, 4), (1440 * 2, 6, 8), grid=SecondsGrid(frame_seconds), tempo=tempo)
    rows = POSITION(roll)
    assert begins(rows, BAR_BEGINS) == roll.bar_frames().tolist()
    assert begins(rows, BEAT_BEGINS) == roll.beat_frames().tolist()


# ---- Phrase ends


def test_phrase_ends() -> None:
    """A cadence comes a beat late; or no phrases at all look like unknown ones."""
    roll = roll_of(32)
    rows = PhraseEnds()(roll, phrase_ends=[24, 8])
    assert begins(rows, 0) == [7, 23]
    assert np.allclose(rows[:8, 1], np.arange(9, 17) / 16)
    assert np.allclose(rows[8:24, 1], np.arange(1, 17) / 16)
    assert not rows[24:, 1].any()
    assert (rows[:, 2] == 1).all()
    assert not PhraseEnds()(roll).any()
    assert PhraseEnds()(roll, phrase_ends=[]).tolist() == [[0, 0, 1]] * 32


def test_ends_from_ticks_beats_and_bars() -> None:
    """Users count in bars and beats, and an upbeat is no bar."""
    roll = roll_of(4 + 12 * 4, (0, 3, 4), (480, 3, 4))
    assert phrase_end_frames(roll, bars=[0, 2, 4]).tolist() == [4, 28, 52]
    assert phrase_end_frames(roll, beats=[13, 1, 7.5]).tolist() == [4, 30, 52]
    assert phrase_end_frames(roll, ticks=np.array([480, 480, 0])).tolist() == [4]
    assert phrase_end_frames(roll_of(32), bars=[1, 2]).tolist() == [16, 32]
    for wrong, message in (
        ({"bars": [5]}, "bars of this roll are 0 to 4"),
        ({"bars": [-1]}, "0 to 4"),
        ({"beats": [14]}, r"1\.\.52"),
        ({"ticks": [-480]}, r"1\.\.52"),
        ({}, "one of ticks=, beats= and bars="),
        ({"beats": [1], "bars": [1]}, "one of"),
    ):
        with pytest.raises(SettingsError, match=message):
            phrase_end_frames(roll, **wrong)
    for frame in (0, 53):
        with pytest.raises(SettingsError, match=r"1\.\.52 of this roll.*phrase_end_frames"):
            PhraseEnds()(roll, phrase_ends=[frame])


def test_dropped_ends_are_as_unknown_ones() -> None:
    """In use without phrase ends the model reads what it never saw in training."""
    source = JoinedConditions((PhraseEnds(), POSITION))
    rolls = [roll_of(32), roll_of(32, (0, 3, 4))]
    conditions = np.stack([source(roll, [16]) for roll in rolls])
    dropped = drop_phrase_ends(conditions, source, np.array([False, True]))
    assert np.array_equal(dropped[0], source(rolls[0], [16]))
    assert np.array_equal(dropped[1], source(rolls[1]))
    assert np.array_equal(conditions[1], source(rolls[1], [16]))


# ---- Joined, and in checkpoints


def test_joined_sources_stand_side_by_side() -> None:
    joined = JoinedConditions((PhraseEnds(), POSITION))
    roll = roll_of(20, (0, 3, 4))
    rows = joined(roll, [8])
    assert rows.shape == (20, joined.size) == (20, 11)
    assert np.array_equal(rows[:, :3], PhraseEnds()(roll, [8]))
    assert np.array_equal(rows[:, 3:], POSITION(roll))
    for wrong in ((), (PhraseEnds(), BeatGrid(4)), (PhraseEnds,)):
        with pytest.raises(SettingsError, match="condition sources"):
            JoinedConditions(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", [POSITION, PhraseEnds(), JoinedConditions((POSITION, PhraseEnds()))])
def test_checkpoints_keep_sources(source: ConditionSource) -> None:
    """A model is opened, and what it reads must be computed by hand."""
    assert build(describe(source)) == source
    assert isinstance(source, ConditionSource)
    assert source.optional_columns.shape == (source.size,)


def test_a_checkpoint_with_another_source_is_refused() -> None:
    """A damaged file is found out in the middle of a generation."""
    damaged = describe(JoinedConditions((POSITION,)))
    damaged["settings"]["sources"] = [describe(BeatGrid(4))]
    with pytest.raises(CheckpointError, match="condition sources"):
        build(damaged)
