"""Reads mutated MIDI files one after another, within limits: what test_fuzz_midi starts as a process of its own.

    python read_many.py SEED FIRST COUNT [FILE ...]

Writes the number of each input before it reads it, so that a crash, a hang or a want of memory is that input's,
and ``! NUMBER ERROR`` for an error that no reader may raise. Ends with ``max_rss_mb N``. An input depends on
SEED, its number and the files alone. Must not import torch: it would take the memory that is measured.
"""

import io
import os
import random
import signal
import struct
import sys
import time
import traceback
from pathlib import Path

LONGEST = 2**17  # bytes of an input
TIMES_AN_HONEST_FILE = 20
"""Processor time for an input, as a multiple of what mido takes for an honest file of the longest size."""
BYTES_OF_MEMORY = 2**30

# Bytes, 16-bit and 32-bit values at which readers err.
_BYTES = bytes.fromhex("00010203042f4051597f80818f9099b0c0d0e0f0f1f2f3f4f6f7f8feff")
_SHORTS = (0, 1, 2, 3, 4, 255, 0x7FFF, 0x8000, 0xE250, 0xE728, 0xE800, 0xFFFF)
_LONGS = (0, 1, 4, 5, 6, 7, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)
_EVENTS = (
    *(
        b"\xff\x51\x03\x00\x00\x00",
        b"\xff\x51\x03\xff\xff\xff",
        b"\xff\x2f\x00",
        b"\xff\xff\xff\x7f",
        b"\x00\xf7\x02\x90\x40",
    ),
    *(b"\x00\xf0\x02\x01\xf7", b"\xff\x59\x02\x7f\x7f", b"\xff\x58\x04\x00\x00\x00\x00", b"\xff\x03\x01\xff", b"MTrk"),
    *(b"\x00\xc5\x90", b"\x00\xb0\x40\x7f", b"\x00\xff\x20\x01\x09", b"\x00\xf8", b"\xff\xff\xff\xff\x7f", b"MThd"),
    *(b"\x00\xff\x05\x01A", b"\x05\x3c\x00", b"\x00\xf0\x00", b"\x00\xf1\x05", b"\x00\xf2\x05\x06", b"\x00\xfe"),
)
_END = b"\x00\xff\x2f\x00"


def _file(*tracks: bytes, division: int = 480, kind: int = 1) -> bytes:
    head = struct.pack(">4sIHHH", b"MThd", 6, kind, len(tracks), division)
    return head + b"".join(struct.pack(">4sI", b"MTrk", len(track) + 4) + track + _END for track in tracks)


_NOTES = b"".join(b"\x00\x90%c\x64\x83\x60\x80%c\x40" % (pitch, pitch) for pitch in range(40, 80))
SYNTHETIC = (
    _file(b"\x00\xff\x51\x03\x06\x1a\x80" + _NOTES),
    _file(b"\x00\xff\x03\x05Piano\x00\xc0\x05" + _NOTES, b"\x00\xc9\x00\x00\x99\x24\x64\x60\x24\x00" * 20),
    _file(b"\x00\x90\x3c\x64\x05\xf0\x03\x01\x02\xf7\x05\x3c\x00" + b"\x10\xb0\x40\x7f\x10\xb0\x40\x00" * 9 + _NOTES),
    _file(_NOTES, division=0xE250),
    _file(b"\x00\xc1\x21\x00\x91\x30\x64" + _NOTES + b"\x00\x81\x30\x40", kind=0),
    _file(*([b"\x00\x90\x3c\x64\x60\x3c\x00"] * 30), division=24),
    _file(b"\x00\x90\x3c\x64" + b"\x81\x00\x3c\x64" * 40 + b"\x81\x00\x3c\x00" * 41, division=1),
)


def mutated(choose: random.Random, seeds: list[bytes]) -> bytes:
    """A file with accidents: bytes flipped, put in, taken out; spliced with another; cut; lengths that lie."""
    data = bytearray(choose.choice(seeds))
    for _ in range(choose.choice((1, 1, 2, 3, 6, 20))):
        at = choose.randrange(len(data)) if data else 0
        match choose.randrange(11):
            case 0:
                data[at : at + 1] = bytes([choose.choice(_BYTES)])
            case 1:
                data[at : at + 1] = bytes([choose.randrange(256)])
            case 2 if data:
                data[at] ^= 1 << choose.randrange(8)
            case 3:
                data[at:at] = bytes([choose.choice(_BYTES)]) * choose.choice((1, 1, 2, 9))
            case 4:
                del data[at : at + choose.choice((1, 1, 2, 3, 8, 100))]
            case 5:
                data[at:at] = choose.choice(_EVENTS)
            case 6:
                other = choose.choice(seeds)
                start = choose.randrange(len(other))
                data[at : at + choose.choice((0, 4, 30, 10**6))] = other[start : start + choose.choice((9, 60, 10**6))]
            case 7 if choose.random() < 0.3:
                del data[at:]
            case 8:  # a field of the header: its length, the type, the number of tracks, the division
                place, form, values = choose.choice(
                    ((4, ">I", _LONGS), *((place, ">H", _SHORTS) for place in (8, 10, 12)))
                )
                data[place : place + struct.calcsize(form)] = struct.pack(form, choose.choice(values))
            case 9 if (track := data.find(b"MTrk", at)) >= 0:  # a track's length
                data[track + 4 : track + 8] = struct.pack(">I", choose.choice((*_LONGS, choose.randrange(5000))))
            case 10:  # a passage again and again
                data[at:at] = data[at : at + choose.randrange(1, 40)] * choose.choice((2, 30))
    return bytes(data[:LONGEST])


def _mended(data: bytes) -> bytes:
    """The same with true lengths of its tracks, so that it is read on."""
    before, *tracks = data.split(b"MTrk")
    return before + b"".join(b"MTrk" + struct.pack(">I", max(len(track) - 4, 0)) + track[4:] for track in tracks)


def input_number(number: int, seed: int, seeds: list[bytes]) -> bytes:
    """One of the inputs."""
    choose = random.Random(seed * 10**9 + number)
    data = mutated(choose, seeds)
    return _mended(data) if choose.random() < 0.6 else data


def honest_seconds() -> float:
    """Processor time that mido takes to read an honest file of the longest size, on this machine."""
    from mido import MidiFile

    notes = _file(b"\x00\x90\x3c\x40" + b"\x01\x3c\x00\x01\x3c\x40" * (LONGEST // 6))
    start = time.process_time()
    MidiFile(file=io.BytesIO(notes))
    return time.process_time() - start


def main(seed: int, first: int, count: int, files: list[str]) -> None:
    """Reads the inputs of these numbers."""
    import resource

    from memory import peak_megabytes

    from pianoroll_seq2seq._internal import compiled as loops
    from pianoroll_seq2seq.errors import MidiError, PitchRangeError
    from pianoroll_seq2seq.grid import SecondsGrid
    from pianoroll_seq2seq.midi_io import read_midi
    from pianoroll_seq2seq.pianoroll import PianoRoll

    resource.setrlimit(resource.RLIMIT_AS, (BYTES_OF_MEMORY, BYTES_OF_MEMORY))
    seeds = [*SYNTHETIC, *(Path(file).read_bytes() for file in files)]
    grid = SecondsGrid(0.02)

    def read(data: bytes, number: int) -> None:
        """In one of the ways there are."""
        reading = {"on_damage": "salvage" if number % 2 else "error"}
        if number % 10 >= 8:
            reading |= {"pairing": "last", "unended": "hold", "overlaps": "cut", "sustain": True}
        with loops.forced(active=number % 3 == 0):
            if number % 4 < 2:
                score = read_midi(data, controllers=number % 5 == 0, **reading)
                PianoRoll.from_score(score, grid=grid, outside="drop")
            else:
                PianoRoll.from_midi(data, grid=grid, outside="drop", drums=True, **reading)

    for way in range(60):  # all of them once, with an honest file: imports and compilation are not the file's cost
        read(SYNTHETIC[0], way)
    allowed = TIMES_AN_HONEST_FILE * honest_seconds()
    for number in range(first, first + count):
        data = input_number(number, seed, seeds)
        os.write(1, b"%d\n" % number)
        signal.setitimer(signal.ITIMER_PROF, allowed)
        signal.setitimer(signal.ITIMER_REAL, 60 * allowed)  # in case it waits for something
        try:
            read(data, number)
        except (MidiError, PitchRangeError):
            pass
        except BaseException:  # whatever it is, report it and read the next input
            os.write(1, f"! {number} {traceback.format_exc(limit=-3)!r}\n".encode())
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert "torch" not in sys.modules
    os.write(1, b"max_rss_mb %d\n" % peak_megabytes())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), sys.argv[4:])
