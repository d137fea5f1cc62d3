"""The grade of a chorale: how far its features are from those of Bach's chorales.

Fang, Liu, Seetharaman and Pardo, "Bach or mock? A grading function for chorales in the style of J. S. Bach", 2020
(arXiv:2006.13329), with the features and weights of their published code. Their median over Bach's chorales is 4.91.

Their code reads scores with fermatas and spelled pitches; this reads rolls. So intervals are counted in semitones (an
augmented fourth and a diminished fifth are one interval), pitches by their distance to the tonic in semitones, and
parallel fifths and octaves after a fermata are errors too. Intervals are those of all neighbouring notes without a rest
between them; their code leaves out the first of each voice. Compare grades only with grades by this function, of pieces
that were read in the same way: without onsets, repeated notes are one.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.chords import chord_kind
from pianoroll_seq2seq.evaluation.keys import estimate_key
from pianoroll_seq2seq.evaluation.repeated_sequences import repeated_lengths
from pianoroll_seq2seq.evaluation.voice_leading import parallel_errors
from pianoroll_seq2seq.evaluation.voices import REST, Segments, Voices, segments, voices_of
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.pianoroll import PianoRoll

Counts: TypeAlias = Counter[Hashable]

_NOTHING: Counts = Counter({"nothing": 1})
_NO_REPETITION: Counts = Counter({0.0: 1})  # its length is 0


@dataclass(frozen=True)
class _Features:
    """The counts of one piece, or the sums of several."""

    notes: Counts = field(default_factory=Counter)
    rhythm: Counts = field(default_factory=Counter)
    parallels: Counts = field(default_factory=Counter)
    chords: Counts = field(default_factory=Counter)
    repeated: Counts = field(default_factory=Counter)
    intervals: tuple[Counts, ...] = ()
    num_notes: int = 0


@dataclass(frozen=True)
class BachOrMock:
    """The grading function, with the distributions of reference pieces.

    Example:
        >>> from pianoroll_seq2seq import PitchRange
        >>> rising, falling = np.eye(12, dtype=bool), np.eye(12, dtype=bool)[::-1].copy()
        >>> upper, lower = PitchRange(64, 75), PitchRange(48, 59)
        >>> def duet(one: np.ndarray, other: np.ndarray) -> PianoRoll:
        ...     parts = {"upper": (one, upper), "lower": (other, lower)}
        ...     rolls = {name: PianoRoll.from_active(plane, pitches=p) for name, (plane, p) in parts.items()}
        ...     return PianoRoll.stack(rolls)
        >>> grading = BachOrMock.fit([duet(rising, falling)])
        >>> grading.grade(duet(rising, falling)), grading.grade(duet(rising, rising)) > 1
        (0.0, True)
    """

    part_names: tuple[str, ...]
    """The names of the voices of the reference."""
    num_pieces: int
    """The number of reference pieces."""
    _everything: _Features = field(repr=False)
    _by_mode: Mapping[bool, _Features] = field(repr=False)

    @classmethod
    def fit(cls, rolls: Iterable[PianoRoll]) -> "BachOrMock":
        """The grading function whose reference are these pieces, such as Bach's chorales of the training set.

        Args:
            rolls: pieces with the same number of parts, the highest first.

        Raises:
            SettingsError: no pieces, or pieces of different numbers of parts.
        """
        modes: dict[bool, list[_Features]] = {}
        names: tuple[str, ...] = ()
        for roll in rolls:
            voices = voices_of(roll)
            names = names or voices.names
            _check_parts(roll, voices, names)
            key = estimate_key(roll)
            modes.setdefault(key.minor, []).append(_features(roll, voices, key.tonic))
        if not modes:
            raise SettingsError("BachOrMock.fit needs at least one piece. Pass Bach's chorales.")
        everything = [one for several in modes.values() for one in several]
        return cls(names, len(everything), _sum(everything), {mode: _sum(several) for mode, several in modes.items()})

    def grade(self, roll: PianoRoll) -> float:
        """The grade of a piece: the sum of :meth:`distances`; lower is more like the reference.

        Raises:
            SettingsError: another number of parts than the reference.
        """
        return sum(self.distances(roll).values())

    def distances(self, roll: PianoRoll) -> dict[str, float]:
        """The distance of each feature of a piece to the reference.

        Each is the Wasserstein distance of two distributions over categories, at distance 1 from each other in the
        order of their frequency in the reference; those that the reference lacks are last, the rarest first. The
        distance of ``parallels`` (fifths or octaves) is multiplied by their number for each note, divided by that of
        the reference. Notes, chords and intervals are compared with the pieces of the same mode, major or minor, if
        there are some. The key is estimated, as in the paper, so that pieces with and without a key signature are
        graded alike.

        Returns:
            ``notes`` (degrees, weighted by duration, and rests), ``rhythm`` (durations of notes and rests),
            ``parallels``, ``chords`` (kinds), ``intervals of`` each part, and ``repeated sequences`` (their lengths, in
            sixteenths).

        Raises:
            SettingsError: another number of parts than the reference.
        """
        voices = voices_of(roll)
        _check_parts(roll, voices, self.part_names)
        key = estimate_key(roll)
        own = _features(roll, voices, key.tonic)
        same_mode = self._by_mode.get(key.minor, self._everything)
        pairs = zip(self.part_names, own.intervals, same_mode.intervals, strict=True)
        return {
            "notes": rank_distance(own.notes, same_mode.notes),
            "rhythm": rank_distance(own.rhythm, self._everything.rhythm),
            "parallels": _parallel_distance(own, self._everything),
            "chords": rank_distance(own.chords, same_mode.chords),
            **{f"intervals of {name}": rank_distance(one, other) for name, one, other in pairs},
            "repeated sequences": _length_distance(own.repeated, self._everything.repeated),
        }


def rank_distance(counts: Counts, reference: Counts) -> float:
    """The Wasserstein distance of two distributions over categories, which are ranked by the reference.

    Args:
        counts: of the categories in a piece.
        reference: of the categories in the reference.

    Returns:
        0 for equal distributions. An empty one, such as that of the intervals of a silent voice, counts as one category
        that the other does not have.

    Example:
        >>> rank_distance(Counter(a=1), Counter(a=3, b=1)), rank_distance(Counter(c=1), Counter(a=3, b=1))
        (0.25, 1.75)
    """
    counts, reference = counts or _NOTHING, reference or _NOTHING
    known = sorted(reference, key=lambda one: (-reference[one], str(one)))
    unknown = sorted(counts.keys() - reference.keys(), key=lambda one: (counts[one], str(one)))
    order = [*known, *unknown]
    return _wasserstein(np.array([[each[one] for one in order] for each in (counts, reference)], dtype=np.float64))


def _wasserstein(counts: np.ndarray, distances: np.ndarray | float = 1.0) -> float:
    """Of two rows of counts, normalized, at places that are so far from one another."""
    shares = counts / counts.sum(axis=1, keepdims=True)
    difference = np.abs(np.cumsum(shares[0] - shares[1]))[:-1]
    return float((difference * distances).sum())


def _length_distance(counts: Counts, reference: Counts) -> float:
    """The Wasserstein distance of two distributions of lengths. Pieces that repeat nothing have length 0."""
    rows = [counts or _NO_REPETITION, reference or _NO_REPETITION]
    lengths = sorted({float(length) for row in rows for length in row})  # type: ignore[arg-type]
    table = np.array([[row[length] for length in lengths] for row in rows], dtype=np.float64)
    return _wasserstein(table, np.diff(lengths))


def _parallel_distance(own: _Features, reference: _Features) -> float:
    """0 without parallels; if only the reference has none, the number for 100 notes."""
    total, expected = own.parallels.total(), reference.parallels.total()
    if not total:
        return 0.0
    share = total / own.num_notes
    if not expected:
        return 100 * share
    return rank_distance(own.parallels, reference.parallels) * share / (expected / reference.num_notes)


def _features(roll: PianoRoll, voices: Voices, tonic: int) -> _Features:
    sixteenths = 4 / roll.grid.frames_per_beat if isinstance(roll.grid, BeatGrid) else 1.0
    notes, rhythm, repeated = Counter[Hashable](), Counter[Hashable](), Counter[Hashable]()
    intervals, num_notes = [], 0
    for pitch, onset in zip(voices.pitch.T, voices.onset.T, strict=True):
        found = segments(pitch, onset)
        for degree in np.where(pitch == REST, REST, (pitch - tonic) % 12).tolist():
            notes[degree] += 1
        rhythm.update((found.length * sixteenths).tolist())
        for length, count in repeated_lengths(pitch, onset).items():
            repeated[length * sixteenths] += count
        intervals.append(_intervals(found))
        num_notes += int((found.pitch != REST).sum())
    kinds: Counts = Counter(
        chord_kind(pitch for pitch in chord if pitch != REST)
        for chord in voices.pitch[_chord_begins(voices)].tolist()
        if set(chord) != {REST}
    )
    parallels: Counts = Counter(error.rule.split()[1] for error in parallel_errors(voices))
    return _Features(notes, rhythm, parallels, kinds, repeated, tuple(intervals), num_notes)


def _intervals(found: Segments) -> Counts:
    """The steps in semitones between neighbouring notes."""
    steps = np.diff(found.pitch)
    sounding = found.pitch != REST
    return Counter(steps[sounding[1:] & sounding[:-1]].tolist())


def _chord_begins(voices: Voices) -> np.ndarray:
    """The frames in which a note begins or ends, which a chord begins in."""
    begins: np.ndarray = np.logical_or.reduce(voices.onset, axis=1)
    begins[1:] |= (voices.pitch[1:] != voices.pitch[:-1]).any(axis=1)
    return begins


def _sum(several: Iterable[_Features]) -> _Features:
    several = list(several)

    def total(counters: Iterable[Counts]) -> Counts:
        result: Counts = Counter()
        for counter in counters:
            result.update(counter)
        return result

    return _Features(
        total(one.notes for one in several),
        total(one.rhythm for one in several),
        total(one.parallels for one in several),
        total(one.chords for one in several),
        total(one.repeated for one in several),
        tuple(map(total, zip(*(one.intervals for one in several), strict=True))),
        sum(one.num_notes for one in several),
    )


def _check_parts(roll: PianoRoll, voices: Voices, names: tuple[str, ...]) -> None:
    if len(voices.names) != len(names) or len(names) < 2:
        raise SettingsError(
            f"{roll.name or 'The roll'} has {len(voices.names)} parts with pitches, but the grade needs at least two, "
            f"and as many as the reference: {len(names)}. Read all pieces with parts='tracks', or select parts, as "
            f"roll[['soprano', 'bass']]."
        )
