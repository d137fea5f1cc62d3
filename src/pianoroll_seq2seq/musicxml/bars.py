"""The bars of a score."""

from collections.abc import Sequence
from math import gcd, lcm
from typing import NamedTuple

import numpy as np

from pianoroll_seq2seq.errors import LimitError
from pianoroll_seq2seq.meter import begins_with_upbeat
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.signatures import TimeSignature

_MOST_BARS = 500_000  # of all parts together


class Bars(NamedTuple):
    """The bars of all parts, and their content, in ticks so fine that all bar lines are whole ticks."""

    lines: np.ndarray
    """The beginnings of all bars, and the end of the last."""
    ticks_per_beat: int
    scale: int
    """How many of these ticks are one of the score."""
    times: dict[int, TimeSignature]
    """The time signatures that are written, by the index of their bar."""
    is_upbeat: bool


def bars_of(score: Score) -> Bars:
    """The bars from tick 0 to the one in which the music ends.

    Raises:
        LimitError: more than half a million bars in all parts.
    """
    most = _MOST_BARS // max(len(score.parts), 1)
    end = max(score.num_ticks, int(score.notes.onset_tick.max(initial=0)) + 1)
    signatures = [one for one in score.meter.time_signatures if one.tick < end]
    beats = score.ticks_per_beat
    scale = lcm(*(one.denominator // gcd(one.denominator, 4 * beats * one.numerator) for one in signatures))
    whole, end = 4 * beats * scale, end * scale
    all_signatures = signatures
    if not signatures or signatures[0].tick > 0:
        all_signatures = [TimeSignature(0), *signatures]
    lines = []
    num_bars = 0
    for one, following in zip(all_signatures, [*all_signatures[1:], None], strict=True):
        start, length = one.tick * scale, whole * one.numerator // one.denominator
        stop = end if following is None else following.tick * scale
        num_bars += -(-(stop - start) // length)
        if num_bars > most:
            raise LimitError(
                f"more than {most} bars in each of its parts. Cut off what comes after the music: "
                f"score.truncate(seconds=600)."
            )
        lines.append(np.arange(start, stop, length))
    last = all_signatures[-1]
    lines.append(lines[-1][-1:] + whole * last.numerator // last.denominator)
    found = np.concatenate(lines)
    is_upbeat = len(found) > 2 and begins_with_upbeat(score.meter, ticks_per_beat=beats)
    return Bars(found, beats * scale, scale, _written_times(signatures, found, whole, scale), is_upbeat)


def _written_times(
    signatures: Sequence[TimeSignature], lines: np.ndarray, whole: int, scale: int
) -> dict[int, TimeSignature]:
    """The signatures by bar, but for those that only begin a bar after one of another length, such as an upbeat."""
    written = {}
    running = None
    for one in signatures:
        bar = int(np.searchsorted(lines, one.tick * scale))
        fraction = (one.numerator, one.denominator)
        if fraction == running and int(lines[bar] - lines[bar - 1]) != whole * one.numerator // one.denominator:
            continue
        written[bar] = one
        running = fraction
    return written
