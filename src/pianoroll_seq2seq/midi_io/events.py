"""The careful reader: a track's bytes, event by event, in plain Python.

It knows what symusic leaves out (channels, pedals, notes that never end), reads what symusic refuses or
takes wrongly, and can give what stands before a damage. It takes some eight times as long.

Beyond the standard it takes what real files hold: data bytes over 127 count as 127, running status goes on
after meta and system exclusive events, events after the end of track do not count, meta events that are not
needed are skipped whatever they say.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field

_MOST_DELTA_BYTES = 4
_SUSTAIN = 64
_TRACK_NAME, _END_OF_TRACK, _TEMPO = 0x03, 0x2F, 0x51
_SYSTEM_LENGTHS = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0} | dict.fromkeys(range(0xF8, 0xFF), 0)


Struck = tuple[int, int, int]
"""A note that sounds: onset_tick, velocity, program."""


@dataclass
class TrackEvents:
    """What a track holds.

    Attributes:
        notes: (onset_tick, end_tick, pitch, velocity) by (channel, program at the onset).
        unended: the same for notes that never end, ended where the track does.
        tempi: (tick, microseconds per beat), in order.
        pedals: (tick, whether it is down) by channel, in order.
        name: the track's name as bytes; the last one counts.
        end_tick: where the last event that was read stands.
        damage: why reading stopped before the end, if it did.
    """

    notes: dict[tuple[int, int], list[tuple[int, int, int, int]]] = field(default_factory=lambda: defaultdict(list))
    unended: dict[tuple[int, int], list[tuple[int, int, int, int]]] = field(default_factory=lambda: defaultdict(list))
    tempi: list[tuple[int, int]] = field(default_factory=list)
    pedals: dict[int, list[tuple[int, bool]]] = field(default_factory=lambda: defaultdict(list))
    name: bytes = b""
    end_tick: int = 0
    damage: str | None = None


class _DamageError(Exception):
    """A place at which the events make no sense."""


def read_events(track: bytes, *, last_in_first_out: bool = False) -> TrackEvents:
    """Reads a track chunk's content; stops at the first damage and says which.

    Args:
        track: the bytes of the chunk, without its name and length.
        last_in_first_out: whether an end goes to the latest sounding note of its channel and pitch, rather
            than to the oldest.
    """
    events = TrackEvents()
    sounding: dict[int, deque[Struck]] = defaultdict(deque)
    try:
        _walk(track, events, sounding, last_in_first_out)
    except IndexError:
        events.damage = f"ends inside an event (after {len(track)} bytes)"
    except _DamageError as damage:
        events.damage = str(damage)
    for key, waiting in sounding.items():
        for onset_tick, velocity, program in waiting:
            events.unended[key >> 7, program].append((onset_tick, events.end_tick, key & 127, velocity))
    return events


def _walk(  # noqa: PLR0912 (one branch a kind of event; calls would double the time)
    track: bytes, events: TrackEvents, sounding: dict[int, deque[Struck]], last_in_first_out: bool
) -> None:
    """The loop over events. An IndexError says that the track ends inside one."""
    notes, programs = events.notes, [0] * 16
    position, tick, status = 0, 0, 0
    size = len(track)
    while position < size:
        byte = track[position]
        if byte < 0x80:
            delta, position = byte, position + 1
        else:
            delta, position = _number(track, position)
        byte = track[position]
        if byte >= 0xF0:
            events.end_tick = tick + delta
            if byte == 0xFF and track[position + 1] == _END_OF_TRACK:
                return
            position = _skip_or_keep(track, position, tick + delta, events)
            tick += delta
            continue
        if byte >= 0x80:
            status = byte
            position += 1
        elif not status:
            raise _DamageError(f"byte {position} is data ({byte:#04x}) where an event should begin")
        if status < 0xA0:
            pitch, velocity = track[position], track[position + 1]
            position += 2
            tick += delta
            channel = status & 0x0F
            key = channel << 7 | (pitch if pitch < 0x80 else 127)
            if status >= 0x90 and velocity:
                sounding[key].append((tick, velocity if velocity < 0x80 else 127, programs[channel]))
            elif waiting := sounding.get(key):
                onset_tick, velocity, program = waiting.pop() if last_in_first_out else waiting.popleft()
                notes[channel, program].append((onset_tick, tick, key & 127, velocity))
        else:
            kind = status & 0xF0
            first = track[position]
            position += 1
            if kind not in (0xC0, 0xD0):
                second = track[position]
                position += 1
                if kind == 0xB0 and first == _SUSTAIN:
                    events.pedals[status & 0x0F].append((tick + delta, second >= 64))
            elif kind == 0xC0:
                programs[status & 0x0F] = min(first, 127)
            tick += delta
        events.end_tick = tick


def _number(track: bytes, position: int) -> tuple[int, int]:
    """A number of variable length, and the position after it."""
    value = 0
    for at in range(position, position + _MOST_DELTA_BYTES):
        byte = track[at]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + 1
    raise _DamageError(f"the number at byte {position} has more than {_MOST_DELTA_BYTES} bytes")


def _skip_or_keep(track: bytes, position: int, tick: int, events: TrackEvents) -> int:
    """Reads a meta or system event; gives the position after it."""
    status = track[position]
    if status in _SYSTEM_LENGTHS:
        end = position + 1 + _SYSTEM_LENGTHS[status]
    elif status in (0xF0, 0xF7):
        length, start = _number(track, position + 1)
        end = start + length
    elif status == 0xFF:
        kind = track[position + 1]
        length, start = _number(track, position + 2)
        end = start + length
        content = track[start:end]
        if kind == _TEMPO:
            if length < 3:
                raise _DamageError(f"the tempo at byte {position} has {length} bytes, expected 3")
            events.tempi.append((tick, int.from_bytes(content[:3], "big")))
        elif kind == _TRACK_NAME:
            events.name = content
    else:
        raise _DamageError(f"byte {position} is {status:#04x}, which begins no event")
    if end > len(track):
        raise IndexError
    return end
