"""Measures of a melody and its chords.

The six measures of Yeh et al., "Automatic melody harmonization with triad chords: a comparative study", Journal of New
Music Research, 2021 (arXiv:2001.02360). Three are about the chords, three about the melody and its chords.

Chords are bool arrays of shape (steps, 12): which pitch classes a chord has, C first. :func:`accompaniment_chords`
reads them from the voices that sound with a melody; a lead sheet's chords can be passed as such an array. A step
without a pitch class has no chord, and counts nowhere.

The paper has one chord for each half bar. Here the measures of chords have one for each beat, so that a chord that
lasts counts once a beat, and the measures of melody and chords have one for each frame.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from pianoroll_seq2seq.errors import ShapeError
from pianoroll_seq2seq.evaluation.voices import REST, Voices, segments, voice_index, voices_of
from pianoroll_seq2seq.pianoroll import PianoRoll

Chords = Bool[np.ndarray, "steps 12"]

_SCORES = np.array([1, -1, -1, 1, 1, 0, -1, 1, 1, 1, -1, -1])
"""Of the intervals from a chord's pitch class up to the melody: 1 for unisons, thirds, perfect fifths and sixths, 0 for
perfect fourths, -1 for all others."""

_ANGLES = np.arange(12) * np.array([7 * math.pi / 6, 3 * math.pi / 2, 2 * math.pi / 3])[:, None]
_CENTROIDS = np.concatenate([np.sin(_ANGLES), np.cos(_ANGLES)]) * np.tile([1.0, 1.0, 0.5], 2)[:, None]
"""The place of each pitch class on the circles of fifths, minor thirds and major thirds, (6, 12)."""


@dataclass(frozen=True)
class Harmonization:
    """The measures of a melody and its chords. A measure that is undefined is NaN."""

    chord_histogram_entropy: float
    """CHE: :func:`chord_histogram_entropy`."""
    chord_coverage: float
    """CC: :func:`chord_coverage`."""
    chord_tonal_distance: float
    """CTD: :func:`chord_tonal_distance`."""
    chord_tone_ratio: float
    """CTnCTR: :func:`chord_tone_ratio`."""
    pitch_consonance: float
    """PCS: :func:`pitch_consonance`."""
    melody_chord_distance: float
    """MCTD: :func:`melody_chord_distance`."""

    @classmethod
    def of(cls, roll: PianoRoll, melody: str | None = None, *, chords: Chords | None = None) -> "Harmonization":
        """Measures a roll.

        Args:
            roll: a piece with at least two parts, drums aside.
            melody: the name of the melody's part; the first by default. Its highest pitch in a frame counts.
            chords: the chord of each frame, bool of shape (frames, 12); by default what the other parts sound
                (:func:`accompaniment_chords`).

        Raises:
            SettingsError: fewer than two parts, or no part of this name.
            ShapeError: chords of another shape.

        Example:
            >>> from pianoroll_seq2seq import PitchRange
            >>> melody = PianoRoll.from_active(np.ones((4, 1), dtype=bool), pitches=PitchRange(64, 64))
            >>> chord = PianoRoll.from_active(np.ones((4, 1), dtype=bool), pitches=PitchRange(48, 48))
            >>> Harmonization.of(PianoRoll.stack({"melody": melody, "bass": chord})).pitch_consonance
            1.0
        """
        voices = voices_of(roll)
        voice = voice_index(voices, melody, label=roll.name or "The roll")
        if chords is None:
            chords = accompaniment_chords(roll, voices.names[voice])
        elif chords.shape != (len(roll), 12):
            raise ShapeError(
                f"chords must be bool of shape (frames, 12), here ({len(roll)}, 12), got {chords.shape}. Repeat each "
                f"chord for all of its frames."
            )
        by_beat = chords[roll.beat_frames()]
        notes = melody_notes(voices, voice)
        pitch = voices.pitch[:, voice]
        return cls(
            chord_histogram_entropy(by_beat),
            float(chord_coverage(by_beat)),
            chord_tonal_distance(by_beat),
            chord_tone_ratio(notes, chords),
            pitch_consonance(pitch, chords),
            melody_chord_distance(pitch, chords),
        )


def accompaniment_chords(roll: PianoRoll, melody: str) -> Bool[np.ndarray, "frames 12"]:
    """The pitch classes that all parts but the melody and drums sound in each frame."""
    chords = np.zeros((len(roll), 12), dtype=bool)
    for part in roll.parts:
        if part.drums or part.name == melody:
            continue
        frame, column = np.nonzero(roll.active[:, roll.columns(part.name)])
        chords[frame, (column + part.pitches.lowest) % 12] = True
    return chords


def melody_notes(voices: Voices, voice: int) -> list[tuple[int, int, int]]:
    """The notes of a voice: first frame, frame after the last, MIDI pitch."""
    begin, length, pitch = segments(voices.pitch[:, voice], voices.onset[:, voice])
    rows = zip(begin.tolist(), (begin + length).tolist(), pitch.tolist(), strict=True)
    return [row for row in rows if row[2] != REST]


def chord_histogram_entropy(chords: Chords) -> float:
    """CHE: the entropy of the histogram of the chords, in nats; NaN without chords."""
    _, counts = np.unique(chords[chords.any(axis=1)], axis=0, return_counts=True)
    shares = counts / max(counts.sum(), 1)
    return float(-(shares * np.log(shares)).sum()) + 0.0 if len(shares) else math.nan


def chord_coverage(chords: Chords) -> int:
    """CC: the number of different chords. Chords with the same pitch classes are one."""
    return len(np.unique(chords[chords.any(axis=1)], axis=0))


def chord_tonal_distance(chords: Chords) -> float:
    """CTD: the mean :func:`tonal_distance` of neighbouring chords; NaN with fewer than two chords.

    Chords with a step without a chord between them are neighbours.
    """
    sounding = chords[chords.any(axis=1)]
    return float(tonal_distance(sounding[:-1], sounding[1:]).mean()) if len(sounding) > 1 else math.nan


def tonal_distance(one: Chords, other: Chords) -> Float64[np.ndarray, " steps"]:
    """The distances of two rows of chords: Euclidean, of their tonal centroids.

    Harte, Sandler and Gasser, "Detecting harmonic change in musical audio", AMCMM 2006, with its radii 1, 1 and 0.5 of
    the circles of fifths, minor thirds and major thirds.

    Args:
        one: pitch classes, bool of shape (steps, 12), at least one in each row.
        other: the same.
    """

    def centroids(chords: Chords) -> np.ndarray:
        means: np.ndarray = chords / chords.sum(axis=1, keepdims=True) @ _CENTROIDS.T
        return means

    distances: np.ndarray = np.linalg.norm(centroids(one) - centroids(other), axis=1)
    return distances


def chord_tone_ratio(notes: Sequence[tuple[int, int, int]], chords: Chords) -> float:
    """CTnCTR: chord tones and proper non-chord tones, divided by chord tones and non-chord tones.

    A note of the melody is a chord tone if its pitch class is in the chord of its first frame. A non-chord tone is
    proper if the note right after it is at most two semitones away. Notes without a chord do not count.

    Args:
        notes: first frame, frame after the last, MIDI pitch of each note, in order of time.
        chords: the chord of each frame.

    Returns:
        1 if all notes are in the chord or resolve; NaN without notes that have a chord.
    """
    in_chord = other = proper = 0
    for index, (begin, end, pitch) in enumerate(notes):
        if not chords[begin].any():
            continue
        if chords[begin, pitch % 12]:
            in_chord += 1
            continue
        other += 1
        following = notes[index + 1] if index + 1 < len(notes) else None
        proper += following is not None and following[0] == end and abs(following[2] - pitch) <= 2
    total = in_chord + other
    return (in_chord + proper) / total if total else math.nan


def pitch_consonance(pitch: Int64[np.ndarray, " frames"], chords: Chords) -> float:
    """PCS: the mean consonance of the melody and the pitch classes of its chords, over frames.

    An interval, from the pitch class of the chord up to the melody, scores 1 for a unison, a third, a perfect fifth or
    a sixth, 0 for a perfect fourth, and -1 otherwise. Each pair of a frame and a pitch class counts once. The paper has
    windows of a sixteenth note, which are the frames of ``BeatGrid(4)``.

    Args:
        pitch: of the melody, MIDI, -1 for a rest.
        chords: the chord of each frame.

    Returns:
        -1 to 1; NaN if melody and chords never sound together.
    """
    frame, pitch_class = np.nonzero(chords & (pitch != REST)[:, None])
    return float(_SCORES[(pitch[frame] - pitch_class) % 12].mean()) if len(frame) else math.nan


def melody_chord_distance(pitch: Int64[np.ndarray, " frames"], chords: Chords) -> float:
    """MCTD: the mean :func:`tonal_distance` of the melody and its chord, over frames, so that long notes count more.

    Args:
        pitch: of the melody, MIDI, -1 for a rest.
        chords: the chord of each frame.

    Returns:
        At least 0; NaN if melody and chords never sound together.
    """
    together = np.flatnonzero(chords.any(axis=1) & (pitch != REST))
    if not len(together):
        return math.nan
    notes = np.eye(12, dtype=bool)[pitch[together] % 12]
    return float(tonal_distance(notes, chords[together]).mean())
