"""Measures of melody and chords, against cases that were computed by hand from the paper's definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from strategies import part_rolls
from voice_music import in_beats, voices

from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.evaluation.harmonization import (
    Harmonization,
    accompaniment_chords,
    chord_coverage,
    chord_histogram_entropy,
    chord_tonal_distance,
    chord_tone_ratio,
    melody_chord_distance,
    pitch_consonance,
    tonal_distance,
)
from pianoroll_seq2seq.pianoroll import PianoRoll

C, F, G, NONE = {0, 4, 7}, {5, 9, 0}, {7, 11, 2}, set[int]()


def chords(*classes: set[int]) -> np.ndarray:
    return np.array([[pitch in chord for pitch in range(12)] for chord in classes], dtype=bool).reshape(-1, 12)


def centroid(chord: set[int]) -> list[float]:
    """Harte and others, 2006, term by term."""
    mean = [0.0] * 6
    for pitch in chord:
        for circle, (radius, angle) in enumerate(((1, 7 / 6), (1, 3 / 2), (0.5, 2 / 3))):
            mean[2 * circle] += radius * math.sin(pitch * angle * math.pi) / len(chord)
            mean[2 * circle + 1] += radius * math.cos(pitch * angle * math.pi) / len(chord)
    return mean


def test_entropy_and_coverage_count_chords() -> None:
    """C twice, F, G: the shares are 1/2, 1/4, 1/4."""
    sequence = chords(C, C, F, NONE, G)
    assert chord_histogram_entropy(sequence) == pytest.approx(1.5 * math.log(2))
    assert chord_coverage(sequence) == 3
    assert chord_histogram_entropy(chords(C, C)) == 0
    assert math.isnan(chord_histogram_entropy(chords(NONE)))
    assert chord_coverage(chords(NONE)) == 0


def test_tonal_distances_are_those_of_the_centroids() -> None:
    """The closest chords are not the closest in the tonal space, or a circle has the radius of another."""
    for one in (C, F, G, {1}, {0, 3, 6, 9}):
        for other in (C, {6, 10, 1}, {4}, set(range(12))):
            expected = math.dist(centroid(one), centroid(other))
            assert tonal_distance(chords(one), chords(other))[0] == pytest.approx(expected)
    assert math.dist(centroid({0}), centroid({6})) == pytest.approx(math.hypot(2, 2))
    assert chord_tonal_distance(chords(C, C, NONE, F)) == pytest.approx(math.dist(centroid(C), centroid(F)) / 2)
    assert math.isnan(chord_tonal_distance(chords(C, NONE)))


def test_chord_tones_and_proper_non_chord_tones() -> None:
    """Over C major: E is a chord tone, D resolves, F leaps, B is last, A has no chord, D goes into a rest."""
    notes = [
        (0, 1, 64),
        (1, 2, 62),
        (2, 3, 60),
        (3, 4, 65),
        (4, 5, 72),
        (5, 6, 69),
        (6, 7, 62),
        (8, 9, 60),
        (9, 10, 71),
    ]
    harmony = chords(C, C, C, C, C, NONE, C, C, C, C)
    assert chord_tone_ratio(notes, harmony) == (4 + 1) / (4 + 4)
    assert chord_tone_ratio([(0, 1, 65), (1, 2, 67)], chords(C, C)) == 1
    assert math.isnan(chord_tone_ratio([(0, 1, 65)], chords(NONE)))
    assert math.isnan(chord_tone_ratio([], chords(C)))


def test_consonance_of_each_interval() -> None:
    """Unison, thirds, fifth and sixths are 1, the fourth above a chord's pitch is 0, all others are -1."""
    scores = [pitch_consonance(np.array([60 + interval]), chords({0})) for interval in range(12)]
    assert scores == [1, -1, -1, 1, 1, 0, -1, 1, 1, 1, -1, -1]
    # G over C E G: a fifth, a third, a unison; F over it: a fourth, a second, a seventh; a rest; no chord
    melody = np.array([67, 65, -1, 67])
    assert pitch_consonance(melody, chords(C, C, C, NONE)) == pytest.approx((3 + 0 - 1 - 1) / 6)
    assert math.isnan(pitch_consonance(np.array([-1]), chords(C)))


def test_the_distance_of_melody_and_chord_weights_notes_by_their_length() -> None:
    melody = np.array([60, 60, 60, 66, -1])
    expected = (3 * math.dist(centroid({0}), centroid(C)) + math.dist(centroid({6}), centroid(C))) / 4
    assert melody_chord_distance(melody, chords(C, C, C, C, C)) == pytest.approx(expected)
    assert math.isnan(melody_chord_distance(melody[-1:], chords(C)))


def test_a_piece_of_two_beats() -> None:
    """Chords are read from other frames than the beats, or from the melody's own part."""
    roll = voices(melody=[69, 69, 65, 65, *[67] * 4], alto=in_beats(60, 59), bass=[48, 48, 48, 50, *[43] * 4])
    measured = Harmonization.of(roll)
    assert accompaniment_chords(roll, "melody")[3].nonzero()[0].tolist() == [0, 2]
    assert measured.chord_coverage == 2  # C, and B with G
    assert measured.chord_histogram_entropy == pytest.approx(math.log(2))
    assert measured.chord_tonal_distance == pytest.approx(math.dist(centroid({0}), centroid({11, 7})))
    assert measured.chord_tone_ratio == (1 + 1) / (1 + 2)  # G; F goes to G, A leaps
    given_chords = chords(*[{0, 3, 7}] * 4, *[G] * 4)
    assert Harmonization.of(roll, chords=given_chords).chord_tone_ratio == (1 + 1) / 3
    assert Harmonization.of(roll, "bass").chord_coverage == 2
    with pytest.raises(ShapeError, match=r"shape \(frames, 12\), here \(8, 12\), got \(2, 12\)"):
        Harmonization.of(roll, chords=given_chords[:2])
    with pytest.raises(SettingsError, match="no part 'tuba'"):
        Harmonization.of(roll, "tuba")


@given(part_rolls())
def test_measures_of_any_piece(roll: PianoRoll) -> None:
    """A measure fails for a piece with rests, drums or chords in a part, or leaves its range."""
    if sum(not part.drums for part in roll.parts) < 2:
        with pytest.raises(SettingsError, match="at least two"):
            Harmonization.of(roll)
        return
    measured = Harmonization.of(roll)
    assert measured.chord_coverage <= len(roll.beat_frames())
    for value, (low, high) in (
        (measured.chord_tone_ratio, (0, 1)),
        (measured.pitch_consonance, (-1, 1)),
        (measured.chord_tonal_distance, (0, math.hypot(2, 2, 1))),
    ):
        assert math.isnan(value) or low <= value <= high + 1e-9
