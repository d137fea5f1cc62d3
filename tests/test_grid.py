"""Frames in time: if these fail, notes stand a frame early or late."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import SONG_TEMPI, TICKS, ExactClock, half_up, tempo_maps

from pianoroll_seq2seq.errors import GridError
from pianoroll_seq2seq.grid import SIXTEENTHS, BeatGrid, FrameGrid, SecondsGrid, estimate_offset, offset_in
from pianoroll_seq2seq.tempo import MAX_TICK, TempoMap

FRACTIONS = st.one_of(
    st.sampled_from([Fraction(1, 50), Fraction(1, 60), Fraction(128, 11_025), Fraction(1, 3), Fraction(1, 10**6)]),
    st.fractions(Fraction(1, 1000), 2, max_denominator=1000),
    st.fractions(Fraction(1, 1000), 3600, max_denominator=10**6),
)
"""Lengths of a frame, in seconds: 20 ms, 60 to the second, 512 samples of 44.1 kHz, and any other."""

ANY_GRID = st.one_of(st.builds(SecondsGrid, FRACTIONS.map(float)), st.builds(BeatGrid, st.integers(1, 32_767)))


def test_a_float_is_taken_as_the_fraction_that_it_stands_for():
    """At 1/60 s taken for 16.7 ms, an hour of music would end 7 s off."""
    tempo = TempoMap(1000, [(0, 1_000_000)])  # a tick is a millisecond
    for per_second in (50, 60, 100, 7):
        lines = SecondsGrid(1 / per_second).lines_at(np.array([3_600_000, 36_000_000]), tempo)
        assert lines.tolist() == [3600 * per_second, 36_000 * per_second]


@given(FRACTIONS, tempo_maps(), st.lists(TICKS, max_size=6))
def test_seconds_lines_are_exact(step, tempo, ticks):
    """The nearest line of an exact fraction, however late the tick and however odd the frame."""
    clock = ExactClock(tempo.ticks_per_beat, tempo.changes)
    lines = SecondsGrid(float(step)).lines_at(np.array(ticks, dtype=np.int64), tempo)
    assert lines.tolist() == [half_up(clock.seconds(tick) / step) for tick in ticks]


@given(st.sampled_from([480, 32_767]), st.lists(st.integers(MAX_TICK // 2, MAX_TICK), min_size=1, max_size=4))
def test_odd_grids_are_exact_past_64_bits(ticks_per_beat, ticks):
    """Frames of 512 samples at 44.1 kHz, late in a very slow file: an overflow wraps around without a word.

    A tempo change late in the file once threw off even the first line.
    """
    step = Fraction(512, 44_100)
    changes = [(0, 2**24 - 1), (MAX_TICK, 2**24 - 2)]
    tempo, clock, grid = (
        TempoMap(ticks_per_beat, changes),
        ExactClock(ticks_per_beat, changes),
        SecondsGrid(float(step)),
    )
    lines = grid.lines_at(np.array(ticks), tempo)
    assert lines.tolist() == [half_up(clock.seconds(tick) / step) for tick in ticks]
    tick_seconds = Fraction(2**24 - 1, ticks_per_beat * 10**6)
    for few in ([0, 1, 1000], lines.tolist()):  # the second list alone calls for wider numbers
        assert grid.ticks_at(np.array(few), tempo).tolist() == [half_up(line * step / tick_seconds) for line in few]


@given(st.integers(1, 32_767), tempo_maps(), st.lists(TICKS, max_size=6))
def test_beat_lines_are_exact_and_ignore_the_tempo(frames_per_beat, tempo, ticks):
    """A ritardando must not stretch a sixteenth over several frames."""
    ticks_array = np.array(ticks, dtype=np.int64)
    lines = BeatGrid(frames_per_beat).lines_at(ticks_array, tempo)
    assert lines.tolist() == [half_up(Fraction(tick * frames_per_beat, tempo.ticks_per_beat)) for tick in ticks]
    assert lines.tolist() == BeatGrid(frames_per_beat).lines_at(ticks_array, TempoMap(tempo.ticks_per_beat)).tolist()


@given(st.integers(0, 10**6))
def test_halfway_between_two_lines_goes_to_the_later(line):
    """Python's round would send every other half down, and equal rhythms to unequal frames."""
    halfway = np.array([2 * line + 1])  # in half frames
    assert SecondsGrid(0.02).lines_at(halfway, TempoMap(50)).tolist() == [line + 1]
    assert BeatGrid(4).lines_at(halfway, TempoMap(8)).tolist() == [line + 1]
    # And the other way round: a line halfway between two ticks.
    assert SecondsGrid(0.005).ticks_at(halfway, TempoMap(50)).tolist() == [line + 1]
    assert BeatGrid(8).ticks_at(halfway, TempoMap(4)).tolist() == [line + 1]


@given(FRACTIONS, tempo_maps(), st.lists(st.integers(0, 10**7), max_size=6))
def test_the_tick_of_a_seconds_line_is_the_nearest(step, tempo, lines):
    """What a model wrote would sound off the frame that it meant."""
    clock = ExactClock(tempo.ticks_per_beat, tempo.changes)
    assume(all(line * step <= clock.seconds(MAX_TICK) for line in lines))
    ticks = SecondsGrid(float(step)).ticks_at(np.array(lines, dtype=np.int64), tempo)
    for line, tick in zip(lines, ticks.tolist(), strict=True):
        off = abs(clock.seconds(tick) - line * step)
        assert off <= abs(clock.seconds(tick + 1) - line * step)
        assert tick == 0 or off <= abs(clock.seconds(tick - 1) - line * step)


@given(st.integers(1, 32_767), tempo_maps(), st.lists(st.integers(0, MAX_TICK), max_size=6))
def test_the_tick_of_a_beat_line_is_the_nearest(frames_per_beat, tempo, lines):
    """As for seconds."""
    ticks = BeatGrid(frames_per_beat).ticks_at(np.array(lines, dtype=np.int64), tempo)
    assert ticks.tolist() == [half_up(Fraction(line * tempo.ticks_per_beat, frames_per_beat)) for line in lines]


@given(ANY_GRID, tempo_maps(), st.lists(st.integers(0, 10**6), max_size=8))
def test_lines_come_back_from_their_ticks_where_ticks_are_fine_enough(grid, tempo, lines):
    """A roll written to MIDI and read again would not be the same roll."""
    if isinstance(grid, BeatGrid):
        assume(tempo.ticks_per_beat >= grid.frames_per_beat)
    else:
        slowest = max(us_per_beat for _, us_per_beat in tempo.changes)
        assume(Fraction(slowest, tempo.ticks_per_beat) < Fraction(grid.frame_seconds).limit_denominator(10**6) * 10**6)
        assume(grid.frame_seconds * 10**6 <= tempo.seconds(np.array([MAX_TICK]))[0])
    lines_array = np.array(lines, dtype=np.int64)
    assert grid.lines_at(grid.ticks_at(lines_array, tempo), tempo).tolist() == lines


@given(ANY_GRID, SONG_TEMPI, st.lists(st.integers(0, 10**6), max_size=8))
def test_later_ticks_never_stand_on_earlier_lines(grid, tempo, ticks):
    """A note would end before it begins."""
    assert (np.diff(grid.lines_at(np.sort(np.array(ticks, dtype=np.int64)), tempo)) >= 0).all()


@given(SONG_TEMPI, st.integers(0, 5000))
def test_seconds_of_a_line(tempo, line):
    """Pictures and players would show another time than the music has."""
    lines = np.array([line])
    assert SecondsGrid(1 / 60).seconds_at(lines, tempo)[0] == pytest.approx(line / 60, rel=1e-12)
    tick = half_up(Fraction(line * tempo.ticks_per_beat, 4))
    exact = ExactClock(tempo.ticks_per_beat, tempo.changes).seconds(tick)
    assert BeatGrid(4).seconds_at(lines, tempo)[0] == pytest.approx(float(exact), rel=1e-12)


@given(ANY_GRID)
def test_a_grid_comes_back_from_its_settings(grid):
    """A checkpoint would be read on another grid than it was trained on."""
    again = type(grid)(**grid.settings())
    assert again == grid
    assert hash(again) == hash(grid)
    assert isinstance(grid, FrameGrid)


def test_grids_of_different_kinds_differ():
    """Frames of a second and frames of a beat are not the same thing, even if both are 'one'."""
    assert SecondsGrid(1) != BeatGrid(1)
    assert BeatGrid(4) == SIXTEENTHS != BeatGrid(3)


@pytest.mark.parametrize("length", [0.0, -0.02, 1e-7, 3601.0, float("nan"), float("inf")])
def test_a_frame_of_no_length_is_refused(length):
    """The message shows the value and how 20 ms is written, for it is often given in milliseconds."""
    with pytest.raises(GridError, match=r"frame_seconds must be in .*20 ms is 0\.02") as caught:
        SecondsGrid(length)
    assert repr(length) in str(caught.value)


@pytest.mark.parametrize("frames_per_beat", [0, -4, 32_768])
def test_a_beat_of_no_frames_is_refused(frames_per_beat):
    """The message shows the value and what sixteenths are."""
    with pytest.raises(GridError, match=rf"frames_per_beat must be in 1\.\.32767, got {frames_per_beat} .*sixteenths"):
        BeatGrid(frames_per_beat)


# ------------------------------------------------------------------------------------------------------------- offsets

FRAMES_PER_BEAT = st.one_of(st.sampled_from([1, 3, 4, 12]), st.integers(1, 200))


def best_offset(onset_ticks, frames_per_beat: int, ticks_per_beat: int) -> int:
    """The offset by its definition: every offset is tried, closest to 0 first."""
    half = ticks_per_beat // (2 * frames_per_beat)
    reach = max(ticks_per_beat // 5, 1)

    def fit(offset: int) -> int:
        phases = [(tick - offset) * frames_per_beat % ticks_per_beat for tick in onset_ticks]
        return sum(max(reach - min(phase, ticks_per_beat - phase), 0) for phase in phases)

    offsets = sorted(range(-half, half + 1), key=lambda offset: (abs(offset), offset < 0))
    return max(offsets, key=fit)  # the first of several


@given(st.lists(st.integers(0, 3000), max_size=8), FRAMES_PER_BEAT, st.integers(1, 100))
def test_the_offset_is_the_best_of_all(onset_ticks, frames_per_beat, ticks_per_beat):
    """Two running sums in place of a convolution: one index off, and every note of a file is a tick off."""
    ticks = np.array(onset_ticks, dtype=np.int64)
    expected = best_offset(onset_ticks, frames_per_beat, ticks_per_beat)
    assert estimate_offset(ticks, frames_per_beat, ticks_per_beat) == expected
    assert estimate_offset(ticks[::-1], frames_per_beat, ticks_per_beat) == expected


@given(st.lists(st.integers(0, 500), min_size=1, max_size=20), st.integers(1, 24), st.integers(1, 40), st.data())
def test_music_beside_the_beats_is_moved_onto_them(lines, frames_per_beat, step, data):
    """The files of POP909: all notes are on sixteenths, but these are a constant number of ticks late."""
    late = data.draw(st.integers(-((step - 1) // 2), step // 2))
    ticks = (np.array(lines) + 1) * step + late
    assert estimate_offset(ticks, frames_per_beat, step * frames_per_beat) == late


@given(st.lists(st.integers(0, 2000), max_size=20), FRAMES_PER_BEAT, st.one_of(st.just(480), st.integers(1, 2000)))
def test_music_on_the_grid_stays(lines, frames_per_beat, ticks_per_beat):
    """A roll that was written would be moved when it is read again, by what its ticks were rounded."""
    grid, tempo = BeatGrid(frames_per_beat, offset="auto"), TempoMap(ticks_per_beat)
    ticks = grid.ticks_at(np.array(lines, dtype=np.int64), tempo)
    assert estimate_offset(ticks, frames_per_beat, ticks_per_beat) == 0


@given(st.lists(TICKS, max_size=20), FRAMES_PER_BEAT, st.integers(1, 32_767))
def test_no_offset_leads_before_the_first_line(ticks, frames_per_beat, ticks_per_beat):
    """Notes on frame -1; or a second reading moves the music again."""
    grid, tempo = BeatGrid(frames_per_beat, offset="auto"), TempoMap(ticks_per_beat)
    onset_tick = np.array(ticks, dtype=np.int64)
    offset = offset_in(grid, [onset_tick], tempo)
    assert 2 * abs(offset) * frames_per_beat <= ticks_per_beat
    assert (grid.lines_at(onset_tick - offset, tempo) >= 0).all()
    assert offset_in(grid, [np.maximum(onset_tick - offset, 0)], tempo) == 0


@pytest.mark.parametrize("others", ["ornaments", "triplets", "swing"])
def test_notes_beside_the_grid_do_not_pull_it_away(others):
    """A third of the notes are played freely or in triplets, and no note of the others is on its line any more."""
    generator = np.random.default_rng(3)
    on_grid = 37 + 120 * generator.integers(0, 1000, size=200)
    beats = 37 + 480 * generator.integers(0, 250, size=100)
    off_grid = {
        "ornaments": generator.integers(0, 100_000, size=100),
        "triplets": beats + generator.choice([160, 320], size=100),
        "swing": beats + 310,
    }[others]
    assert estimate_offset(np.concatenate([on_grid, off_grid]), 4, 480) == 37


def test_all_parts_of_a_file_have_one_offset():
    """A file without notes fails, or a grid without an offset costs time and moves notes."""
    tempo, parts = TempoMap(480), [np.array([10, 130]), np.array([10]), np.zeros(0, dtype=np.int64)]
    assert offset_in(BeatGrid(4, offset="auto"), parts, tempo) == 10
    for grid, others in ((BeatGrid(4), parts), (SecondsGrid(0.02), parts)):
        assert offset_in(grid, others, tempo) == 0
    for nothing in ([], parts[2:]):
        assert offset_in(BeatGrid(4, offset="auto"), nothing, tempo) == 0


def test_the_offset_is_not_a_property_of_frames():
    """Rolls of files with an offset cannot be used with each other, or with a model of other files."""
    grid = BeatGrid(4, offset="auto")
    assert grid == BeatGrid(4)
    assert len({grid, BeatGrid(4)}) == 1
    assert grid != BeatGrid(8, offset="auto")
    assert BeatGrid(**grid.settings()).offset == "auto"
    assert BeatGrid(4).settings() == {"frames_per_beat": 4}
    assert repr(grid) == "BeatGrid(frames_per_beat=4, offset='auto')"
    with pytest.raises(GridError, match=r"shift"):
        BeatGrid(4, offset=37)  # type: ignore[arg-type]
