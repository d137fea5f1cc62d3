"""The statuses that a track uses: an exact pass over its events that skips runs of them at once.

It answers questions that symusic does not, in a fraction of the careful reader's time.
"""

import re
from typing import NamedTuple

# A delta time; then a status of two or of one data byte, its data, and the events of running status after it.
_DELTA = rb"[\x80-\xff]{0,3}+[\x00-\x7f]"
_ONE, _TWO = rb"[\x00-\x7f]", rb"[\x00-\x7f]{2}"
# Controllers that neither end notes nor choose a bank of drums (or, after one, another).
_HARMLESS = rb"(?:[\x01-\x77\x79\x7a][\x00-\x7f]|\x00[\x00-\x77\x7a-\x7d])"


def _run(statuses: bytes, data: bytes) -> bytes:
    return b"[" + statuses + b"]" + data + rb"(?:" + _DELTA + data + rb")*+"


def _consecutive(*runs: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?:" + _DELTA + rb"(?:" + b"|".join(runs) + rb"))++")


_TWOS, _ONES = _run(rb"\x80-\xbf\xe0-\xef", _TWO), _run(rb"\xc0-\xdf", _ONE)
_RUNS = _consecutive(_TWOS, _ONES)
_RUNS_WITHOUT_PROGRAMS = _consecutive(_TWOS, _run(rb"\xd0-\xdf", _ONE))
_HARMLESS_RUNS = _consecutive(_run(rb"\x80-\xaf\xe0-\xef", _TWO), _run(rb"\xb0-\xbf", _HARMLESS), _ONES)
_PROGRAM_RUN = re.compile(_DELTA + rb"(" + _run(rb"\xc0-\xcf", _ONE) + rb")")
_STATUS_OF_RUN = re.compile(_DELTA + rb"(?=([\x80-\xef]))(?:" + _TWOS + rb"|" + _ONES + rb")")
_NUMBER = re.compile(_DELTA)
_NO_STATUS = re.compile(_DELTA + _ONE)
# Consecutive tempi, time and key signatures of their usual lengths: often all that a track has.
_METAS = re.compile(rb"(?:" + _DELTA + rb"\xff(?:\x51\x03.{3}|\x58\x04.{4}|\x59\x02.{2}))++", re.DOTALL)
_ONE_CONTINUES = re.compile(rb"(?:" + _DELTA + _ONE + rb")++")
_TWO_CONTINUE = re.compile(rb"(?:" + _DELTA + _TWO + rb")++")
_LONGEST_EVENT = 8  # bytes of a channel event with its delta time, and one to spare


class Steps(NamedTuple):
    """What a pass over the events of a track found.

    Attributes:
        spans: the spans of consecutive channel events that begin with a status.
        symusic_keeps_place: see :func:`symusic_reads_correctly_until`.
        continued: the kinds of events (the high bits of their status) that follow by running status after a meta or
            system exclusive event.
        programs: the programs that are no consecutive events: their statuses, each with what follows it.
    """

    spans: list[tuple[int, int]]
    symusic_keeps_place: bool
    continued: set[int]
    programs: list[bytes]


def symusic_reads_correctly_until(track: bytes, until: int) -> bool:
    """Whether symusic reads a track correctly, up to the event that covers byte ``until``.

    It loses its place at system exclusive events in packets, at escapes (status 0xF7), and at running status after a
    system exclusive event, which it takes for another one. It ignores controllers that end notes or choose a bank of
    drums. Also False if events do not follow the standard, such as with numbers of more than four bytes.
    """
    steps = _step_through(track, until, _HARMLESS_RUNS)
    return steps is not None and steps.symusic_keeps_place and 0xB0 not in steps.continued


def note_channels(track: bytes) -> set[int] | None:
    """The channels, 0..15, of all note-on messages.

    None if the track's events do not follow the standard.
    """
    steps = _step_through(track, len(track) - 1, _RUNS)
    if steps is None:
        return None
    statuses = {status for span in steps.spans for status in _STATUS_OF_RUN.findall(track, *span)}
    return {status[0] & 0x0F for status in statuses if status[0] & 0xF0 == 0x90}


def programs_by_channel(track: bytes, until: int) -> dict[int, bool] | None:
    """The channels, 0..15, of program changes up to byte ``until``, and whether there may be others than program 0.

    None if the track's events do not follow the standard.
    """
    steps = _step_through(track, until, _RUNS_WITHOUT_PROGRAMS)
    if steps is None or 0xC0 in steps.continued:
        return None
    programs: dict[int, bool] = {}
    for run in steps.programs:
        channel = run[0] & 0x0F
        programs[channel] = programs.get(channel, False) or len(run) > 2 or run[1] > 0
    return programs


def _step_through(track: bytes, until: int, consecutive: re.Pattern[bytes]) -> Steps | None:
    """Steps through a track; None if there is something else than events of the standard.

    Args:
        track: its content.
        until: the byte whose event is the last to be looked at.
        consecutive: channel events with their own status.
    """
    spans: list[tuple[int, int]] = []
    continued: set[int] = set()
    programs: list[bytes] = []
    keeps, after_exclusive, after_program = True, False, False
    position = last_status = 0
    running = None
    while position <= until:
        runs = consecutive.match(track, position, until + _LONGEST_EVENT)
        if runs is not None:
            spans.append(runs.span())
            running = None
            after_exclusive = after_program = False
        elif (program := _PROGRAM_RUN.match(track, position)) is not None:
            runs = program
            programs.append(program[1])
            spans.append(program.span())
            running = None
            after_exclusive, after_program = False, True
        elif spans and _NO_STATUS.match(track, position):  # running status may continue after a meta event
            if running is None:
                last_status = _STATUS_OF_RUN.findall(track, *spans[-1])[-1][0]
                running = _ONE_CONTINUES if last_status & 0xE0 == 0xC0 else _TWO_CONTINUE
            runs = running.match(track, position, until + _LONGEST_EVENT)
            keeps = keeps and not (after_exclusive and runs)
            if runs is not None:
                continued.add(last_status & 0xF0)
        if runs is not None:
            position = runs.end()
            if after_program:
                until = max(until, min(position, len(track) - 1))  # more may follow by running status
            continue
        system = _system_event(track, position)
        if system is None:
            return None
        position, status = system
        keeps = keeps and status != 0xF7
        after_exclusive = after_exclusive or status == 0xF0
        if after_exclusive or after_program:
            until = max(until, min(position, len(track) - 1))  # the next event decides
    return Steps(spans, keeps, continued, programs) if position <= len(track) else None


def _system_event(track: bytes, position: int) -> tuple[int, int] | None:
    """The end of the meta or system exclusive event at ``position``, and its status; of several common ones, the last.

    The end of track ends everything; None if there is no such event.
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
