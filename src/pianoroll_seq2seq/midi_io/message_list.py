"""The messages of a file one by one, for what is not a note: what a synthesizer plays, and where our files end."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pianoroll_seq2seq.controllers import CHANNEL_PRESSURE, PITCH_BEND, Controllers
from pianoroll_seq2seq.errors import LimitError
from pianoroll_seq2seq.midi_io.event_list import FIRST_SYSTEM, META, PADDING, events_of
from pianoroll_seq2seq.midi_io.walk import number
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.tempo import MAX_TICK

END_OF_MUSIC = "pianoroll_seq2seq: end"
"""The text of the meta event that ends the silence after the last note.

The end of a track cannot say that: in half of the files of other programs it comes after the music, by up to minutes,
because of controllers or by habit.
"""

_TEXTS = (0x01, 0x06)  # the types of meta event that end the music: a text, or a marker where a writer has no texts
_CENTER = 8192  # of a pitch bend


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
    tick, status, first, second = (column.tolist() for column in _played(data, spans))
    return [
        Message(when, byte, (one,) if byte & 0xE0 == 0xC0 else (one, two))
        for when, byte, one, two in zip(tick, status, first, second, strict=True)
    ]


def controllers_of(
    data: bytes, spans: Sequence[tuple[int, int]], parts: Sequence[Part], *, max_controllers: int
) -> Controllers:
    """The controllers of a file: for each part those of its channel, in the order in which a synthesizer gets them.

    Args:
        data: the file.
        spans: see :func:`channel_messages`.
        parts: the parts, with their channels.
        max_controllers: the most controllers of all parts together.

    Raises:
        LimitError: more controllers.
    """
    tick, status, first, second = _played(data, spans)
    kind = status & 0xF0
    chosen = (kind != 0x80) & (kind != 0x90) & (kind != 0xC0) & (tick <= MAX_TICK)
    tick, status, kind, first, second = (column[chosen] for column in (tick, status, kind, first, second))
    alone = kind == CHANNEL_PRESSURE
    value = np.where(kind == PITCH_BEND, (second << 7 | first) - _CENTER, np.where(alone, first, second))
    value_only = alone | (kind == PITCH_BEND)
    rows = {channel: np.flatnonzero(status & 0x0F == channel) for channel in {part.channel for part in parts}}
    total = sum(len(rows[part.channel]) for part in parts)
    if total > max_controllers:
        raise LimitError(
            f"{total} controllers of its {len(parts)} parts, over the limit of {max_controllers}. If it is music, pass "
            f"limits=Limits(max_controllers=...), or read it without controllers."
        )
    if not total:
        return Controllers.empty()
    row = np.concatenate([rows[part.channel] for part in parts])
    index = np.repeat(np.arange(len(parts)), [len(rows[part.channel]) for part in parts])
    return Controllers(tick[row], index, kind[row], np.where(value_only, 0, first)[row], value[row])


def marked_end(data: bytes, spans: Sequence[tuple[int, int]]) -> int | None:
    """The tick at which a file says that its music ends, with silence after its last note; None if it does not."""
    text = END_OF_MUSIC.encode()
    for begin, stop in spans[:1]:  # where all writers have it
        if data.find(text, begin, stop) >= 0:
            events = events_of(data, [(begin, stop)])
            metas = events.where(events.status == META)
            for tick, place in zip(metas.tick.tolist(), metas.place.tolist(), strict=True):
                if data[place] in _TEXTS:
                    length, content = number(data, place + 1)
                    if data[content : content + length] == text:
                        return tick if tick <= MAX_TICK else None
    return None


def last_tick(data: bytes, spans: Sequence[tuple[int, int]]) -> int:
    """The tick at which the last track ends, long after the music in some files."""
    return int(events_of(data, spans).tick.max(initial=0))


def _played(data: bytes, spans: Sequence[tuple[int, int]]) -> tuple[np.ndarray, ...]:
    """The tick, the status and both data bytes of the messages of all channels, as a synthesizer gets them."""
    events = events_of(data, spans)
    messages = events.where(events.status < FIRST_SYSTEM)
    messages = messages.where(np.argsort(messages.tick, kind="stable"))
    content = np.minimum(np.frombuffer(data + PADDING, dtype=np.uint8), 127).astype(np.int64)
    return messages.tick, messages.status, content[messages.place], content[messages.place + 1]
