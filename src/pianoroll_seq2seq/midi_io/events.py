"""The careful reader: every event of every track, in a loop over bytes (:mod:`~pianoroll_seq2seq.midi_io.walk`).

It reports what symusic does not (channels, pedals, notes that never end), reads files that symusic refuses or misreads,
and can return the notes before a damaged place. In plain Python it takes some ten times as long as symusic; compiled
(:mod:`~pianoroll_seq2seq._internal.compiled`) it is faster than symusic.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq.errors import LimitError
from pianoroll_seq2seq.midi_io.event_list import PADDING
from pianoroll_seq2seq.midi_io.rows import columns_of, machine_rows, numpy_rows
from pianoroll_seq2seq.midi_io.signature_events import NO_SIGNATURES, Signatures, from_changes
from pianoroll_seq2seq.midi_io.walk import (
    CHANGE_KIND,
    CUT,
    LAST_MOMENT,
    LONG_NUMBER,
    MAX_NUMBER_BYTES,
    MESSAGE_BITS,
    NO_EVENT,
    NO_STATUS,
    PLACE_BITS,
    SHORT_TEMPO,
    exclusive_message,
    number,
    system_event,
    walk,
)

_FIRST_SIGNATURE = 1 << CHANGE_KIND  # the lowest number of a change that is no tempo
_FEW = 64  # numbers that a set counts faster than numpy
_VOICE_BYTES = 7  # at least: a program and the beginning of a note


class Events(NamedTuple):
    """The events of the tracks of a file.

    A moment is a tick and a place in the file as one number (:func:`moments`): the order in which a player that reads
    all tracks at once meets the events.

    Attributes:
        onset_tick: the onset of each note, in the order of tracks and of note-on messages.
        end_tick: its end; -1 if it never ends.
        pitch: MIDI note numbers.
        velocity: 1..127.
        voice: track, channel, drums and program at the onset, as one number (``VOICE_TRACK``, ``VOICE_CHANNEL``),
            as far as its own track says.
        onset_place: the byte of the note-on message.
        end_place: the byte of the message that ends it, if it ends.
        tempi: (tick, microseconds per beat), in the file's order.
        signatures: the time and key signatures.
        message_moment: when each message of a channel comes, in the file's order.
        message: its kind, channel and value, as one number (:mod:`~pianoroll_seq2seq.midi_io.channel_messages`).
        kinds: the kinds of messages as bits; of programs, only others than 0 count.
        names: each track's name; the last one counts.
        ends: the tick of each track's last event that was read.
        damages: why reading each track stopped before its end, or None.
    """

    onset_tick: np.ndarray
    end_tick: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray
    voice: np.ndarray
    onset_place: np.ndarray
    end_place: np.ndarray
    tempi: list[tuple[int, int]]
    signatures: Signatures
    message_moment: np.ndarray
    message: np.ndarray
    kinds: int
    names: list[bytes]
    ends: np.ndarray
    damages: list[str | None]

    def has(self, *kinds: int) -> bool:
        """Whether there are messages of these kinds."""
        return any(self.kinds >> kind & 1 for kind in kinds)


def moments(tick: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Ticks and places in the file as one number each."""
    combined: np.ndarray = np.minimum(tick, LAST_MOMENT) << PLACE_BITS | place
    return combined


def read_events(
    data: bytes,
    spans: Sequence[tuple[int, int]],
    *,
    last_in_first_out: bool = False,
    pedals: bool = True,
    limits: np.ndarray | None = None,
    max_parts: int | None = None,
) -> Events:
    """Reads the tracks of a file; stops in each at the first damage, and describes it.

    Args:
        data: the file.
        spans: the first byte of each track's content and the byte after its last.
        last_in_first_out: whether an end goes to the latest sounding note of its channel and pitch, rather
            than to the oldest.
        pedals: whether to read the sustain pedals.
        limits: the moment after which each note no longer waits for its end.
        max_parts: the most voices that the tracks may have; as many as there are, if None.

    Raises:
        LimitError: more voices. The rest of the tracks is not read.
    """
    compiled = loops.is_active()
    size = sum(end - begin for begin, end in spans)
    if not compiled:
        loops.count_bytes(loops.CAREFUL_WEIGHT * size)
    make_rows: Callable[[int, int], Any] = numpy_rows if compiled else machine_rows
    walk_track = loops.compiled(walk, number, system_event, exclusive_message) if compiled else walk
    # A note takes at least three bytes, a key signature six, a program two.
    notes, changes, messages = make_rows(8, size // 3 + 1), make_rows(2, size // 6 + 1), make_rows(2, size // 2 + 1)
    sounding, states = make_rows(2, 16 * 128), make_rows(1, 16)
    waits: Any = np.zeros(0, dtype=np.int64) if limits is None else limits
    walked: Any = data + PADDING
    if compiled:
        walked = np.frombuffer(walked, dtype=np.uint8)
        sounding[0] = 0
    else:
        waits = waits.tolist()
    counts = [0, 0, 0, 0]
    num_voices = 0
    if max_parts is not None and size <= _VOICE_BYTES * max_parts:
        max_parts = None
    names, ends, damages = [], [], []
    arrays = (notes, changes, messages, waits, sounding, states)
    for track, (begin, stop) in enumerate(spans):
        earlier = counts[0]
        *counts, end_tick, name_begin, name_end, damage, where = walk_track(
            walked, begin, stop, track, last_in_first_out, pedals, limits is not None, *arrays, *counts
        )
        if max_parts is not None and counts[0] > earlier:
            num_voices += _num_different(notes[4][earlier : counts[0]])
            check_num_parts(num_voices, max_parts)
        names.append(data[name_begin:name_end])
        ends.append(end_tick)
        damages.append(_described(data, begin, stop, damage, where) if damage else None)
    onset, end, pitch, velocity, voice, onset_place, end_place = columns_of(notes[:7], counts[0])
    rows = list(zip(*(column.tolist() for column in columns_of(changes, counts[1])), strict=True))
    tempi = [row for row in rows if row[1] < _FIRST_SIGNATURE]
    signatures = NO_SIGNATURES
    if len(tempi) < len(rows):
        signatures = from_changes(row for row in rows if row[1] >= _FIRST_SIGNATURE)
    message_tick, message = columns_of(messages, counts[2])
    return Events(
        onset_tick=onset,
        end_tick=end,
        pitch=pitch,
        velocity=velocity,
        voice=voice,
        onset_place=onset_place,
        end_place=end_place,
        tempi=tempi,
        signatures=signatures,
        message_moment=moments(message_tick, message >> MESSAGE_BITS) if counts[2] else message_tick,
        message=message & (1 << MESSAGE_BITS) - 1 if counts[2] else message,
        kinds=counts[3],
        names=names,
        ends=np.array(ends, dtype=np.int64),
        damages=damages,
    )


def _num_different(numbers: Any) -> int:
    """The number of different integers."""
    return len(set(numbers)) if len(numbers) < _FEW else len(np.unique(numbers))


def check_num_parts(num_parts: int, max_parts: int) -> None:
    """Validates the number of parts.

    Raises:
        LimitError: too many.
    """
    if num_parts > max_parts:
        raise LimitError(
            f"more than {max_parts} parts (tracks, each on one channel with one program). If it is music, pass "
            f"limits=Limits(max_parts=...)."
        )


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
