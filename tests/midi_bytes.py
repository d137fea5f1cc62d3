"""MIDI files put together byte by byte, so that they can hold what no sequencer should write."""

import struct
from unittest import mock

import pytest

from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq.errors import MidiError
from pianoroll_seq2seq.midi_io import read, read_midi
from pianoroll_seq2seq.score import Score

END = b"\x00\xff\x2f\x00"


def number(value: int) -> bytes:
    """A number of variable length, as deltas and lengths are written."""
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))


def header(tracks: int = 1, *, division: int = 480, kind: int = 1) -> bytes:
    return struct.pack(">4sIHHH", b"MThd", 6, kind, tracks, division)


def chunk(content: bytes, *, name: bytes = b"MTrk", length: int | None = None) -> bytes:
    return struct.pack(">4sI", name, len(content) if length is None else length) + content


def smf(*tracks: bytes, division: int = 480, kind: int = 1) -> bytes:
    """A file of these tracks, each given its end."""
    return header(len(tracks), division=division, kind=kind) + b"".join(chunk(track + END) for track in tracks)


def on(delta: int = 0, pitch: int = 60, velocity: int = 100, channel: int = 0) -> bytes:
    return number(delta) + bytes([0x90 | channel, pitch, velocity])


def off(delta: int = 0, pitch: int = 60, channel: int = 0) -> bytes:
    return number(delta) + bytes([0x80 | channel, pitch, 64])


def meta(delta: int, kind: int, content: bytes = b"") -> bytes:
    return number(delta) + bytes([0xFF, kind]) + number(len(content)) + content


def tempo(delta: int, us_per_beat: int) -> bytes:
    return meta(delta, 0x51, us_per_beat.to_bytes(3, "big"))


NOTE = on() + off(480)


def spans(score: Score) -> list[tuple[int, int, int]]:
    """(onset_tick, end_tick, pitch) of the notes."""
    columns = (score.notes.onset_tick, score.notes.end_tick, score.notes.pitch)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def carefully(data: bytes, **reading) -> Score:
    """By the careful reader in plain Python, which otherwise reads what symusic misreads."""
    with loops.forced(active=False), mock.patch.object(read, "need_careful_reader", return_value=True):
        return read_midi(data, **reading)


def compiled(data: bytes, **reading) -> Score:
    """By the careful reader as numba compiles it."""
    with loops.forced(active=True):
        return read_midi(data, **reading)


def plainly(data: bytes, **reading) -> Score:
    """As in a process that has read little: by symusic, unless it would misread the file."""
    with loops.forced(active=False):
        return read_midi(data, **reading)


READERS = (plainly, carefully, compiled)


def outcome(reader, data: bytes, **reading):
    """What a reader makes of a file, as a value that can be compared: all of a score, or the error's message."""
    try:
        score = reader(data, **reading)
    except MidiError as error:
        return str(error)
    columns = ("onset_tick", "end_tick", "pitch", "velocity", "part")
    notes = [getattr(score.notes, name).tolist() for name in columns]
    controllers = [getattr(score.controllers, name).tolist() for name in ("tick", "part", "kind", "number", "value")]
    return notes, score.tempo, [(part, part.track, part.channel) for part in score.parts], score.meter, controllers


def by_all(data: bytes, **reading) -> Score:
    """By all readers, which must agree."""
    assert_all_agree(data, **reading)
    return read_midi(data, **reading)


def assert_all_agree(data: bytes, **reading) -> None:
    """Whatever the bytes are, the readers make the same of them."""
    first, *others = (outcome(reader, data, **reading) for reader in READERS)
    for other in others:
        assert other == first, data.hex(" ")


def refused(tmp_path, data: bytes, *words: str, error: type[Exception] = MidiError, **reading) -> None:
    """All readers refuse a file; the message names it and says all of ``words``."""
    path = tmp_path / "song.mid"
    path.write_bytes(data)
    for reader in READERS:
        with pytest.raises(error) as caught:
            reader(path, **reading)
        for part in (str(path), *words):
            assert part in str(caught.value)
