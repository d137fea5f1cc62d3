"""The messages of a file one by one, for what is not a note: what a synthesizer plays, and where our files end."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pianoroll_seq2seq.midi_io.walk import number, system_event
from pianoroll_seq2seq.tempo import MAX_TICK

END_OF_MUSIC = "pianoroll_seq2seq: end"
"""The text of the meta event that ends the silence after the last note.

The end of a track cannot say that: in half of the files of other programs it comes after the music, by up to minutes,
because of controllers or by habit.
"""

_PADDING = bytes(16)  # so that an event that is cut short can be parsed before its length is checked
_META, _FIRST_SYSTEM = 0xFF, 0xF0
_TEXTS = (0x01, 0x06)  # the types of meta event that end the music: a text, or a marker where a writer has no texts


class Message(NamedTuple):
    """A message of one of the sixteen channels: its tick, its status byte (kind and channel) and its data bytes."""

    tick: int
    status: int
    data: tuple[int, ...]

    @property
    def kind(self) -> int:
        """0x80 to 0xE0."""
        return self.status & 0xF0

    @property
    def channel(self) -> int:
        """0..15."""
        return self.status & 0x0F


def channel_messages(data: bytes, spans: Sequence[tuple[int, int]]) -> list[Message]:
    """The messages of all channels, in the order in which a synthesizer gets them.

    That is by tick; on one tick in the order of the tracks, and of each track's messages.

    Args:
        data: the file.
        spans: the first byte of each track's content and the byte after its last. A damaged track is read up to its
            damage.
    """
    messages = [
        Message(tick, status, tuple(min(byte, 127) for byte in data[begin:end]))
        for span in spans
        for tick, status, begin, end in _events(data, *span)
        if status < _FIRST_SYSTEM
    ]
    return sorted(messages, key=lambda message: message.tick)


def marked_end(data: bytes, spans: Sequence[tuple[int, int]]) -> int | None:
    """The tick at which a file says that its music ends, with silence after its last note; None if it does not."""
    text = END_OF_MUSIC.encode()
    for begin, stop in spans[:1]:  # where all writers have it
        if data.find(text, begin, stop) >= 0:
            for tick, status, first, last in _events(data, begin, stop):
                if status == _META and data[first - 2] in _TEXTS and data[first:last] == text:
                    return tick if tick <= MAX_TICK else None
    return None


def last_tick(data: bytes, spans: Sequence[tuple[int, int]]) -> int:
    """The tick at which the last track ends, long after the music in some files."""
    return max((tick for span in spans for tick, *_ in _events(data, *span)), default=0)


def _events(data: bytes, begin: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """The tick, the status, and the beginning and the end of the data of each event of a track, its end included."""
    padded = data[begin:stop] + _PADDING
    position, tick, running, size = 0, 0, 0, stop - begin
    while position < size:
        delta, position = number(padded, position)
        if position < 0 or position >= size:
            return
        tick += delta
        status = padded[position]
        if status >= _FIRST_SYSTEM:
            kind, first, last = system_event(padded, position)
            if kind < 0 or last > size:
                return
            if padded[position : position + 2] == b"\xff\x2f":
                yield tick, status, begin + last, begin + last
                return
        else:
            running, first = (status, position + 1) if status >= 0x80 else (running, position)
            last = first + (1 if running & 0xE0 == 0xC0 else 2)
            if not running or last > size:
                return
            status = running
        yield tick, status, begin + first, begin + last
        position = last
