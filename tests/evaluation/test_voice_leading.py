"""The rules of voice leading, on examples of a few chords."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from strategies import part_rolls
from voice_music import COMPASS, in_beats, voices

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.keys import Key
from pianoroll_seq2seq.evaluation.voice_leading import (
    RULES,
    SATB_RANGES,
    VoiceLeading,
    VoiceLeadingError,
    voice_ranges,
)
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.signatures import KeySignature

PAIRS = [
    ([67, 69], [60, 62], "parallel fifths"),
    ([79, 81], [60, 62], "parallel fifths"),  # twelfths
    ([67, 81], [60, 62], "parallel fifths"),  # a fifth, then a twelfth, in the same direction
    ([60, 62], [67, 69], "parallel fifths"),  # between crossed voices
    ([72, 74], [60, 62], "parallel octaves"),
    ([60, 62], [60, 62], "parallel octaves"),  # unisons
    ([67, 76], [60, 57], "contrary fifths"),
    ([60, 72], [60, 48], "contrary octaves"),
    ([67, 67], [60, 60], None),  # held, or repeated
    ([67, 68], [60, 62], None),  # to a tritone
    ([66, 69], [60, 62], None),  # from a tritone
    ([67, 0, 69], [60, 0, 62], None),  # with a rest between
    ([67, 69], [60, 53], None),  # to a tenth
    ([67, 67, 69], [60, 62, 62], None),  # one after the other
]


@pytest.mark.parametrize(("upper", "lower", "rule"), PAIRS)
def test_fifths_and_octaves(upper: list[int], lower: list[int], rule: str | None) -> None:
    """Parallels that are none are reported, or those that are some are missed or called by another name."""
    found = VoiceLeading.of(voices(a=upper, b=lower), key=Key(6, False)).errors
    found = tuple(error for error in found if error.rule != "crossing")
    assert found == (() if rule is None else (VoiceLeadingError(1, rule, ("a", "b")),))  # type: ignore[arg-type]


def test_crossing_counts_each_passage_once() -> None:
    """Voices that are crossed for three frames count three times, or not where a third voice rests."""
    roll = voices(a=[60, 60, 60, 67, 60], b=[62, 62, 64, 64, 62], c=[0, 48, 48, 66, 48])
    errors = [error for error in VoiceLeading.of(roll, key=Key(6, False)).errors if error.rule == "crossing"]
    assert errors == [
        (0, "crossing", ("a", "b")),
        (3, "crossing", ("b", "c")),
        (4, "crossing", ("a", "b")),
    ]


def test_spacing_is_that_of_upper_neighbours() -> None:
    """Tenor and bass may be far apart, an octave is not too far, and a passage counts once."""
    roll = voices(s=[79, 79, 79, 72], a=[67, 66, 65, 60], t=[54, 54, 60, 48], b=[30, 30, 30, 30])
    errors = [error for error in VoiceLeading.of(roll, key=Key(6, False)).errors if error.rule == "spacing"]
    assert errors == [(0, "spacing", ("a", "t")), (1, "spacing", ("s", "a"))]


def test_ranges() -> None:
    """A note outside the range counts once for each of its frames, or a rest counts."""
    roll = voices(a=[60, 60, 0, 72, 61], b=[48, 47, 47, 48, 0])
    errors = VoiceLeading.of(roll, ranges=[PitchRange(61, 71), PitchRange(48, 60)], key=Key(6, False)).errors
    assert [error for error in errors if error.rule == "range"] == [
        (0, "range", ("a",)),
        (1, "range", ("b",)),
        (3, "range", ("a",)),
    ]
    assert not VoiceLeading.of(roll).counts()["range"]  # two parts have no ranges of their own
    low = voices(s=[59], a=[53], t=[47], b=[36])
    assert VoiceLeading.of(low).errors == ((0, "range", ("s",)),)
    assert voice_ranges([roll, voices(a=[80], b=[40])]) == (PitchRange(60, 80), PitchRange(40, 48))
    with pytest.raises(SettingsError, match="ranges has 4 ranges, but the roll has 2 parts"):
        VoiceLeading.of(roll, ranges=SATB_RANGES)
    with pytest.raises(SettingsError, match="a part has no notes"):
        voice_ranges([voices(a=[60], b=[0])])
    with pytest.raises(SettingsError, match="as many parts"):
        voice_ranges([])


LEADING = [
    ([71, 72], [62, 64], [55, 48], 0),  # V I in C major: it rises
    ([71, 67], [62, 64], [55, 48], 1),  # it falls to the fifth
    ([71, 72], [65, 64], [55, 48], 0),  # V7
    ([62, 64], [71, 79], [55, 48], 1),  # in the middle, up to another tonic's fifth
    ([71, 69], [62, 60], [55, 53], 0),  # to a chord on IV
    ([71, 67], [64, 64], [55, 48], 0),  # from a chord on III
    ([71, 67], [62, 64], [55, 52], 0),  # to the tonic chord's first inversion
    ([71, 0], [62, 64], [55, 48], 0),  # into a rest
]


@pytest.mark.parametrize(("one", "two", "bass", "count"), LEADING)
def test_leading_tones(one: list[int], two: list[int], bass: list[int], count: int) -> None:
    """A leading tone that resolves is an error, or one that does not is none, in any key."""
    for shift in range(-5, 7):
        moved = [[pitch + shift if pitch else 0 for pitch in voice] for voice in (one, two, bass)]
        roll = voices(s=moved[0], a=moved[1], b=moved[2])
        leading = VoiceLeading.of(roll, key=Key(shift % 12, False))
        assert leading.counts()["leading tone"] == count


def test_the_key_is_that_of_the_signature() -> None:
    """A minor: G sharp goes to E. Without the signature, these two chords are taken for something else."""
    chords = {"s": [68, 64], "a": [62, 60], "b": [52, 45]}
    roll = voices(**chords, key=KeySignature(0, 0, minor=True))
    assert VoiceLeading.of(roll).errors == ((1, "leading tone", ("s",)),)
    assert not VoiceLeading.of(voices(**chords, key=KeySignature(0, 3))).errors


def test_rates_count_errors_by_beats() -> None:
    roll = voices(a=in_beats(67, 69, 71), b=in_beats(60, 62, 64))
    leading = VoiceLeading.of(roll)
    assert leading.num_beats == 3
    assert leading.counts()["parallel fifths"] == 2
    total = VoiceLeading.total([leading, leading, VoiceLeading((), 4.0)])
    assert total.per_100_beats() == {rule: 40.0 if rule == "parallel fifths" else 0.0 for rule in RULES}
    assert VoiceLeading.total([]).per_100_beats() == dict.fromkeys(RULES, 0.0)
    with pytest.raises(SettingsError, match="at least two parts"):
        VoiceLeading.of(PianoRoll.silent(4))


@given(part_rolls())
def test_errors_of_any_piece_have_places(roll: PianoRoll) -> None:
    """A piece with rests, drums or chords in a part fails, or an error is outside it."""
    if sum(not part.drums for part in roll.parts) < 2:
        return
    for error in VoiceLeading.of(roll).errors:
        assert 0 <= error.frame < len(roll)
        assert set(error.parts) <= set(roll.part_names)
        assert error.rule in RULES


def test_bach_breaks_few_rules(jsb16_dir: Path) -> None:
    """A rule finds errors everywhere in chorales, and cannot tell good voice leading from bad."""
    content = json.loads((jsb16_dir / "Jsb16thSeparated.json").read_text(encoding="utf-8"))
    pieces = [np.maximum(np.array(piece), 0) for piece in content["test"][::4]]
    names = ("soprano", "alto", "tenor", "bass")
    rolls = [voices(**dict(zip(names, piece.T, strict=True))) for piece in pieces]
    bach = VoiceLeading.total(map(VoiceLeading.of, rolls)).per_100_beats()
    assert bach["parallel fifths"] < 1
    assert bach["parallel octaves"] < 1
    assert bach["range"] < 0.5
    assert all(rate < 5 for rate in bach.values())
    # the alto one frame late, as a model that does not listen
    late = [
        voices(**{name: np.roll(row, 8 if name == "alto" else 0) for name, row in zip(names, piece.T, strict=True)})
        for piece in pieces
    ]
    worse = VoiceLeading.total(map(VoiceLeading.of, late)).per_100_beats()
    assert worse["parallel fifths"] + worse["parallel octaves"] > 2 * (
        bach["parallel fifths"] + bach["parallel octaves"]
    )
    assert rolls[0].pitches == COMPASS
