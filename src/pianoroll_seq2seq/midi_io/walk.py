"""The loop over a track's events: only integers and indices, so that numba can compile it unchanged.

Beyond the standard it accepts what real files contain: data bytes above 127 count as 127, running status continues
after meta and system exclusive events, events after the end of track are ignored, and meta events that are not needed
are skipped whatever they contain.
"""

from typing import Any

from pianoroll_seq2seq.midi_io.channel_messages import (
    ALL_CHANNELS,
    BANK,
    DRUM_FLAG,
    DRUMS_BY_DEFAULT,
    GM_MODE,
    GS_MODE,
    MESSAGE_CHANNEL,
    MESSAGE_KIND,
    NOTES_OFF,
    PART_MODE,
    PEDAL,
    PROGRAM,
    RESET,
    RHYTHM_PART,
    SOUND_OFF,
    XG_MODE,
)

_UNIVERSAL, _ROLAND, _YAMAHA = 0x7E, 0x41, 0x43  # makers, in the first byte of a system exclusive event

# The kind of a meta or system event; below zero, the damage that ends the reading of a track.
_OTHER, END_OF_TRACK, _TRACK_NAME, _EXCLUSIVE, _TEMPO, TIME_SIGNATURE, KEY_SIGNATURE = 0, 1, 2, 3, 4, 5, 6
CUT, LONG_NUMBER, NO_STATUS, SHORT_TEMPO, NO_EVENT = -1, -2, -3, -4, -5

CHANGE_KIND = 24
"""The shift of the kind of a signature in the number of a change; the lower bits are the first bytes of its content. A
tempo is such a number itself."""

MAX_NUMBER_BYTES = 4
"""The most bytes of a number of variable length."""

VOICE_TRACK, VOICE_CHANNEL = 12, 8
"""The shifts of track and channel in the number of a voice; its lowest bits are the state of the channel, which is
``DRUM_FLAG`` and the program."""

PLACE_BITS, MESSAGE_BITS = 31, 16
"""The bits of a byte's place in a file (beside a tick), and those of a message (beside a place)."""
LAST_MOMENT = 2**32 - 1
"""The largest tick of a moment (a tick with a place); no file that is accepted lasts so long."""


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
            return END_OF_TRACK, position, position + 2
        length, content = number(data, position + 2)
        if content < 0:
            return LONG_NUMBER, length, length + MAX_NUMBER_BYTES
        if kind == 0x51:
            return (_TEMPO, content, content + length) if length >= 3 else (SHORT_TEMPO, position, content)
        if kind in (0x58, 0x59) and length >= 2:
            return TIME_SIGNATURE if kind == 0x58 else KEY_SIGNATURE, content, content + length
        return _TRACK_NAME if kind == 0x03 else _OTHER, content, content + length
    if status in (0xF0, 0xF7):
        length, content = number(data, position + 1)
        if content < 0:
            return LONG_NUMBER, length, length + MAX_NUMBER_BYTES
        return _EXCLUSIVE if status == 0xF0 else _OTHER, content, content + length
    if status in (0xF4, 0xF5):
        return NO_EVENT, position, position + 1
    data_bytes = 2 if status == 0xF2 else 1 if status in (0xF1, 0xF3) else 0
    return _OTHER, position, position + 1 + data_bytes


def exclusive_message(data: Any, begin: int, end: int) -> int:  # noqa: PLR0911 (one return a kind of message)
    """The message of a system exclusive event with its content in ``data[begin:end]``; 0 if it is none of these.

    GM System On (1 and 2), GS Reset, XG System On and XG All Parameter Reset are resets. GS's "use for rhythm part" and
    XG's "part mode" make a channel drums, or no drums. Checksums are not compared.
    """
    if end > begin and data[end - 1] == 0xF7:
        end -= 1
    size = end - begin
    if size >= 4 and data[begin] == _UNIVERSAL:
        on = data[begin + 2] == 0x09 and (data[begin + 3] == 0x01 or data[begin + 3] == 0x03)
        return RESET << MESSAGE_KIND | ALL_CHANNELS << MESSAGE_CHANNEL | GM_MODE if on else 0
    if size >= 7 and data[begin] == _YAMAHA:
        if data[begin + 1] & 0xF0 != 0x10 or data[begin + 2] != 0x4C:
            return 0
        high, middle, low, value = data[begin + 3], data[begin + 4] * 1, data[begin + 5], data[begin + 6] * 1
        if high == 0x00 and middle == 0x00 and low in (0x7E, 0x7F):
            return RESET << MESSAGE_KIND | ALL_CHANNELS << MESSAGE_CHANNEL | XG_MODE
        if high == 0x08 and middle < 16 and low == 0x07:
            part: int = middle << MESSAGE_CHANNEL | (1 if value > 0 else 0)
            return PART_MODE << MESSAGE_KIND | part
        return 0
    if size >= 8 and data[begin] == _ROLAND and data[begin + 2] == 0x42 and data[begin + 3] == 0x12:
        high, middle, low, value = data[begin + 4], data[begin + 5] * 1, data[begin + 6], data[begin + 7] * 1
        if low == 0x7F and middle == 0x00 and high in (0x00, 0x40):
            return RESET << MESSAGE_KIND | ALL_CHANNELS << MESSAGE_CHANNEL | GS_MODE
        if high == 0x40 and middle & 0xF0 == 0x10 and low == 0x15:
            block: int = middle & 0x0F  # block 0 is channel 10, blocks 1 to 9 are channels 1 to 9
            channel = DRUMS_BY_DEFAULT if block == 0 else block - 1 if block < 10 else block
            return RHYTHM_PART << MESSAGE_KIND | channel << MESSAGE_CHANNEL | (1 if value > 0 else 0)
    return 0


def walk(  # noqa: PLR0912, PLR0915, PLR0917 (one branch a kind of event; calls would double the time)
    data: Any,
    begin: int,
    stop: int,
    track: int,
    last_in_first_out: bool,
    pedals: bool,
    limited: bool,
    notes: Any,
    changes: Any,
    messages: Any,
    limits: Any,
    sounding: Any,
    states: Any,
    note_count: int,
    change_count: int,
    message_count: int,
    kinds: int,
) -> tuple[int, int, int, int, int, int, int, int, int]:
    """Reads the events of a track.

    Notes go to the rows onset, end (-1 while they sound), pitch, velocity, voice, place of the onset, place of the end,
    and next. ``next`` is 1 more than the number of the note that waits behind this one for an end of the same channel
    and pitch, or 0; ``sounding`` holds such numbers of the first and the last waiting for each such key, and the first
    are 0 again at the end. With ``limited``, a note no longer waits after its moment (tick and place) in ``limits``.
    Tempi and signatures go to ``changes``, as a tick and a number (``CHANGE_KIND``).

    Returns:
        The three counts, the kinds of the messages as bits, the tick of the last event, the beginning and the end of
        the name, the damage (or 0), and its place.
    """
    onsets, ends, pitches, velocities, voices = notes[0], notes[1], notes[2], notes[3], notes[4]
    onset_places, end_places, nexts = notes[5], notes[6], notes[7]
    firsts, lasts, state_of = sounding[0], sounding[1], states[0]
    for each in range(16):
        state_of[each] = DRUM_FLAG if each == DRUMS_BY_DEFAULT else 0
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
            if what == END_OF_TRACK:
                break
            if what == _TRACK_NAME:
                name_begin, name_end = content, after
            elif what >= _TEMPO:
                changes[0][change_count] = tick
                changes[1][change_count] = (
                    data[content] << 16
                    | data[content + 1] << 8
                    | (data[content + 2] if what == _TEMPO else what << CHANGE_KIND)
                )
                change_count += 1
            elif what == _EXCLUSIVE:
                message = exclusive_message(data, content, after)
                if message > 0:
                    messages[0][message_count] = tick
                    messages[1][message_count] = content << MESSAGE_BITS | message
                    message_count += 1
                    kinds |= 1 << (message >> MESSAGE_KIND)
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
            voices[note_count] = track << VOICE_TRACK | channel << VOICE_CHANNEL | state_of[channel]
            onset_places[note_count] = position
            nexts[note_count] = 0
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
            if limited:
                now = (tick if tick < LAST_MOMENT else LAST_MOMENT) << PLACE_BITS | position
                while note >= 0 and limits[note] < now:
                    firsts[key] = nexts[note]
                    waiting -= 1
                    note = firsts[key] - 1
            if note >= 0:
                ends[note] = tick
                end_places[note] = position
                firsts[key] = nexts[note]
                waiting -= 1
        elif kind in (0xB0, 0xC0):
            what, value = 0, first
            if kind == 0xC0:
                what = PROGRAM
                state_of[channel] = state_of[channel] & DRUM_FLAG | first
            elif first == 0:
                what, value = BANK, second if second < 128 else 127
            elif first in (64, 121):  # 121 resets all controllers
                if pedals:
                    what, value = PEDAL, 1 if first == 64 and second >= 64 else 0
            elif first == 120:
                what = SOUND_OFF
            elif first > 122:  # 122 is the local keyboard; 124..127 also end notes
                what = NOTES_OFF
            if what > 0:
                messages[0][message_count] = tick
                messages[1][message_count] = (
                    position << MESSAGE_BITS | what << MESSAGE_KIND | channel << MESSAGE_CHANNEL | value
                )
                message_count += 1
                if what != PROGRAM or first > 0:  # the first program is 0
                    kinds |= 1 << what
        position = after
    if waiting > 0:
        for note in range(note_begin, note_count):
            if ends[note] < 0:
                firsts[(voices[note] >> VOICE_CHANNEL & 15) << 7 | pitches[note]] = 0
    return note_count, change_count, message_count, kinds, end_tick, name_begin, name_end, damage, where
