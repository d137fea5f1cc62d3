"""MIDI files with as many parts as fit: read in little memory and time, or refused."""

import time
from pathlib import Path

import numpy as np
import pytest
from midi_bytes import END, chunk, header, smf
from mutations import peak_growth

from pianoroll_seq2seq import Limits, NoteTable, Part, PianoRoll, Score, TempoMap, read_midi
from pianoroll_seq2seq.cli.inspect import inspect
from pianoroll_seq2seq.errors import LimitError
from pianoroll_seq2seq.midi_io import to_midi_bytes, write

MOST_SECONDS, MOST_MEGABYTES = 5, 1000
NOTE = b"\x00\x90\x3c\x40\x10\x3c\x00"


def voices(tracks: int, voices_a_track: int = 2048) -> bytes:
    """A note on each channel with each program, in every track: ten bytes a voice."""
    pairs = [divmod(voice, 128) for voice in range(voices_a_track)]
    notes = (bytes([0, 0xC0 | channel, program, 0, 0x90 | channel, 60, 64, 1, 60, 0]) for channel, program in pairs)
    return header(tracks) + chunk(b"".join(notes) + END) * tracks


def many_parts(count: int) -> Score:
    """A score of parts with a note each."""
    part = np.arange(count)
    notes = NoteTable(0 * part, 0 * part + 480, 60 + part % 12, 0 * part + 90, part)
    return Score(notes, TempoMap(480, [(0, 400_000)]), tuple(Part(f"{number}") for number in range(count)))


def test_a_file_of_voices(tmp_path: Path) -> None:
    """``inspect`` takes minutes for 8 MB, and reading with ``overlaps="cut"`` more than 1 GB."""
    path = tmp_path / "voices.mid"
    path.write_bytes(voices(400))
    growth, begun = peak_growth(), time.process_time()
    with pytest.raises(LimitError, match=r"voices\.mid: more than 65535 parts .*=Limits\(max_parts=\.\.\.\)"):
        inspect(path)
    assert time.process_time() - begun < MOST_SECONDS
    with pytest.raises(LimitError, match="more than 65535 parts"):
        read_midi(voices(40), overlaps="cut")
    assert growth() < MOST_MEGABYTES


@pytest.mark.slow
@pytest.mark.parametrize("tracks", [65_535, 31])
def test_as_many_parts_as_are_read(tmp_path: Path, tracks: int) -> None:
    """The same with one part less than are refused, in as many tracks or in a few."""
    path = tmp_path / "song.mid"
    path.write_bytes(header(tracks) + chunk(NOTE + END) * tracks if tracks == 65_535 else voices(tracks))
    growth, begun = peak_growth(), time.process_time()
    found = inspect(path)
    assert len(found.files[0].parts) == (65_535 if tracks == 65_535 else 31 * 2048)
    assert len(str(found).splitlines()) < 200
    assert time.process_time() - begun < MOST_SECONDS
    read_midi(path, overlaps="cut")
    assert growth() < MOST_MEGABYTES


def test_parts_are_counted_by_every_reader() -> None:
    """A limit holds for some files only."""
    several = smf(*3 * [NOTE])
    programs = smf(NOTE + b"\x00\xc0\x05" + NOTE + b"\x00\xc0\x06" + NOTE)
    elsewhere = smf(b"\x00\xc0\x05\x20\xc0\x06\x20\xc0\x07", 3 * (NOTE + b"\x20\x90\x00\x00"))
    for data in (several, programs, elsewhere):
        for pairing in ("first", "last"):
            assert len(read_midi(data, limits=Limits(max_parts=3), pairing=pairing).parts) == 3
            with pytest.raises(LimitError, match="more than 2 parts"):
                read_midi(data, limits=Limits(max_parts=2), pairing=pairing)
        assert len(PianoRoll.from_midi(data, limits=Limits(max_parts=2)))  # which needs no parts


def test_all_tracks_of_a_file_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of 65,535 tracks is read and cannot be written: struct.error."""
    monkeypatch.setattr(write, "_MIDO_TRACKS", 3)
    monkeypatch.setattr(write, "_MAX_TRACKS", 8)
    for count in (1, 2, 3, 4, 7, 8):
        score = many_parts(count)
        data = to_midi_bytes(score)
        assert int.from_bytes(data[10:12], "big") == data.count(b"MTrk") == min(count + 1, 8)
        assert read_midi(data) == read_midi(to_midi_bytes(score, writer="symusic")) == score
    with pytest.raises(LimitError, match="at most 8 tracks, one for each part, but the score has 9 parts"):
        to_midi_bytes(many_parts(9), writer="symusic")


@pytest.mark.slow
def test_65535_tracks_are_written() -> None:
    """The same with as many as the format allows."""
    score = many_parts(65_535)
    assert read_midi(to_midi_bytes(score)) == score
    with pytest.raises(LimitError, match="at most 65535 tracks"):
        to_midi_bytes(many_parts(65_536))
