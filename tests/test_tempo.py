"""Exact time: if these fail, notes stand in frames in which they do not sound."""

import io
import pickle
from fractions import Fraction

import mido
import numpy as np
import pretty_midi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import DIVISIONS, ORDINARY_TICKS, TEMPI, TICKS, ExactClock, file_bytes, half_up, midi_files, tempo_maps

from pianoroll_seq2seq.errors import MidiError
from pianoroll_seq2seq.midi_io import read_midi
from pianoroll_seq2seq.tempo import DEFAULT_US_PER_BEAT, MAX_TICK, TempoMap, divide_half_up, widen

CHANGES = st.lists(st.tuples(TICKS, TEMPI), max_size=8)


@given(DIVISIONS, CHANGES, st.lists(TICKS, max_size=8))
def test_time_is_exact_at_every_tick_and_tempo(ticks_per_beat, changes, ticks):
    """Rounding, or a sum past 64 bits, would move notes late in a long piece to other frames."""
    tempo, clock = TempoMap(ticks_per_beat, changes), ExactClock(ticks_per_beat, changes)
    units = tempo.time_units(np.array(ticks, dtype=np.int64))
    assert [Fraction(int(unit), ticks_per_beat * 10**6) for unit in units] == [clock.seconds(tick) for tick in ticks]


@given(midi_files())
def test_the_clock_agrees_with_mido(file):
    """Tempi come from every track and count on every message: else a piece drifts from how players play it."""
    seconds, ticks = 0.0, 0
    tempo = read_midi(file_bytes(file)).tempo
    for message in mido.MidiFile(file=io.BytesIO(file_bytes(file))):
        seconds += message.time  # mido's own clock
    for track in file.tracks:
        ticks = max(ticks, sum(message.time for message in track))
    assert tempo.seconds(np.array([ticks]))[0] == pytest.approx(seconds, rel=1e-9, abs=1e-9)


def test_the_clock_agrees_with_pretty_midi_on_songs(pop909_dir):
    """A note's time in seconds is the one that other tools show the user."""
    for path in sorted(pop909_dir.glob("*.mid"))[::20]:
        other = pretty_midi.PrettyMIDI(str(path))
        ticks = np.arange(0, other.time_to_tick(other.get_end_time()), 997)
        ours = read_midi(path).tempo.seconds(ticks)
        np.testing.assert_allclose(
            ours, [other.tick_to_time(int(tick)) for tick in ticks], atol=1e-6, err_msg=path.name
        )


@given(st.data())
def test_the_last_tempo_on_a_tick_wins(data):
    """A file that sets two tempi at once would otherwise play at the one its author overrode."""
    changes = data.draw(CHANGES)
    tick, first, last = data.draw(st.tuples(TICKS, TEMPI, TEMPI))
    tempo = TempoMap(480, [(tick, first), *changes, (tick, last)])
    assert tempo.us_per_beat_at(tick) == last
    assert tempo == TempoMap(480, [*(change for change in changes if change[0] != tick), (tick, last)])


@given(DIVISIONS, st.integers(1, MAX_TICK), TEMPI)
def test_until_the_first_tempo_a_beat_lasts_half_a_second(ticks_per_beat, tick, us_per_beat):
    """Files without a tempo, or whose tempo comes late, play at 120 BPM, as the standard says."""
    assert TempoMap(ticks_per_beat).us_per_beat_at(tick) == DEFAULT_US_PER_BEAT
    tempo = TempoMap(ticks_per_beat, [(tick, us_per_beat)])
    assert tempo.time_units(np.array([tick])).tolist() == [tick * 500_000]


@given(DIVISIONS, CHANGES, st.randoms())
def test_maps_that_mean_the_same_are_equal(ticks_per_beat, changes, random):
    """Rolls of the same music would compare unequal and would not be found as duplicates."""
    tempo = TempoMap(ticks_per_beat, changes)
    last = list(dict(changes).items())
    random.shuffle(last)
    said_twice = [*last, *((tick, tempo.us_per_beat_at(tick)) for tick, _ in last)]
    for other in (TempoMap(ticks_per_beat, last), TempoMap(ticks_per_beat, said_twice)):
        assert other == tempo
        assert hash(other) == hash(tempo)
    assert TempoMap(tempo.ticks_per_beat, tempo.changes) == tempo
    assert pickle.loads(pickle.dumps(tempo)) == tempo


@given(tempo_maps(), st.lists(TICKS, max_size=8))
def test_the_nearest_tick_to_a_ticks_time_is_that_tick(tempo, ticks):
    """Notes written to MIDI and read again would wander."""
    ticks = np.array(ticks, dtype=np.int64)
    assert tempo.nearest_ticks(tempo.time_units(ticks)).tolist() == ticks.tolist()


@given(tempo_maps(), st.integers(1, 10**6), st.data())
def test_the_nearest_tick_is_nearest_halves_up(tempo, denominator, data):
    """A frame line that falls between two ticks would be written too early or too late.

    Also where the numbers no longer fit 64 bits: a tempo change late in a file once threw off its very
    first lines.
    """
    last = int(tempo.time_units(np.array([MAX_TICK]))[0]) * denominator
    numerators = data.draw(st.lists(st.one_of(st.integers(0, min(10**9, last)), st.integers(0, last)), max_size=6))
    clock = ExactClock(tempo.ticks_per_beat, tempo.changes)
    expected = []
    for numerator in numerators:
        seconds = Fraction(numerator, denominator * tempo.ticks_per_beat * 10**6)
        segment = max(index for index, start in enumerate(clock.starts) if start <= seconds)
        tick_seconds = Fraction(clock.tempi[segment], tempo.ticks_per_beat * 10**6)
        expected.append(clock.ticks[segment] + half_up((seconds - clock.starts[segment]) / tick_seconds))
    for dtype in (object, np.int64) if max(numerators, default=0) < 2**63 else (object,):
        assert tempo.nearest_ticks(np.array(numerators, dtype=dtype), denominator).tolist() == expected


@given(tempo_maps(), TICKS, st.lists(TICKS, max_size=6))
def test_music_cut_at_a_tick_keeps_its_times(tempo, tick, ticks):
    """The second half of a cut roll would play at another speed than it did in the whole."""
    cut = tempo.from_tick(tick)
    for later in ticks:
        if tick + later <= MAX_TICK:
            whole = tempo.time_units(np.array([tick + later, tick]))
            assert cut.time_units(np.array([later]))[0] == whole[0] - whole[1]
    assert tempo.concatenate(cut, tick) == tempo


@given(tempo_maps(), st.integers(0, 10_000), st.lists(ORDINARY_TICKS, max_size=6))
def test_music_that_is_moved_later_keeps_its_times(tempo, ticks_later, ticks):
    """A file is moved onto the grid, and each of its tempi counts from a tick too early."""
    moved = tempo.from_tick(-ticks_later)
    start = moved.time_units(np.array([ticks_later]))[0]
    for tick in ticks:
        assert moved.time_units(np.array([tick + ticks_later]))[0] - start == tempo.time_units(np.array([tick]))[0]


@given(tempo_maps(st.just(480)), tempo_maps(st.just(480), ticks=st.integers(0, 1000)), st.integers(0, 10_000))
def test_joined_maps_each_hold_on_their_own_side(first, second, tick):
    """A piece appended to another would bring the other out of time, or be played at its tempo."""
    joined = first.concatenate(second, tick)
    assert all(
        joined.us_per_beat_at(at) == first.us_per_beat_at(at) for at in {0, tick // 2, tick - 1} if 0 <= at < tick
    )
    assert all(joined.us_per_beat_at(tick + at) == second.us_per_beat_at(at) for at in (0, 1, 500, 1000))


def test_maps_that_count_ticks_differently_cannot_be_joined():
    """Joined in silence, one half would play several times too fast."""
    with pytest.raises(MidiError, match=r"480 and 960 ticks per beat"):
        TempoMap(480).concatenate(TempoMap(960), 0)


@pytest.mark.parametrize("division", [0, -1, 32_768])
def test_a_division_out_of_range_is_named(division):
    """Time would be divided by zero or run backwards."""
    with pytest.raises(MidiError, match=rf"1\.\.32767, got {division}\b"):
        TempoMap(division)


@pytest.mark.parametrize("change", [(-1, 500_000), (MAX_TICK + 1, 500_000), (0, 0), (0, 2**24)])
def test_a_tempo_change_out_of_range_is_named(change):
    """Time would stand still, or overflow in silence."""
    with pytest.raises(MidiError, match=rf"got {change[1]} at tick {change[0]}"):
        TempoMap(480, [change])


@given(st.floats(4, 1000))
def test_beats_per_minute_are_kept_to_the_microsecond(bpm):
    """A metronome mark must sound as fast as it says."""
    assert abs(TempoMap.from_bpm(bpm).us_per_beat_at(0) - 60e6 / bpm) <= 0.5


@pytest.mark.parametrize("bpm", [0.0, -120.0, float("nan")])
def test_no_tempo_without_beats(bpm):
    """A slip in a tempo argument shows the value, not a division by zero deep inside."""
    with pytest.raises(MidiError, match="must be above 0, got"):
        TempoMap.from_bpm(bpm)


@given(st.lists(st.integers(0, 2**59), max_size=5), st.integers(1, 2**70))
def test_division_rounds_halves_up_at_any_size(numerators, denominator):
    """The one rounding in the library; wrong, every frame boundary is."""
    expected = [half_up(Fraction(numerator, denominator)) for numerator in numerators]
    assert divide_half_up(np.array(numerators, dtype=np.int64), denominator).tolist() == expected


@given(st.lists(st.integers(-(2**62), 2**62), max_size=5), st.integers(1, 2**80))
def test_widened_values_multiply_exactly(values, factor):
    """An overflow wraps around without a word."""
    wide = widen(np.array(values, dtype=np.int64), factor)
    assert (wide * factor).tolist() == [value * factor for value in values]
    assert wide.dtype == (np.int64 if max(map(abs, values), default=1) * factor < 2**62 and factor < 2**62 else object)


@given(
    st.lists(st.floats(0.05, 3), min_size=1, max_size=30),
    st.one_of(st.just(0.0), st.floats(0.001, 20)),
    st.sampled_from([24, 480, 960]),
)
def test_beats_at_known_times_are_beats(lengths, first, ticks_per_beat):
    """Music that was tapped along would lie between the beats, and the more so the longer it lasts."""
    beats = first + np.cumsum([0.0, *lengths])
    tempo = TempoMap.from_beats(beats, ticks_per_beat=ticks_per_beat)
    begin = int(tempo.nearest_ticks(np.array([round(first * 1e6) * ticks_per_beat]))[0])
    assert begin % ticks_per_beat == 0
    ticks = begin + ticks_per_beat * np.arange(len(beats))
    assert np.abs(tempo.seconds(ticks) - beats).max() < 1e-6
    assert tempo.us_per_beat_at(int(ticks[-1]) * 2) == tempo.us_per_beat_at(int(ticks[-2]))


@pytest.mark.parametrize(
    ("beats", "message"),
    [
        ([], "at least two times"),
        ([1.0], "at least two times"),
        ([[0.0, 1.0]], "at least two times"),
        ([-0.5, 1.0], "from 0 on"),
        ([0.0, float("nan")], "at least two times"),
        ([0.0, 1.0, 1.0], "one at 1 s, and the next is at 1 s"),
        ([2.0, 1.0], "one at 2 s, and the next is at 1 s"),
        ([0.0, 17.0], "by at most 16.7 seconds"),
    ],
)
def test_beats_that_cannot_be(beats, message):
    """A tempo map of beats in disorder would be of other music, or none that a MIDI file can have."""
    with pytest.raises(MidiError, match=message):
        TempoMap.from_beats(beats)
