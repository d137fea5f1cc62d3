"""Meters: if these fail, bar lines and keys are not those of the music, or are lost when it is cut."""

from dataclasses import replace
from fractions import Fraction
from math import floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import DIVISIONS, ORDINARY_TICKS, meters

from pianoroll_seq2seq.errors import LimitError, MidiError
from pianoroll_seq2seq.meter import Meter, bar_ticks, beat_ticks
from pianoroll_seq2seq.signatures import KeySignature, TimeSignature
from pianoroll_seq2seq.tempo import MAX_TICK

COMMON_DIVISIONS = st.sampled_from([96, 480])


def exact_lines(meter: Meter, ticks_per_beat: int, num_ticks: int, *, bars: bool) -> list[int]:
    """Bar lines or beats one by one, in fractions of a tick."""
    signatures = list(meter.time_signatures)
    if not signatures or signatures[0].tick > 0:
        signatures.insert(0, TimeSignature(0, 4, 4))
    lines = []
    for index, signature in enumerate(signatures):
        end = signatures[index + 1].tick if index + 1 < len(signatures) else num_ticks
        step = Fraction(4 * ticks_per_beat, signature.denominator) * (signature.numerator if bars else 1)
        at = Fraction(signature.tick)
        while at < min(end, num_ticks):
            lines.append(floor(at))
            at += step
    return sorted(set(lines))


@given(meters(st.integers(0, 300)), st.one_of(st.integers(1, 30), COMMON_DIVISIONS), st.integers(0, 400))
def test_lines_are_those_counted_one_by_one(meter, ticks_per_beat, num_ticks):
    """A page's bar lines would drift away from the music, the later in the piece the more."""
    for bars, lines in ((True, bar_ticks), (False, beat_ticks)):
        found = lines(meter, ticks_per_beat=ticks_per_beat, num_ticks=num_ticks)
        assert found.tolist() == exact_lines(meter, ticks_per_beat, num_ticks, bars=bars)


def test_bars_and_beats_of_a_song():
    """As they are counted: six beats in 6/8, four in bars of which nothing is known."""
    meter = Meter([TimeSignature(1920, 6, 8), TimeSignature(4800, 3, 4)])
    assert bar_ticks(meter, ticks_per_beat=480, num_ticks=7000).tolist() == [0, 1920, 3360, 4800, 6240]
    assert beat_ticks(meter, ticks_per_beat=480, num_ticks=2700).tolist() == [0, 480, 960, 1440, 1920, 2160, 2400, 2640]
    assert bar_ticks(Meter(), ticks_per_beat=480, num_ticks=0).tolist() == []


def test_too_many_lines_are_refused():
    """A stray note in a file of one tick a beat would fill the memory with bars."""
    with pytest.raises(LimitError, match="more than 10000000 beats"):
        beat_ticks(Meter(), ticks_per_beat=1, num_ticks=MAX_TICK)
    assert len(bar_ticks(Meter(), ticks_per_beat=480, num_ticks=MAX_TICK)) == -(-MAX_TICK // 1920)


@given(meters())
def test_signatures_are_in_order_and_one_on_a_tick(meter):
    """Equal signatures would compare unequal, or two would count at once."""
    for signatures in (meter.time_signatures, meter.key_signatures):
        ticks = [one.tick for one in signatures]
        assert ticks == sorted(set(ticks))
    assert Meter(reversed(meter.time_signatures), reversed(meter.key_signatures)) == meter
    later = Meter([*meter.time_signatures, TimeSignature(7, 1, 2)], [*meter.key_signatures, KeySignature(7, 5, True)])
    assert TimeSignature(7, 1, 2) in later.time_signatures
    assert KeySignature(7, 5, True) in later.key_signatures


@given(meters(ORDINARY_TICKS), DIVISIONS, st.integers(0, 30_000))
def test_bar_lines_stay_where_they_are_when_music_is_cut(meter, ticks_per_beat, tick):
    """The second half of a song would be barred from wherever it was cut."""
    assume(meter.time_signatures and meter.time_signatures[0].tick <= tick)
    end = tick + 20_000
    whole = bar_ticks(meter, ticks_per_beat=ticks_per_beat, num_ticks=end)
    cut = bar_ticks(
        meter.from_tick(tick, ticks_per_beat=ticks_per_beat), ticks_per_beat=ticks_per_beat, num_ticks=20_000
    )
    # Bars of a fraction of a tick are rounded from the new beginning.
    bar_units = {4 * ticks_per_beat * one.numerator % one.denominator for one in meter.time_signatures}
    assume(bar_units == {0})
    assert (cut[cut > 0] + tick).tolist() == whole[whole > tick].tolist()


@given(meters(ORDINARY_TICKS), COMMON_DIVISIONS, st.lists(st.integers(1, 30_000), min_size=1, max_size=3, unique=True))
def test_music_that_is_cut_and_joined_has_its_signatures(meter, ticks_per_beat, cuts):
    """A roll would have one more signature for each cut, on lines that no bar begins on."""
    whole_ticks = [one for one in meter.time_signatures if one.denominator <= 16]
    meter = Meter([*whole_ticks, *(replace(one, tick=cuts[0]) for one in whole_ticks[:1])], meter.key_signatures)
    first, *others = sorted(cuts)
    joined = whole = meter.from_tick(first, ticks_per_beat=ticks_per_beat)
    for cut in others:
        rest = meter.from_tick(cut, ticks_per_beat=ticks_per_beat)
        joined = joined.concatenate(rest, cut - first, ticks_per_beat=ticks_per_beat)
    assert joined == whole
    assert meter.concatenate(whole, first, ticks_per_beat=ticks_per_beat) == meter


def test_pieces_keep_their_own_bars_when_joined():
    """The second piece begins with a bar, wherever the first one ends."""
    waltz, march = Meter([TimeSignature(0, 3, 4)], [KeySignature(0, 2)]), Meter([TimeSignature(0, 2, 4)])
    joined = waltz.concatenate(march, 5000, ticks_per_beat=480)
    assert joined == Meter([TimeSignature(0, 3, 4), TimeSignature(5000, 2, 4)], [KeySignature(0, 2)])
    again = waltz.concatenate(waltz, 5000, ticks_per_beat=480)
    assert again == Meter([TimeSignature(0, 3, 4), TimeSignature(5000, 3, 4)], [KeySignature(0, 2)])
    assert waltz.concatenate(waltz, 2880, ticks_per_beat=480) == waltz
    assert waltz.concatenate(Meter(), 2880, ticks_per_beat=480) == waltz
    assert Meter().concatenate(waltz, 2880, ticks_per_beat=480) == Meter(
        [TimeSignature(2880, 3, 4)], [KeySignature(2880, 2)]
    )


def test_music_that_comes_later_keeps_its_bars():
    """A song moved by a bar would lose its first signature."""
    waltz = Meter([TimeSignature(0, 3, 4), TimeSignature(2880, 2, 4)], [KeySignature(0, 2)])
    later = waltz.from_tick(-100, ticks_per_beat=480)
    assert later.time_signatures == (TimeSignature(0, 3, 4), TimeSignature(100, 3, 4), TimeSignature(2980, 2, 4))
    assert later.from_tick(100, ticks_per_beat=480) == replace(waltz)
    assert later.key_signatures[0] == KeySignature(0, 2)


@given(meters())
def test_a_meter_is_saved_as_json(meter):
    """A corpus or a checkpoint would lose it."""
    import json

    assert Meter.from_dict(json.loads(json.dumps(meter.to_dict()))) == meter
    assert bool(meter) == bool(meter.time_signatures or meter.key_signatures)


@pytest.mark.parametrize(
    "values",
    [
        {"time_signatures": [[0, 4, 3]]},
        {"time_signatures": [[0, 4]]},
        {"time_signatures": [["a", 4, 4]]},
        {"time_signatures": 4},
        {"key_signatures": [[0, 8, 0]]},
        {"key_signatures": [[0, 0]]},
        {"key_signatures": [[-1, 0, 0]]},
        {"key_signatures": [None]},
        [1],
    ],
)
def test_a_wrong_file_is_refused(values):
    """A damaged index would end in an error of Python's."""
    with pytest.raises(MidiError, match="signature"):
        Meter.from_dict(values)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TimeSignature(0, 0, 4), "numerator in 1..255"),
        (lambda: TimeSignature(0, 256, 4), "got 256/4 at tick 0"),
        (lambda: TimeSignature(0, 4, 3), "got 4/3"),
        (lambda: TimeSignature(0, 4, 256), "got 4/256"),
        (lambda: TimeSignature(-1, 4, 4), "tick in 0.."),
        (lambda: KeySignature(0, 8), "fifths in -7..7"),
        (lambda: KeySignature(0, -8, True), "got -8"),
        (lambda: KeySignature(MAX_TICK + 1, 0), "tick in 0.."),
    ],
)
def test_signatures_out_of_range_are_refused(make, message):
    """A picture of a piece in 4/3 would never end."""
    with pytest.raises(MidiError, match=message):
        make()


def test_keys_have_their_names():
    """A page would name another key."""
    names = {str(KeySignature(0, fifths, minor)) for fifths in range(-7, 8) for minor in (False, True)}
    assert len(names) == 30
    assert [str(KeySignature(0, *key)) for key in ((-7, False), (7, False), (-7, True), (7, True), (-3, True))] == [
        "Cb major",
        "C# major",
        "Ab minor",
        "A# minor",
        "C minor",
    ]


@given(st.integers(-7, 7), st.booleans(), st.integers(-30, 30))
def test_keys_are_transposed_with_their_notes(fifths, minor, semitones):
    """Music that was transposed would be shown in its old key."""
    classes = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    classes |= {name + "#": number + 1 for name, number in classes.items()}
    classes |= {name + "b": number - 1 for name, number in classes.items() if len(name) == 1}
    key = KeySignature(5, fifths, minor)
    moved = Meter(key_signatures=[key]).transpose(semitones).key_signatures[0]
    assert classes[moved.tonic] % 12 == (classes[key.tonic] + semitones) % 12
    assert (moved.minor, moved.tick) == (minor, 5)
    assert moved == key if semitones % 12 == 0 else abs(moved.fifths) <= 6


def test_what_is_shown_is_short():
    """A score's line would fill the screen."""
    many = Meter([TimeSignature(tick, 3, 4) for tick in range(9)])
    assert repr(many) == "Meter(3/4 at 0, 3/4 at 1, 3/4 at 2, 3/4 at 3, ... 5 more; no key signature)"
    assert repr(Meter(key_signatures=[KeySignature(0, 1)])) == "Meter(no time signature; G major at 0)"
