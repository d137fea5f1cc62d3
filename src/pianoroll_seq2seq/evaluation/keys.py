"""The key of a piece: its key signature, or an estimate from its pitches."""

from typing import NamedTuple

import numpy as np

from pianoroll_seq2seq.evaluation.pitched import merge_pitched
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.signatures import KeySignature

_MAJOR = (
    17.7661,
    0.145624,
    14.9265,
    0.160186,
    19.8049,
    11.3587,
    0.291248,
    22.062,
    0.145624,
    8.15494,
    0.232998,
    4.95122,
)
_MINOR = (18.2648, 0.737619, 14.0499, 16.8599, 0.702494, 14.4362, 0.702494, 18.6161, 4.56621, 1.93186, 7.37619, 1.75623)
"""Shares of the scale degrees in European folk songs, in percent: Aarden (2003), "Dynamic melodic expectancy"."""


class Key(NamedTuple):
    """A key.

    Attributes:
        tonic: its pitch class, 0 is C.
        minor: whether it is minor.
    """

    tonic: int
    minor: bool


def key_of(roll: PianoRoll) -> Key:
    """The key of the first key signature, or :func:`estimate_key` if the roll has none.

    Example:
        >>> from dataclasses import replace
        >>> from pianoroll_seq2seq import KeySignature, Meter
        >>> roll = PianoRoll.silent(4)
        >>> key_of(replace(roll, meter=Meter(key_signatures=[KeySignature(0, fifths=1, minor=True)])))
        Key(tonic=4, minor=True)
    """
    signatures = roll.meter.key_signatures
    return _key(signatures[0]) if signatures else estimate_key(roll)


def estimate_key(roll: PianoRoll) -> Key:
    """The key whose profile correlates most with the durations of the pitch classes; C major for silence.

    The method is that of Krumhansl and Schmuckler (Krumhansl, "Cognitive foundations of musical pitch", 1990), with the
    profiles of Aarden (2003), which are music21's default. Drums do not count.
    """
    merged = merge_pitched(roll)
    _, column = np.nonzero(merged.active)
    counts = np.bincount((column + merged.pitches.lowest) % 12, minlength=12).astype(np.float64)
    if np.ptp(counts) == 0:
        return Key(0, False)
    profiles = np.array([np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)])
    profiles = profiles - profiles.mean(axis=1, keepdims=True)
    fits = profiles @ (counts - counts.mean()) / np.linalg.norm(profiles, axis=1)
    best = int(fits.argmax())
    return Key(best % 12, best >= 12)


def _key(signature: KeySignature) -> Key:
    return Key((7 * signature.fifths + (9 if signature.minor else 0)) % 12, signature.minor)
