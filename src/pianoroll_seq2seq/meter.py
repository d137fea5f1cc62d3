"""The meter of a piece: its time and key signatures, and the bar lines and beats that follow from them."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Int64

from pianoroll_seq2seq.errors import LimitError, MidiError
from pianoroll_seq2seq.signatures import KeySignature, TimeSignature

_MOST_LINES = 10_000_000  # bar lines or beats of one piece
_SHOWN = 4  # in a message


_Signature = TypeVar("_Signature", TimeSignature, KeySignature)


@dataclass(frozen=True)
class Meter:
    """The time and key signatures of a piece. Empty where they are unknown; bars are then of 4/4, from tick 0.

    Signatures are sorted by tick, and the last one on a tick wins, so that equal meters compare equal.

    Args:
        time_signatures: in the order of the file.
        key_signatures: in the order of the file.

    Example:
        >>> meter = Meter([TimeSignature(0, 3, 4)], [KeySignature(0, fifths=2)])
        >>> bar_ticks(meter, ticks_per_beat=480, num_ticks=4320).tolist()
        [0, 1440, 2880]
    """

    time_signatures: tuple[TimeSignature, ...] = ()
    key_signatures: tuple[KeySignature, ...] = ()

    def __init__(
        self, time_signatures: Iterable[TimeSignature] = (), key_signatures: Iterable[KeySignature] = ()
    ) -> None:
        """Sorts the signatures."""
        object.__setattr__(self, "time_signatures", _normal(time_signatures))
        object.__setattr__(self, "key_signatures", _normal(key_signatures))

    def __repr__(self) -> str:
        """The first signatures."""
        times, keys = (
            ", ".join(f"{one} at {one.tick}" for one in some[:_SHOWN])
            + (f", ... {len(some) - _SHOWN} more" if len(some) > _SHOWN else "")
            for some in (self.time_signatures, self.key_signatures)
        )
        return f"Meter({times or 'no time signature'}; {keys or 'no key signature'})"

    def __bool__(self) -> bool:
        """Whether there are any signatures."""
        return bool(self.time_signatures or self.key_signatures)

    def to_dict(self) -> dict[str, list[list[int]]]:
        """The signatures as lists of integers, for JSON: tick, numerator, denominator; tick, fifths, minor (0 or 1)."""
        return {
            "time_signatures": [[one.tick, one.numerator, one.denominator] for one in self.time_signatures],
            "key_signatures": [[one.tick, one.fifths, int(one.minor)] for one in self.key_signatures],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Iterable[Sequence[int]]]) -> "Meter":
        """The meter that :meth:`to_dict` gave.

        Raises:
            MidiError: a signature out of range, or something else than such lists.
        """
        try:
            times = [
                TimeSignature(int(tick), int(top), int(low)) for tick, top, low in values.get("time_signatures", ())
            ]
            keys = [
                KeySignature(int(tick), int(fifths), bool(minor))
                for tick, fifths, minor in values.get("key_signatures", ())
            ]
        except (TypeError, ValueError, AttributeError) as error:
            if isinstance(error, MidiError):
                raise
            raise MidiError(
                f"Time signatures must be lists of tick, numerator, denominator, and key signatures of tick, fifths, "
                f"minor; got {values!r:.120}."
            ) from error
        return cls(times, keys)

    def transpose(self, semitones: int) -> "Meter":
        """The signatures of the same music some semitones higher, or lower below 0."""
        return Meter(self.time_signatures, [key.transpose(semitones) for key in self.key_signatures])

    def map_ticks(self, function: Callable[[list[int]], list[int]]) -> "Meter":
        """The signatures on the ticks that a function makes of theirs."""
        return Meter(_moved(self.time_signatures, function), _moved(self.key_signatures, function))

    def before_tick(self, tick: int) -> "Meter":
        """The signatures before ``tick``."""
        return Meter(
            [one for one in self.time_signatures if one.tick < tick],
            [one for one in self.key_signatures if one.tick < tick],
        )

    def from_tick(self, tick: int, *, ticks_per_beat: int) -> "Meter":
        """The signatures of the same music from ``tick`` on, which becomes tick 0.

        Bar lines stay where they are in the music: if ``tick`` is inside a bar, the time signature is repeated on the
        next bar line.

        Args:
            tick: below 0, the music comes later; before it are its first signatures.
            ticks_per_beat: ticks in a quarter note.
        """
        if tick == 0:
            return self
        times, keys = _shifted(self.time_signatures, -tick), _shifted(self.key_signatures, -tick)
        if tick < 0:
            return Meter([*_at_zero(self.time_signatures[:1]), *times], [*_at_zero(self.key_signatures[:1]), *keys])
        running = _running(self.time_signatures, tick)
        opening = []
        if running is not None:
            opening = [replace(running, tick=0)]
            line = _next_bar_line(running, tick, ticks_per_beat) - tick
            if line > 0 and not any(one.tick <= line for one in times):
                opening.append(replace(running, tick=line))
        key = _running(self.key_signatures, tick)
        return Meter([*opening, *times], [*([replace(key, tick=0)] if key else []), *keys])

    def concatenate(self, following: "Meter", tick: int, *, ticks_per_beat: int) -> "Meter":
        """These signatures up to ``tick``, then ``following``.

        A signature that only goes on is left out, so that a piece that was cut in two (:meth:`from_tick`) is what it
        was. Where ``following`` has no signatures, these last on.

        Args:
            following: the signatures from ``tick`` on, where its own tick 0 is.
            tick: where these end.
            ticks_per_beat: ticks in a quarter note.
        """
        before = self.before_tick(tick)
        times = [replace(one, tick=one.tick + tick) for one in following.time_signatures]
        keys = [replace(one, tick=one.tick + tick) for one in following.key_signatures]
        if before.time_signatures and times and _same(times[0], before.time_signatures[-1], tick):
            times = times[self._num_continuing(times, tick, ticks_per_beat) :]
        repeated = keys and before.key_signatures and _same(keys[0], before.key_signatures[-1], tick)
        if repeated and keys[0] not in self.key_signatures:
            keys = keys[1:]
        return Meter([*before.time_signatures, *times], [*before.key_signatures, *keys])

    def _num_continuing(self, times: Sequence[TimeSignature], tick: int, ticks_per_beat: int) -> int:
        """How many of the signatures from ``tick`` on, the first of them the one that counts there, change nothing."""
        running = _running(self.time_signatures, tick - 1)
        assert running is not None
        line = _next_bar_line(running, tick, ticks_per_beat)
        own = next((one.tick for one in self.time_signatures if one.tick >= tick), None)
        if own == tick:  # it was there before the music was cut
            return 0
        if line == tick:
            return 1
        if len(times) > 1 and times[1].tick <= (line if own is None else min(line, own)):  # the rest of a bar
            return 2 if own != line and _same(times[1], running, line) else 1
        return 0


def bar_ticks(meter: Meter, *, ticks_per_beat: int, num_ticks: int) -> Int64[np.ndarray, " bars"]:
    """The ticks on which bars begin, below ``num_ticks``. Bars before the first time signature are of 4/4.

    Args:
        meter: the time signatures.
        ticks_per_beat: ticks in a quarter note.
        num_ticks: the length of the music.

    Raises:
        LimitError: more than 10 million bars.
    """
    return _lines(meter, ticks_per_beat, num_ticks, bars=True)


def begins_with_upbeat(meter: Meter, *, ticks_per_beat: int) -> bool:
    """Whether the first bar is an upbeat, which scores do not count: they number the bar after it 1.

    It is if it is shorter than its time signature says, or has a shorter time signature of its own for this bar alone.

    Args:
        meter: the time signatures.
        ticks_per_beat: ticks in a quarter note.

    Example:
        >>> begins_with_upbeat(Meter([TimeSignature(0, 1, 4), TimeSignature(480, 4, 4)]), ticks_per_beat=480)
        True
    """
    first = _running(meter.time_signatures, 0) or TimeSignature(0)
    following = next((one for one in meter.time_signatures if one.tick > 0), None)
    if following is None:
        return False
    length, next_length = (Fraction(4 * ticks_per_beat * one.numerator, one.denominator) for one in (first, following))
    return following.tick < length or following.tick == length < next_length


def beat_ticks(meter: Meter, *, ticks_per_beat: int, num_ticks: int) -> Int64[np.ndarray, " beats"]:
    """The ticks on which beats begin, as the time signatures count them: six in a bar of 6/8. See :func:`bar_ticks`.

    Raises:
        LimitError: more than 10 million beats.
    """
    return _lines(meter, ticks_per_beat, num_ticks, bars=False)


def _normal(signatures: Iterable[_Signature]) -> tuple[_Signature, ...]:
    last_on_tick = {one.tick: one for one in signatures}
    return tuple(last_on_tick[tick] for tick in sorted(last_on_tick))


def _shifted(signatures: Iterable[_Signature], ticks: int) -> list[_Signature]:
    return [replace(one, tick=one.tick + ticks) for one in signatures if one.tick + ticks > 0]


def _moved(signatures: Sequence[_Signature], function: Callable[[list[int]], list[int]]) -> list[_Signature]:
    ticks = function([one.tick for one in signatures])
    return [replace(one, tick=tick) for one, tick in zip(signatures, ticks, strict=True)]


def _at_zero(signatures: Sequence[_Signature]) -> list[_Signature]:
    return [one for one in signatures if one.tick == 0]


def _running(signatures: Sequence[_Signature], tick: int) -> _Signature | None:
    """The signature that counts at a tick."""
    index = bisect_right(signatures, tick, key=lambda one: one.tick)
    return signatures[index - 1] if index else None


def _same(one: Any, other: Any, tick: int) -> bool:
    """Whether a signature says at ``tick`` what another says."""
    return bool(one == replace(other, tick=tick))


def _next_bar_line(running: TimeSignature, tick: int, ticks_per_beat: int) -> int:
    """The first bar line at or after a tick."""
    units_per_bar = 4 * ticks_per_beat * running.numerator
    bars = max((tick - running.tick) * running.denominator // units_per_bar, 0)
    while running.line_tick(bars * running.numerator, ticks_per_beat) < tick:
        bars += 1
    return running.line_tick(bars * running.numerator, ticks_per_beat)


def _lines(meter: Meter, ticks_per_beat: int, num_ticks: int, *, bars: bool) -> np.ndarray:
    """The lines of all time signatures, each up to the next."""
    signatures = [one for one in meter.time_signatures if one.tick < num_ticks]
    if not signatures or signatures[0].tick > 0:
        signatures.insert(0, TimeSignature(0))
    ends = [*(one.tick for one in signatures[1:]), num_ticks]
    lines, total = [], 0
    for signature, end in zip(signatures, ends, strict=True):
        units = 4 * ticks_per_beat * (signature.numerator if bars else 1)
        count = max(-(-(end - signature.tick) * signature.denominator // units), 0)
        total += count
        if total > _MOST_LINES:
            raise LimitError(
                f"more than {_MOST_LINES} {'bars' if bars else 'beats'} in {num_ticks} ticks, {ticks_per_beat} a "
                f"quarter note. Cut off what comes after the music: score.truncate(seconds=600)."
            )
        lines.append(signature.tick + np.arange(count, dtype=np.int64) * units // signature.denominator)
    found = np.concatenate(lines)
    return found if (found[1:] > found[:-1]).all() else np.unique(found)
