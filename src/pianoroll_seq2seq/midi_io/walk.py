"""The loop over a track's events: only integers and indices, so that numba can compile it unchanged.

Beyond the standard it accepts what real files contain: data bytes above 127 count as 127, running status continues
after meta and system exclusive events, events after the end of track are ignored, and meta events that are not needed
are skipped whatever they contain.
"""

from typing import Any

# The kind of a meta or system event; below zero, the damage that ends the reading of a track.
_OTHER, _END_OF_TRACK, _TRACK_NAME, _TEMPO = 0, 1, 2, 3
CUT, LONG_NUMBER, NO_STATUS, SHORT_TEMPO, NO_EVENT = -1, -2, -3, -4, -5

MAX_NUMBER_BYTES = 4
"""The most bytes of a number of variable length."""

VOICE_TRACK, VOICE_CHANNEL = 11, 7
"""The shifts of track and channel in the number of a voice; its lowest bits are the program."""


def number(data: Any, position: int) -> tuple[int, int]:
    """A number of variable length, and the position after it; its own and -1 if it has more than four bytes."""
    value = 0
    for at in range(position, position + MAX_NUMBER_BYTES):
        byte = data[at]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + 1
    return position, -1


def system_event(data: Any, position: int) -> tuple[int, int, int]:  # noqa: PLR0911 (one return a kind of event)
    """The kind of the meta or system event at ``position``, and the beginning and the end of its content.

    For a damage, its place and the end of the bytes that were read.
    """
    status = data[position]
    if status == 0xFF:
        kind = data[position + 1]
        if kind == 0x2F:
            return _END_OF_TRACK, position, position + 2
        length, content = number(data, position + 2)
        if content < 0:
            return LONG_NUMBER, length, length + MAX_NUMBER_BYTES
        if kind == 0x51:
            return (_TEMPO, content, content + length) if length >= 3 else (SHORT_TEMPO, position, content)
        return _TRACK_NAME if kind == 0x03 else _OTHER, content, content + length
    if status in (0xF0, 0xF7):
        length, content = number(data, position + 1)
        if content < 0:
            return LONG_NUMBER, length, length + MAX_NUMBER_BYTES
        return _OTHER, content, content + length
    if status in (0xF4, 0xF5):
        return NO_EVENT, position, position + 1
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
        The three counts, the tick of the last event, the beginning and the end of the name, the damage (or 0), and its
        place.
    """
    onsets, ends, pitches, velocities, voices, nexts = notes[0], notes[1], notes[2], notes[3], notes[4], notes[5]
    firsts, lasts, program_of = sounding[0], sounding[1], programs[0]
    for each in range(16):
        program_of[each] = 0
    # Bytes are multiplied by 1 so that, compiled, they count in 64 bits.
    position, tick, kind, channel, end_tick, waiting, note_begin = begin, 0, 0, 0, 0, 0, note_count
    name_begin = name_end = damage = where = 0
    while position < stop:
        delta = data[position] * 1
        if delta < 0x80:
            position += 1
        else:
            delta, after = number(data, position)
            if after < 0:
                damage, where = CUT if position + MAX_NUMBER_BYTES > stop else LONG_NUMBER, position
                break
            position = after
        if position >= stop:
            damage = CUT
            break
        byte = data[position] * 1
        if byte >= 0xF0:
            what, content, after = system_event(data, position)
            if after > stop or what < 0:
                damage, where = CUT if after > stop else what, content
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
            kind, channel = byte & 0xF0, byte & 0x0F
            position += 1
        elif kind == 0:
            damage, where = NO_STATUS, position
            break
        after = position + 1 if kind & 0xE0 == 0xC0 else position + 2
        if after > stop:
            damage = CUT
            break
        tick += delta
        end_tick = tick
        first, second = data[position] * 1, data[position + 1] * 1
        first = first if first < 128 else 127
        key = channel << 7 | first
        if kind == 0x90 and second > 0:
            onsets[note_count] = tick
            ends[note_count] = -1
            pitches[note_count] = first
            velocities[note_count] = second if second < 128 else 127
            voices[note_count] = track << VOICE_TRACK | channel << VOICE_CHANNEL | program_of[channel]
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
            pressed[3][pedal_count] = second >= 64
            pedal_count += 1
        position = after
    if waiting > 0:
        for note in range(note_begin, note_count):
            if ends[note] < 0:
                firsts[(voices[note] >> VOICE_CHANNEL & 15) << 7 | pitches[note]] = 0
    return note_count, tempo_count, pedal_count, end_tick, name_begin, name_end, damage, where
