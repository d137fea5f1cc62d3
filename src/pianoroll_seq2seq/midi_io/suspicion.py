"""Whether messages may change a channel for all tracks, which symusic does not do: a quick look at a file's bytes.

It may take other bytes for such messages, but overlooks none. What it finds among controllers is then looked at exactly
(:mod:`~pianoroll_seq2seq.midi_io.scan`).
"""

import re
from itertools import islice

from pianoroll_seq2seq.midi_io.channel_messages import MESSAGE_KIND, RESET, XG_MODE
from pianoroll_seq2seq.midi_io.walk import exclusive_message

_DELTA = rb"[\x80-\xff]{0,3}+[\x00-\x7f]"
_ANY_CHANNEL = bytes(0xB0 if byte & 0xF0 == 0xB0 else byte for byte in range(256))
_HARMFUL = rb"(?:[\x78\x7b-\x7f]|\x00[\x78\x79\x7e-\xff])"
_HARMLESS = rb"(?:[\x01-\x77\x79\x7a][\x00-\xff]|\x00[\x00-\x77\x7a-\x7d])" + _DELTA
# A status, and harmful controllers behind it. They may also come after a meta event, or after many harmless ones: how
# many are looked at is limited, since each status begins anew. The first line passes over most: one harmless
# controller, and then another status.
_CONTROLLERS = re.compile(
    rb"\xb0(?![\x01-\x77\x79\x7a][\x00-\xff]" + _DELTA + rb"[\x80-\xfe])"
    rb"(?=(" + _HARMLESS + rb"(?=[\x00-\x7f\xff])"
    rb"(?:(?:" + _HARMLESS + rb"){0,64}+(?:" + _HARMFUL + rb"|(\xff)(?!\x2f))|((?:" + _HARMLESS + rb"){65}))"
    rb"|" + _HARMFUL + rb"|[\x80-\xff]))"
)
MOST_PLACES = 256
"""The most places that :func:`controllers_to_check` gives."""
# A system exclusive event of those that ``exclusive_message`` knows: its content.
_EXCLUSIVE = re.compile(
    rb"\xf0[\x80-\xff]{0,3}+[\x00-\x7f](\x7e.\x09.|\x41.\x42\x12.{4}|\x43[\x10-\x1f]\x4c.{4})", re.DOTALL
)


def controllers_to_check(data: bytes) -> list[tuple[int, int]]:
    """Where controllers may end notes or choose a bank of drums.

    Returns:
        For each place the byte of the status, and the byte up to which to look at its track: the size of the file for
        all of it. If there are very many places, only the first.
    """
    found = _CONTROLLERS.finditer(data.translate(_ANY_CHANNEL))  # regular expressions find single bytes quickly
    return [(one.start(), len(data) if one[2] or one[3] else one.end(1)) for one in islice(found, MOST_PLACES)]


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
