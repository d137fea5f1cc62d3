"""Two readers and two ways to a roll: if these fail, the same file is other music, depending on who reads it."""

import random
from itertools import islice
from unittest import mock

import pytest
from hypothesis import given
from midi_bytes import END, NOTE, assert_all_agree, by_all, chunk, header, meta, off, on, smf, tempo
from strategies import SONG_FILES, file_bytes, midi_files

from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq.errors import MidiError
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.midi_io import read, read_midi
from pianoroll_seq2seq.pianoroll import PianoRoll

GRIDS = [SecondsGrid(0.02), BeatGrid(4)]

# Bytes with a meaning of their own, and events to be thrown in.
_SINGLE = bytes.fromhex("00010203042f4051597f80818f9099b0c0d0e0f0f1f2f3f4f6f7f8feff")
_EVENTS = [
    *(
        b"\xff\x51\x03\x00\x00\x00",
        b"\xff\x2f\x00",
        b"\xff\xff\xff\x7f",
        b"\xff\xff\xff\xff\x7f",
        b"\x00\xf7\x02\x90\x40",
    ),
    *(b"\x00\xf0\x02\x01\xf7", b"\xff\x59\x02\x7f\x7f", b"\xff\x58\x04\x00\x00\x00\x00", b"\xff\x03\x01\xff", b"MTrk"),
    *(b"\x00\xc5\x90", b"\x00\xb0\x40\x7f", b"\x00\xff\x51\x03\x07\xa1\x20", b"\x00\xff\x20\x01\x09", b"\x00\xf8"),
    *(b"\x00\xff\x05\x01A", b"\x05\x3c\x00", b"\x00\xf0\x00", b"\x00\xf1\x05", b"\x00\xf2\x05\x06", b"\x00\xfe"),
]
SEEDS = [
    smf(tempo(0, 400_000) + on() + off(480) + b"\x05\x3c\x40\x05\x3c\x00" + NOTE),
    smf(meta(0, 3, b"Piano"), on() + b"\x60\xf0\x03\x01\x02\xf7\x05\x3c\x00" + NOTE + meta(3, 1, b"la") + NOTE),
    smf(b"".join(on(1, pitch) + off(200, pitch) for pitch in range(40, 80)), tempo(99, 300_000) + NOTE),
    smf(b"\x00\xc3\x07" + on(channel=3) + on(5, 64, 3 << 4, 3) + off(5, 60, 3) + off(5, 64, 3), NOTE),
]


def _mutated(choose: random.Random, seeds: list[bytes]) -> bytes:
    """A file with one to six accidents; mostly with the lengths of its chunks made good, so that it is read on."""
    data = bytearray(choose.choice(seeds))
    for _ in range(choose.choice((1, 1, 1, 2, 3, 6))):
        at = choose.randrange(len(data))
        match choose.randrange(7):
            case 0:
                data[at] = choose.choice(_SINGLE)
            case 1:
                data[at] ^= 1 << choose.randrange(8)
            case 2:
                data[at:at] = bytes([choose.choice(_SINGLE)])
            case 3:
                del data[at : at + choose.choice((1, 1, 2, 3))]
            case 4:
                data[at:at] = choose.choice(_EVENTS)
            case 5:
                data[at] = choose.randrange(256)
            case 6:
                other = choose.choice(seeds)
                start = choose.randrange(len(other))
                data[at : at + choose.choice((0, 4, 30))] = other[start : start + choose.randrange(1, 60)]
    if choose.random() < 0.85:
        before, *tracks = bytes(data).split(b"MTrk")
        data = bytearray(before + b"".join(chunk(track[4:]) for track in tracks))
    return bytes(data)


def test_all_readers_agree_on_accidents():
    """A file with one bad byte would be read by other rules, or only by one of the two."""
    choose = random.Random(1)
    for _ in range(400):
        assert_all_agree(_mutated(choose, SEEDS))


def test_all_readers_agree_on_accidents_of_real_files(scale_chords_dir, pop909_dir):
    """The same with what real sequencers write."""
    paths = [
        *islice(sorted(scale_chords_dir.rglob("*.mid")), 0, None, 10),
        *islice(sorted(pop909_dir.glob("*.mid")), 4),
    ]
    seeds = [path.read_bytes() for path in paths]
    choose = random.Random(2)
    for _ in range(300):
        assert_all_agree(_mutated(choose, seeds))


_BEFORE, _AFTER = on(0, 64) + off(0x20, 64), b"\x20\x80\x3c\x40" + on(5) + off(5)


@pytest.mark.no_cover
@pytest.mark.parametrize("status", range(0x80, 0x100))
def test_all_readers_agree_on_every_status(status):
    """Each status, with too little, enough and too much data, followed by its own status and by running status."""
    for rest in (b"", b"\x05", b"\x05\x06", b"\x05\x06\x07", b"\x85\x06", b"\x05\x86", b"\x85", b"\x00", b"\x01\x00"):
        event = b"\x10" + bytes([status]) + rest
        for track in (event + on() + _AFTER, on() + event + _AFTER, on() + event + b"\x20\x3c\x00" + NOTE):
            assert_all_agree(header() + chunk(_BEFORE + track + END))
            assert_all_agree(header(2) + chunk(track + END) + chunk(NOTE + END))


@pytest.mark.no_cover
@pytest.mark.parametrize("status", range(0x80, 0x100))
def test_all_readers_agree_on_numbers_that_are_too_long(status):
    """symusic reads four bytes of one and takes the fifth for a status."""
    for start in (b"\x80" * 4, b"\x87\xff\xff\xff", b"\xff" * 4, b"\x81" * 7):
        for rest in (b"\x05", b"\x3c\x40", b"\x01\xf7", b"\x7f\x40"):
            long = start + bytes([status]) + rest
            for event in (long, b"\x05\xff\x01" + long, b"\x05\xff\x51\x03\x07\xff\xff" + long, b"\x05\xf0" + long):
                assert_all_agree(header() + chunk(NOTE + event + NOTE * 20 + END))


@pytest.mark.no_cover
@pytest.mark.parametrize("kind", range(128))
def test_all_readers_agree_on_every_meta_event(kind):
    """Each kind in every length, also those that the standard fixes."""
    for length in (0, 1, 2, 3, 4, 5, 8, 200):
        content = bytes(index & 0x7F for index in range(1, 1 + length))
        assert_all_agree(smf(on() + meta(8, kind, content) + b"\x20\x3c\x00" + NOTE))
        assert_all_agree(smf(on() + meta(8, kind, b"\xff" * length) + off(5) + NOTE))


# ------------------------------------------------------------------------------------------ two ways to a roll


def _roll(make, source, **settings):
    try:
        return make(source, outside="drop", **settings)
    except ValueError as error:
        return type(error)


def _same_rolls(data: bytes) -> None:
    score = read_midi(data)
    for grid in GRIDS:
        for drums, compiled in ((False, False), (True, False), (False, True), (True, True)):
            with loops.forced(compiled):
                quick = _roll(PianoRoll.from_midi, data, grid=grid, drums=drums)
            assert quick == _roll(PianoRoll.from_score, score, grid=grid, drums=drums)
            if isinstance(quick, PianoRoll):
                assert quick.tempo == score.tempo


@given(SONG_FILES)
def test_a_roll_of_a_file_is_the_roll_of_its_score(file):
    """The quick way leaves the parts together; it must not leave out or add a note."""
    _same_rolls(file_bytes(file))


@pytest.mark.no_cover
def test_a_roll_of_a_real_file_is_the_roll_of_its_score(scale_chords_dir, pop909_dir):
    """The same on what real sequencers write."""
    for path in sorted([*scale_chords_dir.rglob("*.mid"), *pop909_dir.glob("*.mid")]):
        _same_rolls(path.read_bytes())


@given(midi_files())
def test_a_part_of_a_file_is_the_part_of_its_score(file):
    """A selected melody must be the melody."""
    data = file_bytes(file)
    score = by_all(data)
    for part in score.parts:
        selected = {"track": part.track, "channel": part.channel} | ({} if part.drums else {"program": part.program})
        for settings_ in ({"track": part.track}, {"channel": part.channel}, selected):
            # A large file's roll may be too large on this grid: then both say so.
            quick = _roll(PianoRoll.from_midi, data, drums=True, **settings_)
            assert quick == _roll(PianoRoll.from_score, score.select(**settings_), drums=True)


def test_the_fast_reader_reads_real_files(scale_chords_dir, pop909_dir):
    """Were they all left to the careful reader, everything would still be right, and fifty times slower."""
    carefully = mock.patch.object(read, "_carefully", side_effect=AssertionError("read carefully"))
    with loops.forced(active=False), carefully:
        for path in sorted([*scale_chords_dir.rglob("*.mid"), *pop909_dir.glob("*.mid")]):
            PianoRoll.from_midi(path, drums=True, outside="drop")


# --------------------------------------------------------------------------------------------------- salvage

BAND = smf(
    tempo(0, 400_000) + meta(0, 3, b"Band"),
    b"".join(on(3, pitch) + off(200, pitch) for pitch in range(50, 60))
    + on(5, 70)
    + on(5, 70)
    + off(5, 70)
    + off(5, 70),
    b"\x00\xc1\x21" + on(0, 40, 90, 1) + b"\x60\x28\x00\x05\x2a\x64\x83\x60\x2a\x00" + meta(5, 1, b"la") + NOTE,
)


def _ends(track: bytes, start: int):
    """At which byte of the file a track's notes are whole, and all of them up to there."""
    whole = read_midi(header() + chunk(track)).notes
    known = 0
    for length in range(len(track) + 1):
        try:
            score = read_midi(header() + chunk(track[:length] + END))
        except MidiError:
            continue
        notes = _rows(score.notes)
        if len(notes) > known and set(notes) <= set(_rows(whole)):
            yield start + length, notes
            known = len(notes)


def _rows(notes) -> list[tuple[int, ...]]:
    columns = (notes.onset_tick, notes.end_tick, notes.pitch, notes.velocity)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_a_file_cut_at_any_byte_gives_every_note_that_ended_before():
    """A download that broke off: what is there is not to be lost, and nothing may be made up."""
    ends = []  # (byte at which the note is whole, track, note)
    start = BAND.index(b"MTrk")
    for index, part in enumerate(BAND[start:].split(b"MTrk")[1:]):
        known: list = []
        for place, notes in _ends(part[4:], start + 8):
            ends += [(place, index, note) for note in notes if note not in known]
            known = notes
        start += 4 + len(part)
    assert len(ends) == len(read_midi(BAND).notes) == 15
    for length in range(len(BAND) + 1):
        try:
            score = read_midi(BAND[:length], on_damage="salvage")
        except MidiError:
            assert length < 14
            continue
        tracks = [score.parts[part].track for part in score.notes.part.tolist()]
        saved = sorted(zip(tracks, _rows(score.notes), strict=True))
        assert saved == sorted((track, note) for place, track, note in ends if place <= length), length
        if length < len(BAND) - 4:  # the last end of track may be missing
            with pytest.raises(MidiError, match="cut short"):
                read_midi(BAND[:length])


def test_a_real_file_cut_anywhere_is_salvaged(pop909_dir):
    """More bytes never give fewer notes, and none that the whole file does not have."""
    data = sorted(pop909_dir.glob("*.mid"))[0].read_bytes()
    whole = read_midi(data)
    columns = ("onset_tick", "end_tick", "pitch", "velocity")

    def rows(score):
        tracks = [score.parts[part].track for part in score.notes.part.tolist()]
        return set(zip(tracks, *(getattr(score.notes, name).tolist() for name in columns), strict=True))

    before = 0
    for length in range(14, len(data), 97):
        saved = rows(read_midi(data[:length], on_damage="salvage"))
        assert saved <= rows(whole)
        assert len(saved) >= before
        before = len(saved)
        with pytest.raises(MidiError):
            read_midi(data[:length])
    assert rows(read_midi(data, on_damage="salvage")) == rows(whole)


def test_rubbish_before_the_header_is_cut_off_on_request():
    """A mail's first lines, or a disk's."""
    data = b"Content-Type: audio/midi\r\n\r\n" + smf(NOTE)
    with pytest.raises(MidiError, match="not a MIDI file"):
        read_midi(data)
    assert by_all(data, on_damage="salvage") == read_midi(smf(NOTE))


def test_damage_in_one_track_leaves_the_others_alone():
    """Each track is saved for itself."""
    data = smf(NOTE, NOTE + b"\x00\xf4" + NOTE, NOTE)
    assert len(by_all(data, on_damage="salvage").notes) == 3
