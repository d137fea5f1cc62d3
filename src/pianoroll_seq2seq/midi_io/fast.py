"""The fast reader: symusic, for notes in ticks only.

Its seconds and its piano rolls are not used: they are 32-bit floats, and its piano roll can crash on ticks that
wrapped. :func:`symusic_reads_correctly` finds files that it would misread silently; the careful reader reads those.
"""

import re
from typing import Any, NamedTuple

import numpy as np
import symusic

from pianoroll_seq2seq.midi_io import signature_events
from pianoroll_seq2seq.midi_io.container import Container
from pianoroll_seq2seq.midi_io.scan import note_channels, programs_by_channel, symusic_reads_correctly_until
from pianoroll_seq2seq.midi_io.signature_events import Signatures
from pianoroll_seq2seq.midi_io.suspicion import MOST_PLACES, controllers_to_check, exclusives_may_matter
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.tempo import MAX_TICK

PITCHED, DRUMS = Part(), Part(drums=True)
_ODD_META = re.compile(rb"\xff(?:\x51[^\x03]|\x58[^\x04]|\x59[^\x02])", re.DOTALL)  # tempi and signatures


class Voices(NamedTuple):
    """The notes of a file by part, and its tempo changes.

    Attributes:
        columns: onset_tick, end_tick, pitch and velocity of the notes of each part.
        parts: the parts, in the order of tracks, then of channels and programs.
        changes: (tick, microseconds per beat), in the file's order.
        signatures: the time and key signatures.
        last_tick: the tick at which the last track ends, if the reader met it.
    """

    columns: list[list[np.ndarray]]
    parts: list[Part]
    changes: list[tuple[int, int]]
    signatures: Signatures
    last_tick: int | None = None


def _one_track(track: bytes, index: int, channel: int | None) -> Voices | None:
    """The notes that symusic reads from a track; None if it refuses the track, or if tempi conflict on a tick."""
    header = b"MThd\0\0\0\6\0\1\0\1\0\1MTrk" + len(track).to_bytes(4, "big")
    taken = _parsed(header + track, [(len(header), len(header) + len(track))])
    if taken is None:
        return None
    parsed, changes, found = taken
    columns, parts = [], []
    for voice in parsed.tracks:
        if len(voice.notes):
            columns.append(_columns(voice.notes))
            parts.append(Part(voice.name, voice.program, voice.is_drum, index, channel))
    return Voices(columns, parts, changes, found)


def together_with_symusic(data: bytes, spans: list[tuple[int, int]]) -> Voices | None:
    """The notes of a file in at most two parts, the pitched ones and the drums.

    None if symusic refuses the file, or if tempi conflict on a tick.
    """
    taken = _parsed(data, spans)
    if taken is None:
        return None
    parsed, changes, found = taken
    together: dict[bool, Any] = {}
    for voice in parsed.tracks:
        if voice.is_drum in together:
            together[voice.is_drum].extend(voice.notes)
        else:
            together[voice.is_drum] = voice.notes
    columns = [_columns(notes) for notes in together.values()]
    return Voices(columns, [DRUMS if drums else PITCHED for drums in together], changes, found)


def _parsed(data: bytes, spans: list[tuple[int, int]]) -> tuple[Any, list[tuple[int, int]], Signatures] | None:
    """The parsed file, its tempo changes and its signatures."""
    try:
        parsed: Any = symusic.Score.from_midi(data)
    except RuntimeError:
        return None
    changes = signature_events.rows_of(parsed.tempos, ("time", "mspq"))
    if len(changes) > 1 and len(dict(changes)) < len(set(changes)):
        return None  # symusic may return them in another order than the file's
    return parsed, changes, signature_events.from_symusic(data, parsed, spans)


def _columns(notes: Any) -> list[np.ndarray]:
    columns = notes.numpy()
    onset = columns["time"].astype(np.int64)
    return [onset, onset + columns["duration"], columns["pitch"], columns["velocity"]]


def track_with_symusic(track: bytes, index: int) -> Voices | None:
    """The notes of one track's content; None also if they are on several channels, which symusic does not report."""
    values = np.frombuffer(track, dtype=np.uint8)
    note_ons = (values[:-2] & 0xF0 == 0x90) & (values[1:-1] < 128) & (values[2:] < 128)
    channels = set((values[:-2][note_ons] & 0x0F).tolist())  # of all notes, and of bytes that only look like one
    if len(channels) > 1:
        exact = note_channels(track)
        if exact is None or len(exact) > 1:
            return None
        channels = exact
    return _one_track(track, index, max(channels, default=None))


def programs_stay_in_tracks(tracks: list[bytes], parts: list[Part]) -> bool:
    """Whether the programs of these parts, as read track by track, are not changed by other tracks."""
    tracks_of: dict[int, set[int]] = {}
    for part in parts:
        if part.channel is not None and part.track is not None:
            tracks_of.setdefault(part.channel, set()).add(part.track)
    programs: dict[int, dict[int, bool] | None] = {}
    for channel, players in tracks_of.items():
        status = bytes([0xC0 | channel])
        having = [index for index, track in enumerate(tracks) if status in track]
        if len(players) == 1 and set(having) <= players:
            continue
        changing = set()
        for index in having:
            if index not in programs:
                until = max(tracks[index].rfind(bytes([0xC0 | each])) for each in tracks_of)
                programs[index] = programs_by_channel(tracks[index], until)
            found = programs[index]
            if found is None:
                return False
            if channel in found:
                changing.add(index)
        # Program 0 everywhere is no change.
        elsewhere = len(players) > 1 or not changing <= players
        if elsewhere and any((programs[index] or {})[channel] for index in changing):
            return False
    return True


def symusic_reads_correctly(data: bytes, container: Container) -> bool:
    """Whether symusic, if it accepts these bytes, reads them correctly.

    It counts ticks in 32 bits and lets them wrap silently, so the sum of all numbers that could be times must fit. It
    reads three bytes of a tempo and two of a signature whatever their lengths are. It loses its place at numbers of
    more than four bytes and at some system events
    (:func:`~pianoroll_seq2seq.midi_io.scan.symusic_reads_correctly_until`). And it ignores messages that end the notes
    of a channel or make it drums. Programs of other tracks are not looked at here.
    """
    if _ODD_META.search(data):
        return False
    values = np.frombuffer(data, dtype=np.uint8)
    high = values > 127
    pairs = high[1:] & high[:-1]
    triples = pairs[1:] & pairs[:-1]
    among_three = np.count_nonzero(triples)
    # A run of n high bytes can begin a number below 128 ** (n + 1), of four bytes at most.
    most = np.count_nonzero(high) * 2**14 + np.count_nonzero(pairs) * 2**21 + among_three * 2**28
    if most + 128 * len(data) > MAX_TICK and _most_ticks(values, high) > MAX_TICK:
        return False
    # A system event begins with a byte 0xF0..0xFE after a delta time's last byte, which is low; few other bytes do so.
    odd = np.flatnonzero(((values[1:] - np.uint8(0xF0)) < 0x0F) & ~high[:-1]) + 1
    if len(odd) and exclusives_may_matter(data, container.spans):
        return False
    if among_three:  # a number of more than four bytes begins with as many high ones
        odd = np.sort(np.concatenate([odd, np.flatnonzero(triples[1:] & triples[:-1])]))
    controllers = controllers_to_check(data)
    if not len(odd) and not controllers:
        return True
    places = np.searchsorted(odd, container.spans).tolist()
    for (start, end), (first, after) in zip(container.spans, places, strict=True):
        until = int(odd[after - 1]) if after > first else -1
        if len(controllers) == MOST_PLACES:
            until = end
        for place, last in controllers:
            if start <= place < end:
                until = max(until, last)
        if until >= 0 and not symusic_reads_correctly_until(data[start:end], min(until, end - 1) - start):
            return False
    return True


def _most_ticks(values: np.ndarray, high: np.ndarray) -> int:
    """The sum of all bytes as if each belonged to a number: no file lasts longer."""
    digits = (values & 0x7F).astype(np.int64)
    following = high.copy()
    total = int(digits.sum())
    for place in range(1, 4):  # a byte counts 128 times more for each high byte from it on
        total += int((digits[: len(following)] * (128**place - 128 ** (place - 1)) * following).sum())
        following = following[:-1] & high[place:]
    return total
