"""The careful reader: every event of every track, in a loop over bytes (:mod:`~pianoroll_seq2seq.midi_io.walk`).

It reports what symusic does not (channels, pedals, notes that never end), reads files that symusic refuses or misreads,
and can return the notes before a damaged place. In plain Python it takes some ten times as long as symusic; compiled
(:mod:`~pianoroll_seq2seq._internal.compiled`) it is faster than symusic.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq.midi_io.walk import (
    CUT,
    LONG_NUMBER,
    MAX_NUMBER_BYTES,
    NO_EVENT,
    NO_STATUS,
    SHORT_TEMPO,
    number,
    system_event,
    walk,
)

_PADDING = bytes(16)  # so that an event that is cut short can be parsed before its length is checked


class Events(NamedTuple):
    """The events of the tracks of a file.

    Attributes:
        onset_tick: the onset of each note, in the order of tracks and of note-on messages.
        end_tick: its end; -1 if it never ends.
        pitch: MIDI note numbers.
        velocity: 1..127.
        voice: track, channel and program at the onset, as one number (``VOICE_TRACK``, ``VOICE_CHANNEL``).
        tempi: (tick, microseconds per beat), in the file's order.
        pedal_track: the track of each sustain pedal event, in the file's order, if pedals were read.
        pedal_channel: its channel.
        pedal_tick: its tick.
        pedal_down: 1 if the pedal is down from there on.
        names: each track's name; the last one counts.
        ends: the tick of each track's last event that was read.
        damages: why reading each track stopped before its end, or None.
    """

    onset_tick: np.ndarray
    end_tick: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray
    voice: np.ndarray
    tempi: list[tuple[int, int]]
    pedal_track: np.ndarray
    pedal_channel: np.ndarray
    pedal_tick: np.ndarray
    pedal_down: np.ndarray
    names: list[bytes]
    ends: np.ndarray
    damages: list[str | None]


def read_events(
    data: bytes,
    spans: Sequence[tuple[int, int]],
    *,
    last_in_first_out: bool = False,
    pedals: bool = True,
) -> Events:
    """Reads the tracks of a file; stops in each at the first damage, and describes it.

    Args:
        data: the file.
        spans: the first byte of each track's content and the byte after its last.
        last_in_first_out: whether an end goes to the latest sounding note of its channel and pitch, rather
            than to the oldest.
        pedals: whether to read the sustain pedals.
    """
    compiled = loops.is_active()
    if not compiled:
        loops.count_bytes(loops.CAREFUL_WEIGHT * sum(end - begin for begin, end in spans))
    make_rows: Callable[[int, int], Any] = _arrays if compiled else _machine_arrays
    walk_track = loops.compiled(walk, number, system_event) if compiled else walk
    size = sum(end - begin for begin, end in spans)
    # A note or a pedal takes at least three bytes, a tempo seven.
    notes, tempi = make_rows(6, size // 3 + 1), make_rows(2, size // 7 + 1)
    pressed = make_rows(4, size // 3 + 1 if pedals else 0)
    sounding, programs = make_rows(2, 16 * 128), make_rows(1, 16)
    walked: Any = data + _PADDING
    if compiled:
        walked = np.frombuffer(walked, dtype=np.uint8)
    counts = [0, 0, 0]
    names, ends, damages = [], [], []
    for track, (begin, stop) in enumerate(spans):
        *counts, end_tick, name_begin, name_end, damage, where = walk_track(
            walked, begin, stop, track, last_in_first_out, pedals, notes, tempi, pressed, sounding, programs, *counts
        )
        names.append(data[name_begin:name_end])
        ends.append(end_tick)
        damages.append(_described(data, begin, stop, damage, where) if damage else None)
    onset, end, pitch, velocity, voice = _columns(notes[:5], counts[0])
    changes = zip(*(column.tolist() for column in _columns(tempi, counts[1])), strict=True)
    pedal_track, pedal_channel, pedal_tick, pedal_down = _columns(pressed, counts[2])
    return Events(
        onset_tick=onset,
        end_tick=end,
        pitch=pitch,
        velocity=velocity,
        voice=voice,
        tempi=list(changes),
        pedal_track=pedal_track,
        pedal_channel=pedal_channel,
        pedal_tick=pedal_tick,
        pedal_down=pedal_down,
        names=names,
        ends=np.array(ends, dtype=np.int64),
        damages=damages,
    )


def _columns(rows: Any, count: int) -> list[np.ndarray]:
    """The first ``count`` integers of each row."""
    return [np.frombuffer(row, np.int64, count) if count else np.zeros(0, np.int64) for row in rows]


def _arrays(rows: int, size: int) -> np.ndarray:
    """Zeros in rows, for compiled loops."""
    return np.zeros((rows, size), dtype=np.int64)


def _machine_arrays(rows: int, size: int) -> "list[array[int]]":
    """The same for plain Python, which takes twice as long with numpy's."""
    return [array("q", bytes(8 * size)) for _ in range(rows)]


def _described(data: bytes, begin: int, stop: int, damage: int, where: int) -> str:
    """The description of a damage in messages."""
    at = where - begin
    if damage == LONG_NUMBER:
        return f"the number at byte {at} has more than {MAX_NUMBER_BYTES} bytes"
    if damage == NO_STATUS:
        return f"byte {at} is data ({data[where]:#04x}) where an event should begin"
    if damage == SHORT_TEMPO:
        return f"the tempo at byte {at} has {number(data, where + 2)[0]} bytes, expected 3"
    if damage == NO_EVENT:
        return f"byte {at} is {data[where]:#04x}, which begins no event"
    assert damage == CUT
    return f"ends inside an event (after {stop - begin} bytes)"
