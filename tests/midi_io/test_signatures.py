"""Time and key signatures of files: if these fail, a piece that is opened and saved has other bars or another key."""

import io
import re
from unittest import mock

import mido
import pretty_midi
import pytest
import symusic
from hypothesis import given
from midi_bytes import NOTE, by_all, chunk, header, meta, smf
from strategies import file_bytes, midi_files

from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.midi_io import read, read_midi, to_midi_bytes
from pianoroll_seq2seq.signatures import KeySignature, TimeSignature

_KEY = re.compile(r"([A-G][b#]?)(m?)")
_LINE_OF_FIFTHS = ["Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#"]


def time(delta: int, numerator: int, power: int, rest: bytes = b"\x18\x08") -> bytes:
    return meta(delta, 0x58, bytes([numerator, power]) + rest)


def key(delta: int, fifths: int, minor: int = 0) -> bytes:
    return meta(delta, 0x59, bytes([fifths & 0xFF, minor]))


def meter_of(file: mido.MidiFile) -> Meter:
    """The signatures as mido reads them, those of a denominator above 128 left out."""
    times, keys = [], []
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "time_signature" and message.denominator <= 128:
                times.append(TimeSignature(tick, message.numerator, message.denominator))
            elif message.type == "key_signature":
                tonic, minor = _KEY.fullmatch(message.key).groups()
                keys.append(KeySignature(tick, _LINE_OF_FIFTHS.index(tonic) - (10 if minor else 7), bool(minor)))
    return Meter(times, keys)


@given(midi_files())
def test_signatures_are_those_that_mido_reads(file):
    """In every track, and the last one on a tick."""
    data = file_bytes(file)
    assert by_all(data).meter == meter_of(mido.MidiFile(file=io.BytesIO(data)))


def test_songs_hold_the_signatures_that_mido_reads(pop909_dir, scale_chords_dir):
    """A fifth of POP909's files have two time signatures on their first tick."""
    meters = []
    for path in sorted(pop909_dir.glob("*.mid"))[::8]:
        meters.append(read_midi(path).meter)
        assert meters[-1] == meter_of(mido.MidiFile(path)), path.name
    assert all(meter.time_signatures for meter in meters)
    assert any(meter.key_signatures for meter in meters)
    for path in sorted(scale_chords_dir.rglob("*.mid"))[::40]:  # has none
        assert read_midi(path).meter == meter_of(mido.MidiFile(path)) == Meter()


@pytest.mark.parametrize(
    ("events", "times", "keys"),
    [
        (time(0, 3, 2) + time(0, 4, 2), [(0, 4, 4)], []),
        (time(0, 4, 2) + time(0, 3, 2) + time(0, 4, 2), [(0, 4, 4)], []),
        (time(0, 6, 3) + time(5, 2, 1) + key(5, -3, 1), [(0, 6, 8), (5, 2, 2)], [(10, -3, True)]),
        (time(0, 3, 2) + time(0, 0, 2) + time(0, 4, 8) + time(0, 4, 255), [(0, 3, 4)], []),
        (time(0, 255, 7) + time(1, 1, 0), [(0, 255, 128), (1, 1, 1)], []),
        (key(0, 7) + key(0, 8) + key(0, -8) + key(0, 100) + key(0, 0, 2), [], [(0, 7, False)]),
        (key(0, 2) + key(0, -7, 1) + key(9, 0), [], [(0, -7, True), (9, 0, False)]),
        (time(0, 3, 2, b"") + time(1, 5, 2, b"\x18\x08\x00\x00\x00"), [(0, 3, 4), (1, 5, 4)], []),
        (meta(0, 0x58, b"\x03") + meta(0, 0x59, b"\x02") + meta(0, 0x58) + meta(0, 0x59), [], []),
        (meta(0, 0x59, b"\x02\x00\x00"), [], [(0, 2, False)]),
        (meta(0, 0x01, b"\xff\x58\x04\x03\x02\x18\x08") + time(0, 2, 2), [(0, 2, 4)], []),
        (b"\x00\xff\x58\x80\x80\x80\x04\x03\x02\x18\x08" + time(0, 2, 2) + time(0, 3, 2), [(0, 3, 4)], []),
    ],
)
def test_odd_signatures_are_left_out_or_read(events, times, keys):
    """One that cannot be would end in an error, or in bars without end; the notes do not need it."""
    expected = Meter([TimeSignature(*row) for row in times], [KeySignature(*row) for row in keys])
    for data in (smf(events + NOTE), smf(NOTE, events), smf(b"", events + NOTE, NOTE), smf(NOTE, events, kind=1)):
        score = by_all(data)
        assert score.meter == expected
        assert read_midi(data, on_damage="salvage").meter == expected
        assert len(score.notes) == data.count(NOTE)


def test_a_signature_past_the_last_tick_is_left_out():
    """It would end in an error about a note that is not there."""
    late = b"".join(meta(2**28 - 1, 1) for _ in range(9))
    for reading in ({}, {"on_damage": "salvage"}):
        score = read_midi(smf(NOTE, late + time(0, 3, 2) + key(0, 1)), **reading)
        assert (score.meter, len(score.notes)) == (Meter(), 1)


def test_later_tracks_win_on_a_tick():
    """The order of tracks decides, as for tempi."""
    for first, second in ((3, 5), (5, 3)):
        data = smf(time(0, first, 2) + NOTE, b"\x05" + NOTE[1:], time(0, second, 2) + NOTE)
        assert by_all(data).meter == Meter([TimeSignature(0, second, 4)])


def test_signatures_before_a_damage_are_kept():
    """A file that broke off has the bars of what is left."""
    data = header() + chunk(time(0, 3, 2) + NOTE + key(0, 1) + time(5, 2, 2)[:5])
    assert by_all(data, on_damage="salvage").meter == Meter([TimeSignature(0, 3, 4)], [KeySignature(480, 1)])


def test_conflicting_signatures_do_not_make_reading_slow(pop909_dir):
    """A fifth of the songs would be left to the careful reader."""
    carefully = mock.patch.object(read, "_carefully", side_effect=AssertionError("read carefully"))
    with loops.forced(active=False), carefully:
        assert read_midi(pop909_dir / "008.mid").meter == Meter([TimeSignature(0, 2, 4)], [KeySignature(0)])


# --------------------------------------------------------------------------------------- written and read again


def _written_again(path, score) -> None:
    for writer in ("symusic", "mido")[: 1 if len(score.controllers) else 2]:  # mido writes controllers
        data = to_midi_bytes(score, writer=writer)
        again = read_midi(data, controllers=len(score.controllers) > 0)
        assert again == score, path.name
        assert [part.name for part in again.parts] == [part.name for part in score.parts]
        assert meter_of(mido.MidiFile(file=io.BytesIO(data))) == score.meter, path.name
    by_symusic = symusic.Score.from_midi(data)
    times = [TimeSignature(one.time, one.numerator, one.denominator) for one in by_symusic.time_signatures]
    keys = [KeySignature(one.time, one.key, bool(one.tonality)) for one in by_symusic.key_signatures]
    assert Meter(times, keys) == score.meter, path.name
    assert sum(len(track.notes) for track in by_symusic.tracks) == len(score.notes)


_SLICES = [(0, 50), *(pytest.param(start, 8, marks=pytest.mark.slow) for start in range(8))]


@pytest.mark.parametrize(("start", "step"), _SLICES)
def test_real_files_lose_nothing_when_they_are_written(pop909_dir, scale_chords_dir, start, step):
    """Notes, velocities, programs, names, tempi, signatures and controllers, as we, mido and symusic read them."""
    for path in sorted([*pop909_dir.glob("*.mid"), *scale_chords_dir.rglob("*.mid")])[start::step]:
        _written_again(path, read_midi(path))
        _written_again(path, read_midi(path, controllers=True))


def test_pretty_midi_reads_the_signatures_that_we_write(pop909_dir):
    """Users of pretty_midi would see other bars."""
    for path in sorted(pop909_dir.glob("*.mid"))[::40]:
        score = read_midi(path, controllers=True)
        read_again = pretty_midi.PrettyMIDI(io.BytesIO(to_midi_bytes(score)))
        times = [(one.numerator, one.denominator) for one in read_again.time_signature_changes]
        assert times == [(one.numerator, one.denominator) for one in score.meter.time_signatures]
        assert len(read_again.key_signature_changes) == len(score.meter.key_signatures)
        pedals = sum(len(one.control_changes) for one in read_again.instruments)
        assert pedals == (score.controllers.kind == 0xB0).sum()
