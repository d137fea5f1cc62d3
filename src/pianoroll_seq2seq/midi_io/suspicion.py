"""Whether messages may change a channel for all tracks, which symusic does not do: a quick look at a file's bytes.

It may take other bytes for such messages, but overlooks none. What it finds is then looked at exactly
(:mod:`~pianoroll_seq2seq.midi_io.scan`).
"""

import re

import numpy as np

from pianoroll_seq2seq.midi_io.channel_messages import MESSAGE_KIND, RESET, XG_MODE
from pianoroll_seq2seq.midi_io.walk import exclusive_message

_DELTA = rb"[\x80-\xff]{0,3}+[\x00-\x7f]"
_HARMLESS = rb"(?:[\x01-\x77\x79\x7a][\x00-\xff]|\x00[\x00-\x77\x7a-\x7d])"
# From a controller's value on: more controllers, and one that is not harmless or a meta event other than the last.
_MORE = re.compile(
    rb"(?:" + _DELTA + _HARMLESS + rb")*+" + _DELTA + rb"(?:[\x00\x78\x7b-\x7f]|\xff(?!\x2f))"
)
# A system exclusive event of those that ``exclusive_message`` knows: its content.
_EXCLUSIVE = re.compile(
    rb"\xf0[\x80-\xff]{0,3}+[\x00-\x7f](\x7e.\x09.|\x41.\x42\x12.{4}|\x43[\x10-\x1f]\x4c.{4})", re.DOTALL
)
_WORD = 8  # bytes that are looked at, from a status on


def _harmful_controllers() -> np.ndarray:
    """Whether a controller (low byte) with a value (high byte) ends notes or chooses drums."""
    controller, value = np.arange(2**16) & 0xFF, np.arange(2**16) >> 8
    banks = (controller == 0) & ((value == 120) | (value == 121) | (value > 125))
    harmful: np.ndarray = banks | (controller == 120) | (controller > 122)
    return harmful


def _what_follows() -> tuple[np.ndarray, np.ndarray]:
    """For the two bytes after a value, and for the one after them: whether their bits meet if no new status follows."""
    first, second = np.arange(2**16) & 0xFF, np.arange(2**16) >> 8
    no_status = (second < 0x80) | (second == 0xFF)
    pair = np.where(first < 0x80, no_status * 1, np.where(second < 0x80, 2, 1)).astype(np.uint8)
    third = np.arange(2**8)
    return pair, np.where((third < 0x80) | (third == 0xFF), 3, 1).astype(np.uint8)


_HARMFUL = _harmful_controllers()
_AFTER_VALUE, _AFTER_THAT = _what_follows()


def suspicious_controls(data: bytes, values: np.ndarray) -> np.ndarray:
    """The places of bytes that may be the status of controllers that end notes or choose a bank of drums.

    Args:
        data: a file.
        values: its bytes, as an array.
    """
    places = np.flatnonzero((values - np.uint8(0xB0)) < 0x10)
    if not len(places):
        return places
    # Bytes as 64-bit words from each status on: status, controller, value, and what follows.
    words = np.ndarray((len(data),), "<i8", data + bytes(_WORD), 0, (1,))[places]
    harmful = places[_HARMFUL[words >> 8 & 0xFFFF]]
    goes_on = places[_AFTER_VALUE[words >> 24 & 0xFFFF] & _AFTER_THAT[words >> 40 & 0xFF] > 0]
    match = _MORE.match
    more = [place for place in goes_on.tolist() if match(data, place + 3)]
    return np.sort(np.concatenate([harmful, np.array(more, dtype=np.int64)]))


def exclusives_may_matter(data: bytes, spans: list[tuple[int, int]]) -> bool:
    """Whether system exclusive events may reset channels, or make them drums or no drums.

    Resets before everything else change nothing, unless XG's rules for banks follow.
    """
    leading = None
    for found in _EXCLUSIVE.finditer(data):
        message = exclusive_message(found[1], 0, len(found[1]))
        if not message:
            continue
        if leading is None:
            leading = _leading_end(data, *spans[0]) if spans else 0
        if message >> MESSAGE_KIND != RESET or message & 0x7F == XG_MODE or found.start() >= leading:
            return True
    return False


def _leading_end(data: bytes, position: int, stop: int) -> int:
    """The end of the meta and system exclusive events on tick 0 at the beginning of the first track."""
    while position + 4 <= stop and data[position] == 0:
        if data[position + 1] == 0xFF and data[position + 2] != 0x2F:
            at = position + 3
        elif data[position + 1] == 0xF0:
            at = position + 2
        else:
            break
        if data[at] >= 0x80:
            break
        position = at + 1 + data[at]
    return position
