"""What is given: if these fail, a model rewrites bars or parts that were to stay, or keeps those to be rewritten."""

import pickle
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import part_rolls

from pianoroll_seq2seq import (
    BeatGrid,
    Given,
    Meter,
    Part,
    PianoRoll,
    PitchRange,
    SecondsGrid,
    TempoMap,
    TimeSignature,
)
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.given import first_bar_number
from pianoroll_seq2seq.meter import begins_with_upbeat
from pianoroll_seq2seq.pianoroll.unchecked import with_planes

PARTS = (Part("soprano", pitches=PitchRange(60, 61)), Part("bass", pitches=PitchRange(40, 41)))
UPBEAT = Meter([TimeSignature(0, 4, 4), TimeSignature(480, 4, 4)])
CHANGES = Meter([TimeSignature(0, 3, 4), TimeSignature(2880, 6, 8), TimeSignature(5760, 4, 4)])


def roll_of(num_frames: int, meter: Meter = Meter(), **arguments) -> PianoRoll:
    silent = PianoRoll.silent(num_frames, parts=PARTS, tempo=TempoMap(480), **arguments)
    return with_planes(silent, silent._planes, meter=meter)


def frames_of(expression: Given, roll: PianoRoll) -> list[int]:
    mask = expression.mask(roll)
    assert mask.dtype == np.bool_
    assert mask.shape == (len(roll), len(roll.parts))
    assert (mask.all(axis=1) == mask.any(axis=1)).all()  # a stretch is of all parts
    return np.flatnonzero(mask[:, 0]).tolist()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (Given.before(3), [0, 1, 2]),
        (Given.before(0), []),
        (Given.nothing(), []),
        (Given.frames(2, 4), [2, 3]),
        (Given.bars(1), list(range(16))),
        (Given.bars(2, 3), list(range(16, 40))),
        (Given.outside(bars=(1, 2)), list(range(32, 40))),
        (Given.outside(bars=3), list(range(32))),
        (~~Given.before(1), [0]),
    ],
    ids=repr,
)
def test_stretches(expression, expected):
    """Bars are of 4/4 where nobody knows better; the last one may be cut short."""
    assert frames_of(expression, roll_of(40)) == expected


def test_parts_and_combinations():
    """Every cell of the soprano, and of the bass what one asks for."""
    roll = roll_of(4)
    assert Given.parts("bass").mask(roll).tolist() == [[False, True]] * 4
    assert Given.parts("bass", "soprano").mask(roll).all()
    both = Given.parts("soprano") | Given.before(2)
    assert both.mask(roll).tolist() == [[True, True]] * 2 + [[True, False]] * 2
    assert (both & ~Given.parts("soprano")).mask(roll).tolist() == [[False, True]] * 2 + [[False, False]] * 2
    assert Given.parts("").mask(PianoRoll.silent(3)).all()


def test_a_mask_of_ones_own_is_copied():
    """It would change after it was made, or change the caller's array."""
    own = np.eye(2, dtype=bool)
    expression = Given.cells(own)
    own[:] = True
    assert expression.mask(roll_of(2)).tolist() == [[True, False], [False, True]]
    expression.mask(roll_of(2))[:] = True
    assert expression.mask(roll_of(2)).sum() == 2


@st.composite
def expressions(draw, roll):
    """An expression and its mask, computed with NumPy alone."""
    frame, part = np.arange(len(roll))[:, None], np.arange(len(roll.parts))[None, :]
    kind = draw(st.sampled_from(["before", "frames", "parts", "cells", "not", "and", "or"]))
    if kind == "before":
        end = draw(st.integers(0, len(roll)))
        return Given.before(end), (frame < end) & (part >= 0)
    if kind == "frames":
        begin, end = sorted(draw(st.tuples(st.integers(0, len(roll)), st.integers(0, len(roll)))))
        return Given.frames(begin, end), (frame >= begin) & (frame < end) & (part >= 0)
    if kind == "parts":
        index = draw(st.integers(0, len(roll.parts) - 1))
        return Given.parts(roll.part_names[index]), (frame >= 0) & (part == index)
    if kind == "cells":
        mask = np.random.default_rng(draw(st.integers(0, 99))).random((len(roll), len(roll.parts))) < 0.5
        return Given.cells(mask), mask
    one, mask = draw(expressions(roll))
    if kind == "not":
        return ~one, ~mask
    other, other_mask = draw(expressions(roll))
    return (one & other, mask & other_mask) if kind == "and" else (one | other, mask | other_mask)


@given(st.data(), part_rolls())
def test_expressions_are_arithmetic_of_masks(data, roll):
    """A combination gives other cells than its parts say; and it survives the way to another process."""
    expression, expected = data.draw(expressions(roll))
    assert np.array_equal(expression.mask(roll), expected)
    assert np.array_equal(pickle.loads(pickle.dumps(expression)).mask(roll), expected)
    if "cells" not in repr(expression):
        assert np.array_equal(eval(repr(expression)).mask(roll), expected)


@pytest.mark.parametrize(
    ("meter", "numbers"),
    [
        (Meter(), {1: [0, 16], 2: [16, 32], 4: [48, 60]}),
        (Meter([TimeSignature(0, 3, 4)]), {1: [0, 12], 5: [48, 60]}),
        (CHANGES, {1: [0, 12], 2: [12, 24], 3: [24, 36], 4: [36, 48], 5: [48, 60]}),
        (UPBEAT, {0: [0, 4], 1: [4, 20], 4: [52, 60]}),
        (Meter([TimeSignature(0, 1, 4), TimeSignature(480, 4, 4)]), {0: [0, 4], 1: [4, 20], 4: [52, 60]}),
        (Meter([TimeSignature(0, 2, 4), TimeSignature(1920, 4, 4)]), {1: [0, 8], 2: [8, 16], 3: [16, 32]}),
        (Meter([TimeSignature(0, 4, 4), TimeSignature(1920, 2, 4)]), {1: [0, 16], 2: [16, 24]}),
        (Meter([TimeSignature(960, 3, 4)]), {0: [0, 8], 1: [8, 20]}),
    ],
    ids=str,
)
def test_bars_are_those_of_the_signatures(meter, numbers):
    """Bar 5 of the score is another bar of the roll: after an upbeat all of them, after a change the later ones."""
    roll = roll_of(60, meter)
    for number, (begin, end) in numbers.items():
        assert frames_of(Given.bars(number), roll) == list(range(begin, end))
    assert first_bar_number(roll) == min(numbers)


@pytest.mark.parametrize("meter", [Meter(), CHANGES, UPBEAT, Meter([TimeSignature(0, 1, 4), TimeSignature(480, 4, 4)])])
def test_bars_have_the_numbers_of_the_written_score(meter, tmp_path):
    """A user reads bar 5 in a notation program, asks for it, and gets bar 4."""
    silent = roll_of(64, meter)
    active = np.zeros((64, 4), dtype=bool)
    active[:, 0] = True
    roll = with_planes(silent, silent._planes._replace(active=active, onset=active))  # a note in every frame
    root = ElementTree.parse(roll.to_musicxml(tmp_path / "a.musicxml")).getroot()
    part = root.find("part")
    assert part is not None
    divisions, frame = int(root.findtext(".//divisions", "1")), 0
    numbers = []
    for measure in part.iterfind("measure"):
        durations = [int(note.findtext("duration", "0")) for note in measure.iterfind("note")]
        begin, frame = frame, frame + 4 * sum(durations) // divisions
        if begin < 64:
            numbers.append(int(measure.get("number", "")))
            assert frames_of(Given.bars(numbers[-1]), roll) == list(range(begin, min(frame, 64)))
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_bars_on_a_grid_in_seconds():
    """A frame is not a part of a beat, and the tempo changes: bars are still those of the signatures."""
    tempo = TempoMap(480, [(0, 500_000), (1920, 1_000_000)])  # bars of 2 s, then of 4 s
    roll = PianoRoll.silent(80, grid=SecondsGrid(0.1), tempo=tempo)
    assert frames_of(Given.bars(1), roll) == list(range(20))
    assert frames_of(Given.bars(2), roll) == list(range(20, 60))


def test_a_bar_shorter_than_a_frame_is_counted():
    """The bars after it would have wrong numbers."""
    meter = Meter([TimeSignature(0, 4, 4), TimeSignature(1920, 1, 64), TimeSignature(1950, 4, 4)])
    roll = roll_of(16, meter, grid=BeatGrid(1))
    assert frames_of(Given.bars(1), roll) == [0, 1, 2, 3]
    assert frames_of(Given.bars(2), roll) == []
    assert frames_of(Given.bars(3), roll) == [4, 5, 6, 7]


@given(st.integers(1, 12), st.sampled_from([2, 4, 8]), st.integers(0, 3000))
def test_an_upbeat_is_a_bar_that_is_shorter_than_it_should_be(numerator, denominator, tick):
    """A piece that is cut inside a bar begins with the rest of that bar."""
    whole = Meter([TimeSignature(0, numerator, denominator)])
    cut = whole.from_tick(tick, ticks_per_beat=480)
    length = 4 * 480 * numerator // denominator
    assert begins_with_upbeat(cut, ticks_per_beat=480) == bool(tick % length)
    assert not begins_with_upbeat(whole, ticks_per_beat=480)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Given.parts("alto"), r"no part 'alto'. Its parts are \['soprano', 'bass'\]"),
        (Given.parts, "needs names of parts"),
        (lambda: Given.parts(3), "needs names of parts"),
        (lambda: Given.bars(2, 4), "'song' has 3 bars of 4/4, since it has no time signature"),
        (lambda: Given.bars(0), "'song' has 3 bars"),
        (lambda: Given.bars(4, 2), "the first one first"),
        (lambda: Given.bars(-1), "numbered as in a score"),
        (lambda: Given.bars(1.5), "numbered as in a score"),
        (lambda: Given.outside(bars=(1, 2, 3)), r"the first and the last, such as \(5, 8\)"),
        (lambda: Given.outside(bars="1"), r"the first and the last"),
        (lambda: Given.before(41), "'song' has 40 frames"),
        (lambda: Given.before(-1), "whole numbers from 0 on"),
        (lambda: Given.frames(5, 3), "the first one first"),
    ],
)
def test_what_a_roll_does_not_have_is_refused(make, message):
    """Bars beyond the end or a misspelled part would silently be nothing, and all of the music would be rewritten."""
    with pytest.raises(SettingsError, match=message):
        make().mask(roll_of(40).renamed("song"))


def test_messages_know_signatures_and_upbeats():
    """ "of 4/4" is wrong where there are signatures; bar 0 is there with an upbeat only."""
    with pytest.raises(SettingsError, match=r"the roll has 4 bars and an upbeat, which is bar 0\.$"):
        Given.bars(5).mask(roll_of(60, UPBEAT))
    with pytest.raises(SettingsError, match=r"the roll has one bar\.$"):
        Given.bars(2).mask(roll_of(4, Meter([TimeSignature(0, 3, 4)])))


@pytest.mark.parametrize("mask", [np.zeros((3, 2), bool), np.zeros((2, 3), bool)])
def test_masks_of_another_shape(mask):
    """It would be broadcast, or fail deep in a model."""
    with pytest.raises(ShapeError, match=r"\(2, 2\)"):
        Given.cells(mask).mask(roll_of(2))
    with pytest.raises(ShapeError, match="bool array of shape"):
        Given.cells(mask.astype(int))
    with pytest.raises(ShapeError, match="bool array of shape"):
        Given.cells(mask[0])


def test_only_expressions_combine():
    """``Given.bars(1) & True`` would pass and mean nothing."""
    for combine in (lambda: Given.nothing() & True, lambda: Given.nothing() | np.ones((1, 1), bool)):
        with pytest.raises(TypeError):
            combine()
