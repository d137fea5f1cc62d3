"""The time and key signatures of a MIDI file, as its readers find them.

A signature that cannot be (a denominator of 2**255, a key of 100 flats, a tick past the last one) is left out: it
changes no note, and real files have them.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple

from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.midi_io.event_list import META, PADDING, STATUS_BITS, list_events
from pianoroll_seq2seq.midi_io.walk import CHANGE_KIND, KEY_SIGNATURE, TIME_SIGNATURE, number
from pianoroll_seq2seq.signatures import KeySignature, TimeSignature, is_key_signature, is_time_signature
from pianoroll_seq2seq.tempo import MAX_TICK

_KINDS = {0x58: TIME_SIGNATURE, 0x59: KEY_SIGNATURE}  # by the types of meta events
_TIME_FIELDS = ("time", "numerator", "denominator")
_KEY_FIELDS = ("time", "key", "tonality")
_FEW = 4
_LONGEST_SIGNATURE = 10  # bytes of a time signature whose length is written in four bytes
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
        times, keys = tuple(self.times), tuple(self.keys)
        return _known_meter(times, keys) if len(times) + len(keys) <= _FEW else _meter(times, keys)


def _meter(times: tuple[tuple[int, int, int], ...], keys: tuple[tuple[int, int, int], ...]) -> Meter:
    possible = {row for row in {row[1:] for row in times} if is_time_signature(*row)}
    times_on_tick = {row[0]: row for row in times if row[0] <= MAX_TICK and row[1:] in possible}
    possible = {row for row in {row[1:] for row in keys} if is_key_signature(*row)}
    keys_on_tick = {row[0]: row for row in keys if row[0] <= MAX_TICK and row[1:] in possible}
    return Meter(
        [TimeSignature(*row) for row in times_on_tick.values()],
        [KeySignature(tick, fifths, bool(minor)) for tick, fifths, minor in keys_on_tick.values()],
    )


_known_meter = lru_cache(maxsize=256)(_meter)  # thousands of files have the same few signatures

NO_SIGNATURES = Signatures()


def from_changes(changes: Iterable[tuple[int, int]]) -> Signatures:
    """The signatures that the careful reader found: the tick of each, and its kind and content as one number."""
    times, keys = [], []
    for tick, change in changes:
        first, second = change >> 16 & 0xFF, change >> 8 & 0xFF
        if change >> CHANGE_KIND == TIME_SIGNATURE:
            times.append((tick, first, 1 << second if second <= _LARGEST_POWER else 0))
        else:
            keys.append((tick, (first ^ 0x80) - 0x80, second))
    return Signatures(times, keys)


def from_symusic(data: bytes, parsed: Any, spans: Sequence[tuple[int, int]]) -> Signatures:
    """The signatures that symusic found; those of the file's events if symusic may have changed their order on a tick.

    Args:
        data: a whole MIDI file, with signatures of their usual lengths.
        parsed: what symusic made of it.
        spans: the first byte of each track's content and the byte after its last.
    """
    times = rows_of(parsed.time_signatures, _TIME_FIELDS)
    keys = rows_of(parsed.key_signatures, _KEY_FIELDS)
    if len(times) > 1 or len(keys) > 1:
        for rows in (times, keys):
            if len({row[0] for row in rows}) < len(set(rows)):
                return from_changes(islice(_listed(data, spans), len(times) + len(keys)))
    return Signatures(times, keys)


def rows_of(events: Any, fields: tuple[str, ...]) -> list[Any]:
    """Some fields of the tempi or signatures that symusic found: a tuple of integers for each."""
    count = len(events)
    if count <= _FEW:  # as most files have: a fifth of the time
        get = attrgetter(*fields)
        return [get(events[index]) for index in range(count)]
    columns = events.numpy()
    return list(zip(*(columns[field].tolist() for field in fields), strict=True))


def _listed(data: bytes, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The signatures among the events of each track, up to the last place that looks like one."""
    for begin, stop in spans:
        last = max(data.rfind(b"\xff\x58", begin, stop), data.rfind(b"\xff\x59", begin, stop))
        if last < 0:
            continue
        track = data[begin : min(last + _LONGEST_SIGNATURE, stop)] + PADDING
        size = len(track) - len(PADDING)
        rows = [0] * size, [0] * size
        count = list_events(track, 0, size, rows, 0)
        for tick, event in zip(rows[0][:count], rows[1][:count], strict=True):
            place = event >> STATUS_BITS
            kind = _KINDS.get(track[place]) if event & 0xFF == META else None
            if kind is not None:
                _, content = number(track, place + 1)
                yield tick, kind << CHANGE_KIND | track[content] << 16 | track[content + 1] << 8
