"""The careful reader: every event of every track, in a loop of our own.

It knows what symusic leaves out (channels, pedals, notes that never end), reads what symusic refuses or
takes wrongly, and can give what stands before a damage. In plain Python it takes some eight times as long; compiled
(:mod:`~pianoroll_seq2seq.compiled`) it is quicker than symusic.

Beyond the standard it takes what real files hold: data bytes over 127 count as 127, running status goes on
after meta and system exclusive events, events after the end of track do not count, meta events that are not
needed are skipped whatever they say.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pianoroll_seq2seq import compiled as loops

# What a meta or system event is; below zero, why the events make no sense from there on.
_OTHER, _END_OF_TRACK, _TRACK_NAME, _TEMPO = 0, 1, 2, 3
_CUT, _LONG_NUMBER, _NO_STATUS, _SHORT_TEMPO, _NO_EVENT = -1, -2, -3, -4, -5

_MOST_DIGITS = 4  # bytes of a number
_BEHIND = bytes(16)  # so that an event cut short at the end of the data can be looked at before its end is
_KEYS = 16 * 128
_NOTE_ROWS, _TEMPO_ROWS, _PEDAL_ROWS = 6, 2, 4

VOICE_TRACK, VOICE_CHANNEL = 11, 7
"""How far a track and a channel are shifted to the left in the number of a voice; its lowest bits are the program."""


class Events(NamedTuple):
    """What the tracks of a file hold.

    Attributes:
        onset_tick: where each note is struck, in the order of tracks and of strikes.
        end_tick: where it ends; -1 if it never does.
        pitch: MIDI note numbers.
        velocity: 1..127.
        voice: track, channel and program at the strike, as one number (``VOICE_TRACK``, ``VOICE_CHANNEL``).
        tempi: (tick, microseconds per beat), in the file's order.
        pedal_track: of each sustain pedal event, in the file's order, if they were kept.
        pedal_channel: its channel.
        pedal_tick: where it stands.
        pedal_down: 1 if the pedal is down from there on.
        names: each track's name; the last one counts.
        ends: the tick of each track's last event that was read.
        damages: why reading a track stopped before its end, if it did.
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
    compiled: bool = False,
) -> Events:
    """Reads the tracks of a file; stops in each at the first damage, and says which.

    Args:
        data: the file.
        spans: where the content of each track begins and ends.
        last_in_first_out: whether an end goes to the latest sounding note of its channel and pitch, rather
            than to the oldest.
        pedals: whether the sustain pedals are kept.
        compiled: whether the loop is compiled.
    """
    make_rows: Callable[[int, int], Any] = _arrays if compiled else _machine_arrays
    walk_track = loops.compiled(walk, number, system_event) if compiled else walk
    size = sum(end - begin for begin, end in spans)
    # A note or a pedal takes three bytes at the least, a tempo seven.
    notes, tempi = make_rows(_NOTE_ROWS, size // 3 + 1), make_rows(_TEMPO_ROWS, size // 7 + 1)
    pressed = make_rows(_PEDAL_ROWS, size // 3 + 1 if pedals else 0)
    sounding, programs = make_rows(2, _KEYS), make_rows(1, 16)
    walked: Any = data + _BEHIND
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
    """The first so many integers of each row."""
    return [np.frombuffer(row, np.int64, count) if count else np.zeros(0, np.int64) for row in rows]


def _arrays(rows: int, size: int) -> np.ndarray:
    """Zeros in rows, for compiled loops."""
    return np.zeros((rows, size), dtype=np.int64)


def _machine_arrays(rows: int, size: int) -> "list[array[int]]":
    """The same for plain Python, which takes twice as long with numpy's."""
    return [array("q", bytes(8 * size)) for _ in range(rows)]


def _described(data: bytes, begin: int, stop: int, damage: int, where: int) -> str:
    """What a damage is called in messages."""
    at = where - begin
    if damage == _LONG_NUMBER:
        return f"the number at byte {at} has more than {_MOST_DIGITS} bytes"
    if damage == _NO_STATUS:
        return f"byte {at} is data ({data[where]:#04x}) where an event should begin"
    if damage == _SHORT_TEMPO:
        return f"the tempo at byte {at} has {number(data, where + 2)[0]} bytes, expected 3"
    if damage == _NO_EVENT:
        return f"byte {at} is {data[where]:#04x}, which begins no event"
    return f"ends inside an event (after {stop - begin} bytes)"


# What follows is compiled, too: whole numbers and indices alone.


def number(data: Any, position: int) -> tuple[int, int]:
    """A number of variable length, and the position after it; its own and -1 if it has more than four bytes."""
    value = 0
    for at in range(position, position + _MOST_DIGITS):
        byte = data[at]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + 1
    return position, -1


def system_event(data: Any, position: int) -> tuple[int, int, int]:  # noqa: PLR0911 (one return a kind of event)
    """What the meta or system event at ``position`` is, where its content begins, and where it ends.

    Of a damage, where it stands, and where what was looked at for it ends.
    """
    status = data[position]
    if status == 0xFF:
        kind = data[position + 1]
        if kind == 0x2F:
            return _END_OF_TRACK, position, position + 2
        length, content = number(data, position + 2)
        if content < 0:
            return _LONG_NUMBER, length, length + _MOST_DIGITS
        if kind == 0x51:
            return (_TEMPO, content, content + length) if length >= 3 else (_SHORT_TEMPO, position, content)
        return _TRACK_NAME if kind == 0x03 else _OTHER, content, content + length
    if status in (0xF0, 0xF7):
        length, content = number(data, position + 1)
        if content < 0:
            return _LONG_NUMBER, length, length + _MOST_DIGITS
        return _OTHER, content, content + length
    if status in (0xF4, 0xF5):
        return _NO_EVENT, position, position + 1
    data_bytes = 2 if status == 0xF2 else 1 if status in (0xF1, 0xF3) else 0
    return _OTHER, position, position + 1 + data_bytes


def walk(  # noqa: PLR0912, PLR0915, PLR0917 (one branch a kind of event; calls would double the time)
    data: Any,
    begin: int,
    stop: int,
    track: int,
    last_in_first_out: bool,
    pedals: bool,
    notes: Any,
    tempi: Any,
    pressed: Any,
    sounding: Any,
    programs: Any,
    note_count: int,
    tempo_count: int,
    pedal_count: int,
) -> tuple[int, int, int, int, int, int, int, int]:
    """Reads the events of a track.

    Notes go to the rows onset, end (-1 while they sound), pitch, velocity, voice and next. ``next`` is 1 more than
    the number of the note that waits behind this one for an end of the same channel and pitch, or 0; ``sounding``
    holds such numbers of the first and the last waiting for each such key, and the first are 0 again at the end.

    Returns:
        The three counts, the tick of the last event, where the name begins and ends, the damage (or 0), and where.
    """
    onsets, ends, pitches, velocities, voices, nexts = notes[0], notes[1], notes[2], notes[3], notes[4], notes[5]
    firsts, lasts, program_of = sounding[0], sounding[1], programs[0]
    for channel in range(16):
        program_of[channel] = 0
    position, tick, status, end_tick, waiting, note_begin = begin, 0, 0, 0, 0, note_count
    name_begin = name_end = damage = where = 0
    while position < stop:
        delta = data[position] * 1
        if delta < 0x80:
            position += 1
        else:
            delta, after = number(data, position)
            if after < 0:
                damage, where = _CUT if position + _MOST_DIGITS > stop else _LONG_NUMBER, position
                break
            position = after
        if position >= stop:
            damage = _CUT
            break
        byte = data[position] * 1
        if byte >= 0xF0:
            what, content, after = system_event(data, position)
            if after > stop or what < 0:
                damage, where = _CUT if after > stop else what, content
                break
            tick += delta
            end_tick = tick
            position = after
            if what == _END_OF_TRACK:
                break
            if what == _TRACK_NAME:
                name_begin, name_end = content, after
            elif what == _TEMPO:
                tempi[0][tempo_count] = tick
                tempi[1][tempo_count] = data[content] << 16 | data[content + 1] << 8 | data[content + 2]
                tempo_count += 1
            continue
        if byte >= 0x80:
            status = byte
            position += 1
        elif status == 0:
            damage, where = _NO_STATUS, position
            break
        kind = status & 0xF0
        after = position + 1 if kind in (0xC0, 0xD0) else position + 2
        if after > stop:
            damage = _CUT
            break
        tick += delta
        end_tick = tick
        first = min(data[position] * 1, 127)
        channel = status & 0x0F
        key = channel << 7 | first
        if kind == 0x90 and data[position + 1] > 0:
            onsets[note_count] = tick
            ends[note_count] = -1
            pitches[note_count] = first
            velocities[note_count] = min(data[position + 1] * 1, 127)
            voices[note_count] = track << 11 | channel << 7 | program_of[channel]
            note_count += 1
            if last_in_first_out:
                nexts[note_count - 1] = firsts[key]
                firsts[key] = note_count
            else:
                if firsts[key] == 0:
                    firsts[key] = note_count
                else:
                    nexts[lasts[key] - 1] = note_count
                lasts[key] = note_count
            waiting += 1
        elif kind <= 0x90:
            note = firsts[key] - 1
            if note >= 0:
                ends[note] = tick
                firsts[key] = nexts[note]
                waiting -= 1
        elif kind == 0xC0:
            program_of[channel] = first
        elif pedals and kind == 0xB0 and first == 64:
            pressed[0][pedal_count] = track
            pressed[1][pedal_count] = channel
            pressed[2][pedal_count] = tick
            pressed[3][pedal_count] = data[position + 1] >= 64
            pedal_count += 1
        position = after
    if waiting > 0:
        for note in range(note_begin, note_count):
            if ends[note] < 0:
                firsts[(voices[note] >> 7 & 15) << 7 | pitches[note]] = 0
    return note_count, tempo_count, pedal_count, end_tick, name_begin, name_end, damage, where
