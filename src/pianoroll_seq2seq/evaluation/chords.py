"""The kinds of chords: major, minor, diminished seventh, ..."""

from collections.abc import Iterable
from functools import cache

_KINDS: dict[str, tuple[int, ...]] = {
    "single pitch class": (0,),
    "fifth": (0, 7),
    "major": (0, 4, 7),
    "minor": (0, 3, 7),
    "diminished": (0, 3, 6),
    "augmented": (0, 4, 8),
    "suspended": (0, 5, 7),
    "dominant seventh": (0, 4, 7, 10),
    "major seventh": (0, 4, 7, 11),
    "minor seventh": (0, 3, 7, 10),
    "minor-major seventh": (0, 3, 7, 11),
    "half-diminished seventh": (0, 3, 6, 10),
    "diminished seventh": (0, 3, 6, 9),
    "augmented major seventh": (0, 4, 8, 11),
    "augmented seventh": (0, 4, 8, 10),
    "seventh with flat five": (0, 4, 6, 10),
    "suspended seventh": (0, 5, 7, 10),
    "dominant ninth": (0, 2, 4, 7, 10),
    "major ninth": (0, 2, 4, 7, 11),
    "minor ninth": (0, 2, 3, 7, 10),
}
"""Pitch classes above the root. Two kinds with the same pitch classes on other roots are one: a minor seventh is also a
major chord with a sixth, and a suspended second a suspended fourth."""

_TRIADS = ("major", "minor", "diminished", "augmented")
OTHER = "other"


def chord_kind(pitches: Iterable[int]) -> str:
    """The kind of a chord, from its pitches or pitch classes. The root and the inversion do not count.

    A chord that is none of the kinds but has a triad in it has the kind of the triad, and a fifth with one more pitch
    class is a fifth. Everything else, such as a third alone, is ``other``. This is close to what
    ``music21.harmony.chordSymbolFigureFromChord`` finds, which also reads incomplete ninths.

    Example:
        >>> chord_kind([48, 64, 67, 72]), chord_kind([0, 2, 4, 7]), chord_kind([0, 4])
        ('major', 'major', 'other')
    """
    return _kind(frozenset(pitch % 12 for pitch in pitches))


@cache
def _kind(classes: frozenset[int]) -> str:
    above = [frozenset((pitch - root) % 12 for pitch in classes) for root in classes]
    for kind, intervals in _KINDS.items():
        if frozenset(intervals) in above:
            return kind
    for triad in _TRIADS:
        if any(chord.issuperset(_KINDS[triad]) for chord in above):
            return triad
    if len(classes) == 3 and any(chord.issuperset(_KINDS["fifth"]) for chord in above):
        return "fifth"
    return OTHER
