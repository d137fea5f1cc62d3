"""The kinds of chords."""

import pytest

from pianoroll_seq2seq.evaluation.chords import chord_kind

KINDS = [
    ("60 64 67", "major"),
    ("64 67 72", "major"),
    ("57 60 64 69", "minor"),
    ("59 62 65", "diminished"),
    ("60 64 68", "augmented"),
    ("60 65 67", "suspended"),
    ("60 62 67", "suspended"),
    ("55 59 62 65", "dominant seventh"),
    ("62 65 69 72", "minor seventh"),
    ("65 69 72 74", "minor seventh"),
    ("60 64 67 71", "major seventh"),
    ("59 62 65 69", "half-diminished seventh"),
    ("59 62 65 68", "diminished seventh"),
    ("60 64 67 62", "major"),  # with an added second
    ("60 63 67 68", "major seventh"),  # not the minor triad in it
    ("60 67", "fifth"),
    ("60 67 70", "fifth"),
    ("60 72", "single pitch class"),
    ("60 64", "other"),
    ("60 61 62", "other"),
    ("", "other"),
]


@pytest.mark.parametrize(("pitches", "kind"), KINDS)
def test_kinds(pitches: str, kind: str) -> None:
    """A chord counts as another kind, or its inversion or transposition does."""
    chord = [int(pitch) for pitch in pitches.split()]
    assert {chord_kind([pitch + shift for pitch in chord]) for shift in range(12)} == {kind}


def test_most_chords_of_a_chorale_are_those_of_music21() -> None:
    """The harmony of a chorale is graded by other kinds than in the paper, which takes music21's."""
    music21 = pytest.importorskip("music21")
    alike = {"power": "fifth", "pedal": "single pitch class", "suspended-fourth": "suspended"}
    alike |= {"suspended-second": "suspended", "major-sixth": "minor-seventh"}
    chords = music21.corpus.parse("bach/bwv269", forceSource=True).chordify().flatten().getElementsByClass("Chord")
    agree = []
    for chord in chords:
        symbol, *kind = music21.harmony.chordSymbolFigureFromChord(chord, True)
        expected = alike.get(kind[0], kind[0]) if symbol != "Chord Symbol Cannot Be Identified" else "other"
        agree.append(
            chord_kind(pitch.midi for pitch in chord.pitches)
            == expected.replace("-", " ").replace("half diminished", "half-diminished")
        )
    assert len(agree) > 70
    assert sum(agree) / len(agree) > 0.95
