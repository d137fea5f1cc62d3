"""The time and key signatures of a MIDI file, as its readers find them.

A signature that cannot be (a denominator of 2**255, a key of 100 flats, a tick past the last one) is left out: it
changes no note, and real files have them.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.midi_io.walk import CHANGE_KIND, TIME_SIGNATURE
from pianoroll_seq2seq.signatures import KeySignature, TimeSignature, is_key_signature, is_time_signature
from pianoroll_seq2seq.tempo import MAX_TICK

_ODD_LENGTH = re.compile(rb"\xff(?:\x58[^\x04]|\x59[^\x02])", re.DOTALL)
_LARGEST_POWER = 7  # of the denominators of 2 that are accepted


class Signatures(NamedTuple):
    """The signatures of a file, in its order.

    Attributes:
        times: (tick, numerator, denominator), with a denominator of 0 for one that is not accepted.
        keys: (tick, fifths, minor).
    """

    times: Sequence[tuple[int, int, int]] = ()
    keys: Sequence[tuple[int, int, int]] = ()

    def meter(self) -> Meter:
        """The signatures that can be; of several on one tick the last."""
        times = {row[0]: row for row in self.times if row[0] <= MAX_TICK and is_time_signature(*row[1:])}
        keys = {row[0]: row for row in self.keys if row[0] <= MAX_TICK and is_key_signature(*row[1:])}
        return Meter(
            [TimeSignature(*row) for row in times.values()],
            [KeySignature(tick, fifths, bool(minor)) for tick, fifths, minor in keys.values()],
        )


NO_SIGNATURES = Signatures()
NO_METER = Meter()


def from_events(ticks: np.ndarray, values: np.ndarray) -> Signatures:
    """The signatures that the careful reader found.

    Args:
        ticks: their ticks.
        values: the kind of each and the first two bytes of its content, as one number (``CHANGE_KIND``).
    """
    times, keys = [], []
    for tick, value in zip(ticks.tolist(), values.tolist(), strict=True):
        first, second = value >> 16 & 0xFF, value >> 8 & 0xFF
        if value >> CHANGE_KIND == TIME_SIGNATURE:
            times.append((tick, first, 1 << second if second <= _LARGEST_POWER else 0))
        else:
            keys.append((tick, (first ^ 0x80) - 0x80, second))
    return Signatures(times, keys)


def from_symusic(data: bytes, parsed: Any) -> Signatures | None:
    """The signatures that symusic found; None if they may not be those of the file.

    It reads two bytes of a signature whatever its length is, and may return those of one tick in another order than
    the file's.
    """
    if b"\xff\x58" not in data and b"\xff\x59" not in data:
        return NO_SIGNATURES
    if _ODD_LENGTH.search(data):
        return None
    times = [(one.time, one.numerator, one.denominator) for one in parsed.time_signatures]
    keys = [(one.time, one.key, one.tonality) for one in parsed.key_signatures]
    for rows in (times, keys):
        if len(rows) > 1 and len({row[0] for row in rows}) < len(set(rows)):
            return None
    return Signatures(times, keys)
