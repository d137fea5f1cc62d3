"""The bars of a roll, and where bars that are too short would begin if they were complete."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from pianoroll_seq2seq.meter import bar_ticks, begins_with_upbeat
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.signatures import TimeSignature


class MetricBars(NamedTuple):
    """The bars of a roll, in ticks.

    Attributes:
        begin: where each begins.
        origin: where it would begin if it were complete: before ``begin`` for an upbeat.
        length: of a complete bar of its signature.
        beat_length: of a beat of its signature.
    """

    begin: Float64[np.ndarray, " bars"]
    origin: Float64[np.ndarray, " bars"]
    length: Float64[np.ndarray, " bars"]
    beat_length: Float64[np.ndarray, " bars"]


def metric_bars(roll: PianoRoll, num_ticks: int) -> MetricBars:
    """The bars that begin before ``num_ticks``."""
    ticks_per_beat = roll.tempo.ticks_per_beat
    signatures = list(roll.meter.time_signatures)
    if not signatures or signatures[0].tick > 0:
        signatures.insert(0, TimeSignature(0))
    changes = np.array([one.tick for one in signatures], dtype=np.float64)
    beat_lengths = np.array([4 * ticks_per_beat / one.denominator for one in signatures])
    lengths = beat_lengths * [one.numerator for one in signatures]
    begin = bar_ticks(roll.meter, ticks_per_beat=ticks_per_beat, num_ticks=num_ticks).astype(np.float64)
    signature = np.searchsorted(changes, begin, side="right") - 1
    ticks_left = np.append(changes[1:], np.inf)[signature] - begin
    if begins_with_upbeat(roll.meter, ticks_per_beat=ticks_per_beat) and lengths[1] >= ticks_left[0]:
        signature[0] = 1
    length = lengths[signature]
    return MetricBars(begin, _origins(begin, length, ticks_left), length, beat_lengths[signature])


def _origins(begin: np.ndarray, length: np.ndarray, ticks_left: np.ndarray) -> np.ndarray:
    """Where the bars would begin if they were complete; ``ticks_left`` are those to the next signature."""
    origin = begin.copy()
    carried, last = 0.0, -1  # how much of an incomplete bar there was, up to the end of bar ``last``
    for bar in np.flatnonzero(ticks_left <= length - 1).tolist():
        rest = ticks_left[bar]
        if bar == 0:
            origin[bar] = begin[bar] + rest - length[bar]
            continue
        if last == bar - 1 and carried + rest <= length[bar]:
            origin[bar] -= carried
        carried, last = begin[bar] + rest - origin[bar], bar
    return origin
