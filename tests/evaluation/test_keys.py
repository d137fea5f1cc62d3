"""The key of a piece: from its signature, or from its pitches."""

import numpy as np
import pytest
from voice_music import voices

from pianoroll_seq2seq.evaluation.keys import Key, estimate_key, key_of
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.signatures import KeySignature

_TONICS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MAJOR = [60, 62, 64, 65, 67, 69, 71, 67, 64, 60, 67, 60]
MINOR = [60, 62, 63, 65, 67, 68, 71, 67, 63, 60, 67, 60]


@pytest.mark.parametrize("fifths", range(-7, 8))
@pytest.mark.parametrize("minor", [False, True])
def test_signatures_are_keys(fifths: int, *, minor: bool) -> None:
    """The tonic of a signature is another than its name says."""
    signature = KeySignature(0, fifths, minor)
    letter, *accidental = signature.tonic
    expected = (_TONICS[letter] + {"#": 1, "b": -1}.get("".join(accidental), 0)) % 12
    assert key_of(voices(a=[60], b=[48], key=signature)) == Key(expected, minor)


@pytest.mark.parametrize("shift", range(12))
def test_estimates_move_with_the_music(shift: int) -> None:
    """The key of a scale is not its tonic, or the mode is wrong."""
    for melody, minor in ((MAJOR, False), (MINOR, True)):
        roll = voices(a=[pitch + shift for pitch in melody], b=[0] * len(melody))
        assert estimate_key(roll) == key_of(roll) == Key(shift, minor)


def test_silence_and_drums_are_in_c_major() -> None:
    assert key_of(PianoRoll.silent(4)) == Key(0, False)
    assert estimate_key(PianoRoll.from_active(np.ones((4, 88), bool), parts=[Part("kit", drums=True)])) == Key(0, False)


def test_estimates_are_those_of_music21() -> None:
    """The grade of a chorale is relative to another key than in the paper, which takes music21's."""
    music21 = pytest.importorskip("music21")
    rng = np.random.default_rng(0)
    agree = 0
    for _ in range(12):
        pitches = (60 + rng.choice([0, 2, 4, 5, 7, 9, 11], 24) + rng.integers(12)).tolist()
        stream = music21.stream.Stream([music21.note.Note(pitch, quarterLength=1) for pitch in pitches])
        key = stream.analyze("key")
        roll = voices(a=pitches, b=[0] * len(pitches))
        agree += estimate_key(roll) == Key(key.tonic.pitchClass, key.mode == "minor")
    assert agree == 12
