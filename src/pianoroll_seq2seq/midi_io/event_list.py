"""The events of a file as columns: all of them, whatever they are."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq.midi_io.rows import columns_of, machine_rows, numpy_rows
from pianoroll_seq2seq.midi_io.walk import END_OF_TRACK, number, system_event

META, FIRST_SYSTEM = 0xFF, 0xF0
"""The status of meta events, and the first of all events that are no message of a channel."""
PADDING = bytes(16)
"""What follows a file, so that an event that is cut short can be parsed before its length is checked."""
STATUS_BITS = 8
"""The bits of the status of an event that is one number; its place is in the bits above."""


class EventList(NamedTuple):
    """The events of tracks as columns, in the file's order.

    Attributes:
        tick: the tick of each.
        status: its status byte.
        place: the byte of the file after its status: the first of its data, or the type of a meta event.
    """

    tick: np.ndarray
    status: np.ndarray
    place: np.ndarray

    def where(self, keep: np.ndarray) -> "EventList":
        """The events for which ``keep`` is true."""
        return EventList(*(column[keep] for column in self))


def events_of(data: bytes, spans: Sequence[tuple[int, int]]) -> EventList:
    """All events, up to the end of each track or its damage."""
    active = loops.is_active()
    size = sum(end - begin for begin, end in spans) // 2 + len(spans) + 1
    rows = (numpy_rows if active else machine_rows)(2, size)
    walked: Any = data + PADDING
    if active:
        walked = np.frombuffer(walked, dtype=np.uint8)
    list_track: Callable[..., int] = loops.compiled(list_events, number, system_event) if active else list_events
    count = 0
    for begin, stop in spans:
        count = list_track(walked, begin, stop, rows, count)
    tick, event = columns_of(rows, count)
    return EventList(tick, event & (1 << STATUS_BITS) - 1, event >> STATUS_BITS)


def list_events(data: Any, begin: int, stop: int, rows: Any, count: int) -> int:
    """Lists the events of a track, up to its end or its damage: only integers and indices, for numba.

    Args:
        data: the file, with some bytes more.
        begin: the first byte of the track.
        stop: the byte after its last.
        rows: filled with the tick of each event, and with its status and the place of its data as one number.
        count: how many events there are already.

    Returns:
        How many there are then.
    """
    position, tick, running = begin, 0, 0
    while position < stop:
        delta, position = number(data, position)
        if position < 0 or position >= stop:
            break
        status, last = data[position] * 1, position
        if status >= FIRST_SYSTEM:
            kind, _, last = system_event(data, position)
            if kind < 0 or last > stop:
                break
            position += 1
        else:
            kind = 0
            if status >= 0x80:
                running = status
                position += 1
            elif running == 0:
                break
            status = running
            last = position + (1 if running & 0xE0 == 0xC0 else 2)
            if last > stop:
                break
        tick += delta
        rows[0][count] = tick
        rows[1][count] = position << STATUS_BITS | status
        count += 1
        position = last
        if kind == END_OF_TRACK:
            break
    return count
