"""Which statuses a track uses: an exact pass over its events that steps over runs of them at once.

For the few questions that symusic does not answer and a count of bytes leaves open, at a fraction of the
careful reader's time.
"""

import re

# A delta time; then a status of two or of one data byte, its data, and the events of running status after it.
_DELTA = rb"[\x80-\xff]{0,3}+[\x00-\x7f]"
_ONE, _TWO = rb"[\x00-\x7f]", rb"[\x00-\x7f]{2}"
_RUN = (
    rb"(?:[\x80-\xbf\xe0-\xef]" + _TWO + rb"(?:" + _DELTA + _TWO + rb")*+"
    rb"|[\xc0-\xdf]" + _ONE + rb"(?:" + _DELTA + _ONE + rb")*+)"
)
_NUMBER = re.compile(_DELTA)
# Tempi, time and key signatures in a row, each of its usual length: tracks of nothing else are usual.
_METAS = re.compile(rb"(?:" + _DELTA + rb"\xff(?:\x51\x03.{3}|\x58\x04.{4}|\x59\x02.{2}))++", re.DOTALL)
_RUNS = re.compile(rb"(?:" + _DELTA + _RUN + rb")++")
_STATUS_OF_RUN = re.compile(_DELTA + rb"(?=([\x80-\xef]))" + _RUN)
_ONE_GOES_ON = re.compile(rb"(?:" + _DELTA + _ONE + rb")++")
_TWO_GO_ON = re.compile(rb"(?:" + _DELTA + _TWO + rb")++")
_LONGEST_EVENT = 8  # bytes of a channel event with its delta time, and one to spare


def symusic_keeps_place(track: bytes, until: int) -> bool:
    """Whether symusic does not lose its place in a track, looked through up to the event that covers byte ``until``.

    It does at system exclusive events in packets, at escapes (status 0xF7), and at running status after a system
    exclusive event, which it takes for another one. False, too, where events are not as the standard has them, such
    as with numbers of more than four bytes.
    """
    stepped = _step_through(track, until)
    return stepped is not None and stepped[1]


def note_channels(track: bytes) -> set[int] | None:
    """The channels, 0..15, on which notes are struck (or, at velocity 0, ended).

    None where the track's events are not as the standard has them.
    """
    stepped = _step_through(track, len(track) - 1)
    if stepped is None:
        return None
    statuses = {status for span in stepped[0] for status in _STATUS_OF_RUN.findall(track, *span)}
    return {status[0] & 0x0F for status in statuses if status[0] & 0xF0 == 0x90}


def _step_through(track: bytes, until: int) -> tuple[list[tuple[int, int]], bool] | None:
    """Where channel events with a status of their own stand in a row, and whether symusic keeps its place."""
    spans: list[tuple[int, int]] = []
    keeps = True
    position = 0
    going_on = None
    after_exclusive = False
    while position <= until:
        runs = _RUNS.match(track, position, until + _LONGEST_EVENT)
        if runs is not None:
            spans.append(runs.span())
            going_on = None
            after_exclusive = False
        elif spans:  # after a meta event the status may go on without being said again
            if going_on is None:
                status = _STATUS_OF_RUN.findall(track, *spans[-1])[-1][0]
                going_on = _ONE_GOES_ON if status & 0xE0 == 0xC0 else _TWO_GO_ON
            runs = going_on.match(track, position, until + _LONGEST_EVENT)
            keeps = keeps and not (after_exclusive and runs)
        if runs is not None:
            position = runs.end()
            continue
        system = _system_event(track, position)
        if system is None:
            return None
        position, status = system
        keeps = keeps and status != 0xF7
        after_exclusive = after_exclusive or status == 0xF0
        if after_exclusive:
            until = max(until, min(position, len(track) - 1))  # what follows decides
    return (spans, keeps) if position <= len(track) else None


def _system_event(track: bytes, position: int) -> tuple[int, int] | None:
    """Where the meta or system exclusive event at ``position`` ends, and its status; of common ones in a row, the last.

    The end of track ends everything; None where there is no such event.
    """
    metas = _METAS.match(track, position)
    if metas is not None:
        return metas.end(), 0xFF
    delta = _NUMBER.match(track, position)
    if delta is None:
        return None
    kind, at = track[delta.end() : delta.end() + 1], delta.end() + 1
    if kind == b"\xff":
        if track[at : at + 1] == b"\x2f":
            return len(track), 0xFF
        at += 1
    elif kind not in (b"\xf0", b"\xf7"):
        return None
    number = _NUMBER.match(track, at)
    if number is None:
        return None
    length = 0
    for digit in number[0]:
        length = length << 7 | digit & 0x7F
    return number.end() + length, kind[0]
