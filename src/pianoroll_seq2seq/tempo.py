"""Ticks and exact time.

A MIDI tick lasts ``us_per_beat / ticks_per_beat`` microseconds, which is rarely a whole number. So time is counted in
*time units* of ``1 us / ticks_per_beat``: a tick lasts exactly ``us_per_beat`` units, all sums are sums of integers,
and no rounding error can move a note to another frame.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int, Int64

from pianoroll_seq2seq.errors import MidiError

DEFAULT_US_PER_BEAT = 500_000
"""Microseconds a beat until the first tempo event (120 BPM), as the MIDI file standard says."""

DEFAULT_TICKS_PER_BEAT = 480
"""Ticks in a quarter note, unless more are needed."""

MAX_TICKS_PER_BEAT = 32_767
"""The most ticks in a quarter note that a MIDI file can have."""

MAX_TICK = 2**31 - 1
"""The last tick that is accepted, since symusic counts ticks in 32 bits: hours to years into the music.
Time units up to it fit in 64-bit integers at any tempo."""

_US_PER_BEAT_LIMIT = 2**24  # which a MIDI file cannot have
_CHANGES_SHOWN = 4  # in a message


@dataclass(frozen=True)
class TempoMap:
    """The tempo at every tick, which converts ticks to time.

    ``changes`` are normalized, so that equal maps compare equal: they are sorted by tick, the last one on a tick wins,
    changes to the same tempo are dropped, and the first is at tick 0.

    Args:
        ticks_per_beat: ticks in a quarter note (the file's "division"), 1 to 32,767.
        changes: pairs of (tick, microseconds per beat), in the order of the file.

    Raises:
        MidiError: ticks per beat, a tick or a tempo out of range.

    Example:
        >>> tempo = TempoMap(480, [(480, 250_000)])
        >>> tempo.changes
        ((0, 500000), (480, 250000))
        >>> tempo.seconds(np.array([0, 480, 960])).tolist()
        [0.0, 0.5, 0.75]
    """

    ticks_per_beat: int = DEFAULT_TICKS_PER_BEAT
    changes: tuple[tuple[int, int], ...] = ()

    def __init__(self, ticks_per_beat: int = DEFAULT_TICKS_PER_BEAT, changes: Iterable[tuple[int, int]] = ()) -> None:
        """Validates the values and normalizes the changes."""
        if not 1 <= ticks_per_beat <= MAX_TICKS_PER_BEAT:
            raise MidiError(f"ticks_per_beat must be in 1..{MAX_TICKS_PER_BEAT}, got {ticks_per_beat}.")
        last_on_tick: dict[int, int] = {0: DEFAULT_US_PER_BEAT}
        for tick, us_per_beat in changes:
            if not 0 <= tick <= MAX_TICK or not 1 <= us_per_beat < _US_PER_BEAT_LIMIT:
                raise MidiError(
                    f"A tempo change needs a tick in 0..{MAX_TICK} and 1..16777215 microseconds per beat, "
                    f"got {us_per_beat} at tick {tick}."
                )
            last_on_tick[int(tick)] = int(us_per_beat)
        normal: list[tuple[int, int]] = []
        for tick, us_per_beat in sorted(last_on_tick.items()):
            if not normal or normal[-1][1] != us_per_beat:
                normal.append((tick, us_per_beat))
        object.__setattr__(self, "ticks_per_beat", int(ticks_per_beat))
        object.__setattr__(self, "changes", tuple(normal))

    def __repr__(self) -> str:
        """The ticks per beat and the first changes."""
        shown = ", ".join(map(str, self.changes[:_CHANGES_SHOWN]))
        more = len(self.changes) - _CHANGES_SHOWN
        left = "," if len(self.changes) == 1 else f", ... {more} more" if more > 0 else ""
        return f"TempoMap(ticks_per_beat={self.ticks_per_beat}, changes=({shown}{left}))"

    @classmethod
    def from_bpm(cls, beats_per_minute: float, *, ticks_per_beat: int = DEFAULT_TICKS_PER_BEAT) -> "TempoMap":
        """A constant tempo, rounded to whole microseconds per beat, as MIDI stores it.

        Raises:
            MidiError: a tempo of 0 or below, or out of MIDI's range.
        """
        if not beats_per_minute > 0:
            raise MidiError(f"beats_per_minute must be above 0, got {beats_per_minute!r}.")
        return cls(ticks_per_beat, [(0, round(60_000_000 / beats_per_minute))])

    @classmethod
    def from_beats(
        cls, seconds: Sequence[float] | Float64[np.ndarray, " beats"], *, ticks_per_beat: int = DEFAULT_TICKS_PER_BEAT
    ) -> "TempoMap":
        """The tempo of music whose beats are at known times, such as those of a beat tracker or an annotation.

        The tempo changes on beats only. Before the first beat there are as many beats of equal length as fit best to
        the distance of the first two, so that the first beat is on a multiple of ``ticks_per_beat``, too. After the
        last beat the tempo stays that of the last two.

        Args:
            seconds: the time of each beat, in ascending order from 0 on, at least two; rounded to microseconds.
            ticks_per_beat: ticks from one beat to the next.

        Raises:
            MidiError: fewer than two beats, a time below 0, or two beats out of order or over 16.7 seconds apart.

        Example:
            >>> tempo = TempoMap.from_beats([0.5, 1.0, 1.6])
            >>> tempo.seconds(np.array([480, 960, 1440])).tolist()
            [0.5, 1.0, 1.6]
        """
        times = np.asarray(seconds, dtype=np.float64)
        if times.ndim != 1 or len(times) < 2 or not np.isfinite(times).all() or times[0] < 0:
            raise MidiError(f"The beats must be at least two times, in seconds from 0 on; got {seconds!r:.80}.")
        before = max(round(times[0] / (times[1] - times[0])), 1) if 0 < times[0] < times[1] else 0
        lead = np.linspace(0, times[0], before, endpoint=False)
        microseconds = np.rint(np.concatenate([lead, times]) * 1e6)
        lengths = np.diff(microseconds)
        wrong = (lengths < 1) | (lengths >= _US_PER_BEAT_LIMIT)
        if wrong.any():
            beat = int(np.argmax(wrong)) + 1
            raise MidiError(
                f"Each beat must come after the one before it, by at most 16.7 seconds; there is one at "
                f"{microseconds[beat - 1] / 1e6:g} s, and the next is at {microseconds[beat] / 1e6:g} s."
            )
        return cls(ticks_per_beat, ((beat * ticks_per_beat, int(us)) for beat, us in enumerate(lengths)))

    @cached_property
    def _segment_ticks(self) -> Int64[np.ndarray, " segment"]:
        return np.array([tick for tick, _ in self.changes], dtype=np.int64)

    @cached_property
    def _segment_us_per_beat(self) -> Int64[np.ndarray, " segment"]:
        return np.array([us for _, us in self.changes], dtype=np.int64)

    @cached_property
    def _segment_units(self) -> Int64[np.ndarray, " segment"]:
        """Time units at which each segment begins."""
        units = [0]
        for (tick, us_per_beat), (next_tick, _) in pairwise(self.changes):
            units.append(units[-1] + (next_tick - tick) * us_per_beat)
        return np.array(units, dtype=np.int64)

    @cached_property
    def _segment_offsets(self) -> Int64[np.ndarray, " segment"]:
        """The offset of each segment: its units are ``us_per_beat * tick + offset``."""
        offsets: Int64[np.ndarray, " segment"] = self._segment_units - self._segment_ticks * self._segment_us_per_beat
        return offsets

    def time_units(self, ticks: Int[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
        """The exact time of each tick, in units of ``1 us / ticks_per_beat``."""
        ticks = np.asarray(ticks, dtype=np.int64)
        if len(self.changes) == 1:
            return ticks * self.changes[0][1]
        segment = np.searchsorted(self._segment_ticks, ticks, side="right")
        segment -= 1
        units: Int64[np.ndarray, " n"] = self._segment_us_per_beat[segment]
        units *= ticks
        units += self._segment_offsets[segment]
        return units

    def seconds(self, ticks: Int[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """The time of each tick in seconds, rounded to a float; for display, not for further computation."""
        return self.time_units(ticks) / (1e6 * self.ticks_per_beat)

    def nearest_ticks(self, numerator: np.ndarray, denominator: int = 1) -> Int64[np.ndarray, " n"]:
        """The tick nearest to each time, halves up.

        Args:
            numerator: times, in time units times ``denominator``; shape (n,), int64 or Python integers.
            denominator: fractions of a time unit.
        """
        times = widen(numerator, 4 * max(denominator, 1))
        starts = widen(self._segment_units, 4 * denominator) * denominator
        segment = np.searchsorted(starts, times, side="right") - 1
        us_per_beat = widen(self._segment_us_per_beat[segment], 4 * denominator) * denominator
        since = divide_half_up(times - starts[segment], us_per_beat)
        return self._segment_ticks[segment] + since.astype(np.int64)

    def converted(self, ticks: Int[np.ndarray, " n"], other: "TempoMap") -> Int64[np.ndarray, " n"]:
        """The ticks of another map that are nearest to the times of ticks of this one, halves up.

        Raises:
            MidiError: a time after the last tick of the other map.
        """
        times = widen(self.time_units(ticks), other.ticks_per_beat) * other.ticks_per_beat
        if int(times.max(initial=0)) > int(other.time_units(np.array([MAX_TICK]))[0]) * self.ticks_per_beat:
            raise MidiError(f"At {other} the music goes on after tick {MAX_TICK}, the last one.")
        return other.nearest_ticks(times, self.ticks_per_beat)

    def us_per_beat_at(self, tick: int) -> int:
        """Microseconds per beat at ``tick``."""
        return int(self._segment_us_per_beat[np.searchsorted(self._segment_ticks, tick, side="right") - 1])

    def from_tick(self, tick: int) -> "TempoMap":
        """The tempo of the same music from ``tick`` on, which becomes tick 0.

        Args:
            tick: below 0, the music comes later; before it is its first tempo. Changes past the last tick are lost.
        """
        if tick == 0 or len(self.changes) == 1:
            return self
        later = [(at - tick, us) for at, us in self.changes if at > max(tick, 0) and at - tick <= MAX_TICK]
        return TempoMap(self.ticks_per_beat, [(0, self.us_per_beat_at(max(tick, 0))), *later])

    def concatenate(self, following: "TempoMap", tick: int) -> "TempoMap":
        """This map up to ``tick``, then ``following``.

        Args:
            following: the tempo from ``tick`` on, where its own tick 0 is.
            tick: where this map ends.

        Raises:
            MidiError: maps with different ticks per beat.
        """
        if following.ticks_per_beat != self.ticks_per_beat:
            raise MidiError(
                f"Cannot concatenate tempo maps with {self.ticks_per_beat} and {following.ticks_per_beat} ticks per "
                f"beat."
            )
        earlier = [change for change in self.changes if change[0] < tick]
        return TempoMap(self.ticks_per_beat, [*earlier, *((at + tick, us) for at, us in following.changes)])


def divide_half_up(numerator: np.ndarray, denominator: np.ndarray | int) -> np.ndarray:
    """``numerator / denominator`` to the nearest integer, halves up, in exact integers."""
    if isinstance(denominator, int) and denominator >= 2**61:
        numerator = numerator.astype(object)
    return (2 * numerator + denominator) // (2 * denominator)


def widen(values: np.ndarray, factor: int) -> np.ndarray:
    """``values`` in a type in which they can be multiplied by ``factor`` exactly.

    That is int64 if it suffices, else Python's unbounded integers (slower).
    """
    values = np.asarray(values)
    if values.dtype == object or max(int(values.max(initial=1)), -int(values.min(initial=0))) * factor >= 2**62:
        return values.astype(object)
    return values.astype(np.int64, copy=False)
