"""Scores: if these fail, equal music compares unequal, or notes that cannot be are taken for music."""

from bisect import bisect_right
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import ORDINARY_TICKS, SONG_TEMPI, ExactClock, controllers_of_rows, meters, note_table, scores

from pianoroll_seq2seq.controllers import CONTROL_CHANGE
from pianoroll_seq2seq.errors import MidiError, PianoRollSeq2SeqError, ShapeError
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.meter import Meter, bar_ticks, beat_ticks
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.signatures import KeySignature, TimeSignature
from pianoroll_seq2seq.tempo import MAX_TICK, TempoMap

COLUMNS = ("onset_tick", "end_tick", "pitch", "velocity", "part")


def _rows(notes: NoteTable) -> list[tuple[int, ...]]:
    return list(zip(*(getattr(notes, name).tolist() for name in COLUMNS), strict=True))


@given(scores(), st.randoms())
def test_the_order_in_which_notes_are_given_does_not_matter(score, random):
    """Two readings of one file would compare unequal."""
    rows = _rows(score.notes)
    shuffled = random.sample(rows, len(rows))
    again = note_table(shuffled)
    assert again == score.notes
    assert _rows(again) == sorted(rows, key=lambda row: (row[0], row[4], row[2], row[1], row[3]))


@given(scores(ORDINARY_TICKS), st.data())
def test_a_change_to_any_note_is_seen(score, data):
    """Duplicates would be found where there are none."""
    rows = _rows(score.notes)
    index = data.draw(st.integers(0, len(rows) - 1))
    onset, end, pitch, velocity, part = rows[index]
    changed = data.draw(
        st.sampled_from([(onset, end + 1, pitch, velocity, part), (onset, end, 127 - pitch, velocity, part)])
    )
    other = note_table([*rows[:index], changed, *rows[index + 1 :]])
    assert (other == score.notes) == (sorted(_rows(other)) == sorted(rows))
    assert replace(score, notes=note_table([*rows, rows[0]])) != score


@given(scores(ORDINARY_TICKS, complete=True), SONG_TEMPI)
def test_another_tempo_map_keeps_all_times(score, tempo):
    """Music that gets the beats of an annotation would sound otherwise."""
    assert score.with_tempo(score.tempo) == score
    ticks = [score.num_ticks, *score.controllers.tick.tolist()]
    ticks += [one.tick for one in (*score.meter.time_signatures, *score.meter.key_signatures)]
    if score.tempo.seconds(np.array([max(ticks)]))[0] > tempo.seconds(np.array([MAX_TICK]))[0]:
        with pytest.raises(MidiError, match="the last one"):
            score.with_tempo(tempo)
        return
    other = score.with_tempo(tempo)
    slowest = max(us for _, us in tempo.changes) / tempo.ticks_per_beat / 1e6
    pairs = [
        (score.notes.onset_tick, other.notes.onset_tick),
        (score.notes.end_tick, other.notes.end_tick),
        (score.controllers.tick, other.controllers.tick),
        ([score.num_ticks], [other.num_ticks]),
    ]
    for kind in ("time_signatures", "key_signatures"):
        before, after = ([sign.tick for sign in getattr(one.meter, kind)] for one in (score, other))
        if len(before) == len(after):  # of two on one tick one is left
            pairs.append((before, after))
    for before, after in pairs:
        times = np.sort(score.tempo.seconds(np.array(before))), np.sort(tempo.seconds(np.array(after)))
        assert np.allclose(*times, rtol=1e-9, atol=0.5001 * slowest)
    assert other.parts == score.parts
    assert sorted(map(_sound, _rows(other.notes))) == sorted(map(_sound, _rows(score.notes)))


def _sound(row):
    return row[2:]


def test_a_performance_is_on_the_grid_of_its_beats():
    """Expressive timing would scatter notes over the frames, although an annotation says where the beats were."""
    beats = np.cumsum([0.4, 0.52, 0.47, 0.61, 0.9, 0.5, 0.48])
    tempo = TempoMap.from_beats(beats)
    first = 480 * len([line for line in range(9) if tempo.seconds(np.array([480 * line]))[0] < beats[0] - 1e-6])
    onsets = first + 120 * np.arange(24)
    written = Score(NoteTable(onsets, onsets + 120, [60] * 24, [90] * 24, [0] * 24), tempo)
    played = written.with_tempo(TempoMap(960, [(0, 500_000)]))
    assert len(set(np.diff(played.notes.onset_tick).tolist())) > 4
    again = PianoRoll.from_score(played.with_tempo(TempoMap.from_beats(beats)), grid=BeatGrid(4))
    assert again == PianoRoll.from_score(written, grid=BeatGrid(4))


@given(scores())
def test_where_keeps_exactly_the_notes_asked_for(score):
    """A filter by pitch or part would lose or invent notes."""
    low = score.notes.where(score.notes.pitch < 60)
    assert _rows(low) == [row for row in _rows(score.notes) if row[2] < 60]
    assert len(low) + len(score.notes.where(score.notes.pitch >= 60)) == len(score.notes)


@given(scores())
def test_drums_are_left_out_and_nothing_else(score):
    """A drum kit's pitches would sound as tones; or a melody would vanish with it."""
    without = score.without_drums()
    assert _rows(without.notes) == [row for row in _rows(score.notes) if not score.parts[row[4]].drums]
    assert without.parts == score.parts
    assert without.without_drums() == without


@given(scores())
def test_the_end_in_seconds_is_the_last_notes(score):
    """The length shown to a user would not be that of the music."""
    exact = ExactClock(score.ticks_per_beat, score.tempo.changes).seconds(int(score.notes.end_tick.max()))
    assert score.end_seconds == pytest.approx(float(exact), rel=1e-12)


@given(scores(), st.text(max_size=3))
def test_a_name_is_not_music(score, name):
    """The same piece under two file names would count as two pieces."""
    assert replace(score, name=name) == score
    assert replace(score, tempo=TempoMap(score.ticks_per_beat % 32_767 + 1)) != score
    assert replace(score, parts=(*score.parts, Part())) != score


def test_an_empty_table_is_a_table():
    """A part without notes must not need a special case."""
    assert len(NoteTable.empty()) == 0
    assert NoteTable.empty() == NoteTable([], [], [], [], [])
    assert Score(NoteTable.empty(), TempoMap()).end_seconds == 0


def test_tables_cannot_be_changed_in_place():
    """A change in one place would change the score of every other user."""
    notes = NoteTable([0], [1], [60], [100], [0])
    with pytest.raises(ValueError, match="read-only"):
        notes.pitch[0] = 61
    with pytest.raises(FrozenInstanceError):
        notes.pitch = np.array([61])


def test_values_are_neither_hashed_nor_compared_with_others():
    """Arrays in a set or compared with a string would give nonsense in silence."""
    notes = NoteTable.empty()
    score = Score(notes, TempoMap())
    assert notes != "notes"
    assert score != notes
    for value in (notes, score):
        with pytest.raises(TypeError, match="unhashable"):
            hash(value)


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("onset_tick", -1, "onset_tick in 0.."),
        ("end_tick", 9, "end_tick in onset_tick.."),
        ("end_tick", MAX_TICK + 1, "end_tick in onset_tick.."),
        ("pitch", 128, "pitch in 0..127"),
        ("pitch", -1, "pitch in 0..127"),
        ("velocity", 0, "velocity in 1..127"),
        ("velocity", 128, "velocity in 1..127"),
        ("part", -1, "part >= 0"),
    ],
)
def test_a_note_out_of_range_is_named(column, value, rule):
    """The message says which note of thousands, which rule, and what it holds."""
    columns = {name: [good, good] for name, good in zip(COLUMNS, (10, 20, 60, 100, 0), strict=True)}
    columns[column] = [columns[column][0], value]
    with pytest.raises(MidiError) as caught:
        NoteTable(**columns)
    assert "Note 1 breaks the rule" in str(caught.value)
    assert rule in str(caught.value)
    assert f"{column} {value}" in str(caught.value)
    assert isinstance(caught.value, PianoRollSeq2SeqError | ValueError)


def test_columns_must_fit_one_another():
    """Unequal columns would be cut to the shortest, or paired wrongly."""
    with pytest.raises(ShapeError, match=r"NoteTable\.velocity has shape \(1,\), expected \(2,\)"):
        NoteTable([0, 1], [1, 2], [60, 61], [100], [0, 0])
    with pytest.raises(MidiError, match=r"NoteTable\.onset_tick must hold integers, got float64"):
        NoteTable(np.array([0.5]), [1], [60], [100], [0])


def test_every_note_needs_its_part():
    """A note of a part that is not there could not be played."""
    with pytest.raises(MidiError, match="part 1, but the score has 1 parts"):
        Score(NoteTable([0], [1], [60], [100], [1]), TempoMap())
    with pytest.raises(MidiError, match=r"Part 'Tuba': program must be in 0\.\.127, got 128"):
        Part("Tuba", 128)


# ---------------------------------------------------------------------------------------- cut out of a score

BAND = (
    Part("Piano", 0, track=1, channel=0),
    Part("Bass", 33, track=2, channel=1),
    Part("Kit", 0, drums=True, track=3, channel=9),
    Part("Piano", 5, track=4, channel=0),
    Part("", 33),
)
BAND_ROWS = [(10 * part, 10 * part + 500, 60 + part, 90 - part, part) for part in range(5) for _ in range(2)]


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"track": 1}, [0]),
        ({"track": "Piano"}, [0, 3]),
        ({"track": ""}, [4]),
        ({"program": 0}, [0]),  # drums have no program
        ({"program": 33}, [1, 4]),
        ({"channel": 0}, [0, 3]),
        ({"channel": 9}, [2]),
        ({"track": "Piano", "program": 5}, [3]),
        ({"track": 4, "channel": 0, "program": 5}, [3]),
    ],
)
def test_select_keeps_the_parts_that_match_all_arguments(arguments, chosen):
    """A melody selected by its track would bring the accompaniment along, or another's notes."""
    score = Score(note_table(BAND_ROWS), TempoMap(480, [(7, 400_000)]), BAND, "band")
    only = score.select(**arguments)
    assert only.parts == tuple(BAND[part] for part in chosen)
    assert [(part.track, part.channel) for part in only.parts] == [(BAND[p].track, BAND[p].channel) for p in chosen]
    expected = [(*row[:4], chosen.index(row[4])) for row in BAND_ROWS if row[4] in chosen]
    assert sorted(_rows(only.notes)) == sorted(expected)
    assert (only.tempo, only.name) == (score.tempo, "band")


@pytest.mark.parametrize(
    "arguments", [{"track": 0}, {"track": "piano"}, {"program": 1}, {"channel": 5}, {"track": 1, "channel": 9}]
)
def test_a_part_that_is_not_there_is_named_with_those_that_are(arguments):
    """Track names are guessed; the message shows what to write instead."""
    score = Score(note_table(BAND_ROWS), TempoMap(), BAND, "band")
    with pytest.raises(MidiError) as caught:
        score.select(**arguments)
    for part in ("band: no part with", *(f"{name}={value!r}" for name, value in arguments.items())):
        assert part in str(caught.value)
    assert "track 2 'Bass', program 33, channel 1; track 3 'Kit', program 0, channel 9" in str(caught.value)


def test_of_very_many_parts_some_are_named():
    """A message of a thousand lines helps nobody; a score of no parts says so."""
    score = Score(NoteTable.empty(), TempoMap(), tuple(Part(str(index), track=index) for index in range(40)))
    with pytest.raises(MidiError, match=r"track 11 '11', program 0, channel None and 28 more\."):
        score.select(track=99)
    with pytest.raises(MidiError, match=r"The score: .*It has: no parts\."):
        Score(NoteTable.empty(), TempoMap(), ()).select(track=1)


@given(scores(ORDINARY_TICKS), st.one_of(st.floats(1e-6, 1e4), st.just(float("inf")), st.sampled_from([0.5, 1, 3])))
def test_truncate_ends_the_music_there(score, seconds):
    """What strays behind would stay, or the music before it would go."""
    cut = score.truncate(seconds)
    clock = ExactClock(score.ticks_per_beat, score.tempo.changes)
    exact = Fraction(round(min(seconds, 1e9) * 1e6), 10**6)
    # The tick nearest to the time: the first whose middle with the next is past it.
    tick = bisect_right(range(20_001), 2 * exact, key=lambda at: clock.seconds(at) + clock.seconds(at + 1))
    rows = [(onset, min(end, tick), *others) for onset, end, *others in _rows(score.notes) if onset < tick]
    assert sorted(_rows(cut.notes)) == sorted(rows)
    assert (cut.tempo, cut.parts) == (score.tempo, score.parts)


def test_truncate_knows_tempo_changes():
    """Counted at one tempo, the cut would fall elsewhere."""
    tempo = TempoMap(480, [(480, 1_000_000)])
    score = Score(note_table([(0, 480, 60, 100, 0), (480, 960, 60, 100, 0), (960, 1440, 60, 100, 0)]), tempo)
    assert [row[:2] for row in _rows(score.truncate(1.0).notes)] == [(0, 480), (480, 720)]
    assert [row[:2] for row in _rows(score.truncate(0.5).notes)] == [(0, 480)]
    assert score.truncate(100) == score


@pytest.mark.parametrize("seconds", [1e6, 1e9, float("inf")])
@pytest.mark.parametrize("us_per_beat", [1, 2**24 - 1])
@pytest.mark.parametrize("ticks_per_beat", [1, 32_767])
def test_truncate_may_lie_past_the_last_tick(seconds, us_per_beat, ticks_per_beat):
    """Asking for all of it ends in an overflow where ticks are short."""
    score = Score(note_table([(0, 480, 60, 100, 0)]), TempoMap(ticks_per_beat, [(0, us_per_beat)]))
    assert score.truncate(seconds) == score


@pytest.mark.parametrize("seconds", [0, 0.0, -1, float("nan")])
def test_truncate_needs_a_time(seconds):
    """Everything would be cut off, and no error says why."""
    score = Score(note_table([(0, 480, 60, 100, 0)]), TempoMap())
    with pytest.raises(MidiError, match=r"truncate\(\) needs a time above 0 seconds, got "):
        score.truncate(seconds)


def test_the_end_of_a_score_is_its_silence():
    """Equal music would compare unequal, or the silence after it be cut off or out of range."""
    notes = note_table([(0, 480, 60, 100, 0), (480, 960, 62, 100, 0)])
    score = Score(notes, TempoMap(480))
    longer = replace(score, end_tick=1920)
    assert (score.num_ticks, score.end_seconds, longer.num_ticks, longer.end_seconds) == (960, 1.0, 1920, 2.0)
    assert longer != score
    for end in (0, 960):  # no silence
        assert replace(score, end_tick=end) == score
    assert replace(longer, notes=note_table([(0, 2400, 60, 100, 0)])).end_tick is None
    assert Score(note_table([]), TempoMap(480), end_tick=7).num_ticks == 7
    for end in (-1, MAX_TICK + 1, 1920.0, "1920"):
        with pytest.raises(MidiError, match=r"end_tick must be an integer in 0\.\."):
            replace(score, end_tick=end)


@given(scores(ORDINARY_TICKS), st.integers(0, 10_000))
def test_music_that_is_moved_keeps_its_times(score, ticks):
    """Music that is moved onto a grid plays at other tempi, or its silence at the end is cut off."""
    later = score.shift(ticks)
    start = later.tempo.seconds(np.array([ticks]))[0]
    assert later.notes.onset_tick.tolist() == (score.notes.onset_tick + ticks).tolist()
    assert later.num_ticks == score.num_ticks + ticks
    np.testing.assert_allclose(
        later.tempo.seconds(later.notes.end_tick), score.tempo.seconds(score.notes.end_tick) + start, rtol=1e-12
    )
    assert later.shift(-ticks) == score
    assert score.shift(0) is score


def test_notes_that_would_be_moved_before_the_beginning():
    """The first chord of a file, a few ticks before all others, stops it from being read."""
    score = Score(NoteTable([0, 40], [10, 500], [60, 64], [90, 90], [0, 0]), TempoMap(480), end_tick=600).shift(-40)
    assert (score.notes.onset_tick.tolist(), score.notes.end_tick.tolist()) == ([0, 0], [0, 460])
    assert score.end_tick == 560


def test_a_score_on_a_grid():
    """Music is moved onto a grid that was asked for none, or the bar lines move off the grid with it."""
    meter = Meter([TimeSignature(0, 3, 4)])
    tempo = TempoMap(480, [(0, 500_000), (1477, 250_000)])
    score = Score(NoteTable([37, 517], [480, 960], [60, 64], [90, 90], [0, 0]), tempo, meter=meter)
    moved = score.on_grid(BeatGrid(4, offset="auto"))
    assert moved.notes.onset_tick.tolist() == [0, 480]
    assert moved.tempo == TempoMap(480, [(0, 500_000), (1440, 250_000)])
    assert moved.meter == meter
    assert score.on_grid(BeatGrid(4)) is score
    assert moved.on_grid(BeatGrid(4, offset="auto")) is moved


# ------------------------------------------------------------------------------------- signatures and controllers


def _controller_rows(score: Score) -> list[tuple[int, ...]]:
    table = score.controllers
    columns = (table.tick, table.part, table.kind, table.number, table.value)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@given(scores(ORDINARY_TICKS, complete=True), meters(ORDINARY_TICKS))
def test_signatures_and_controllers_are_compared(score, meter):
    """Two pieces would count as one, though one is a waltz, or has a pedal."""
    assert (replace(score, meter=meter) == score) == (meter == score.meter)
    more = [*_controller_rows(score), (0, 0, CONTROL_CHANGE, 64, 0)]
    assert replace(score, controllers=controllers_of_rows(more)) != score
    assert replace(score, controllers=controllers_of_rows(_controller_rows(score))) == score


@given(scores(ORDINARY_TICKS, complete=True), st.data())
def test_a_part_keeps_its_controllers(score, data):
    """A selected piano would lose its pedal, or take the bends of the guitar."""
    parts = [replace(part, track=index) for index, part in enumerate(score.parts)]
    index = data.draw(st.integers(0, len(parts) - 1))
    one = replace(score, parts=tuple(parts)).select(track=index)
    assert _controller_rows(one) == [(tick, 0, *rest) for tick, part, *rest in _controller_rows(score) if part == index]
    assert one.meter == score.meter
    without = score.without_drums()
    kept = [row for row in _controller_rows(score) if not score.parts[row[1]].drums]
    assert _controller_rows(without) == kept
    assert without.meter == score.meter


@given(scores(ORDINARY_TICKS, complete=True), st.integers(1, 20_000))
def test_what_comes_after_the_end_is_cut_off(score, tick):
    """Bars and pedals would go on hours after music that was cut."""
    score = replace(score, tempo=TempoMap(480, [(0, 480_000)]))
    cut = score.truncate(tick / 1000)  # a tick is a millisecond
    assert _controller_rows(cut) == [row for row in _controller_rows(score) if row[0] < tick]
    assert cut.meter == score.meter.before_tick(tick)
    assert all(one.tick < tick for one in (*cut.meter.time_signatures, *cut.meter.key_signatures))


@given(scores(ORDINARY_TICKS, complete=True), st.integers(1, 500))
def test_a_moved_score_takes_its_signatures_and_controllers_along(score, ticks):
    """The pedal would come before or after its notes."""
    later = score.shift(ticks)
    assert _controller_rows(later) == [(tick + ticks, *rest) for tick, *rest in _controller_rows(score)]
    assert later.meter == score.meter.from_tick(-ticks, ticks_per_beat=score.ticks_per_beat)
    back = later.shift(-ticks)
    assert (back.notes, back.controllers) == (score.notes, score.controllers)


def test_bars_and_beats_up_to_the_end():
    """Pictures would have bar lines after the music, or none in its last seconds."""
    score = Score(NoteTable([0], [3000], [60], [90], [0]), TempoMap(480), meter=Meter([TimeSignature(0, 3, 4)]))
    assert score.bar_ticks().tolist() == [0, 1440, 2880]
    assert score.beat_ticks().tolist() == [0, 480, 960, 1440, 1920, 2400, 2880]
    longer = replace(score, end_tick=4400)
    assert longer.bar_ticks().tolist() == bar_ticks(score.meter, ticks_per_beat=480, num_ticks=4400).tolist()
    assert longer.beat_ticks().tolist() == beat_ticks(score.meter, ticks_per_beat=480, num_ticks=4400).tolist()


def test_every_controller_needs_its_part():
    """A controller of a part that is not there could not be played."""
    pedal = controllers_of_rows([(0, 1, CONTROL_CHANGE, 64, 127)])
    with pytest.raises(MidiError, match="A controller acts on part 1, but the score has 1 parts"):
        Score(NoteTable.empty(), TempoMap(), controllers=pedal)


def test_what_a_score_has_is_shown():
    """Nobody would see that controllers were read."""
    pedal = controllers_of_rows([(0, 0, CONTROL_CHANGE, 64, 127)])
    meter = Meter([TimeSignature(0, 3, 4)], [KeySignature(0, -1, minor=True)])
    score = Score(NoteTable([0], [480], [60], [90], [0]), TempoMap(480), meter=meter, controllers=pedal)
    shown = "Score(1 notes, 1 part, 1 controllers, 0.5 s, TempoMap(ticks_per_beat=480, changes=((0, 500000),)), "
    assert repr(score) == shown + "Meter(3/4 at 0; D minor at 0))"
