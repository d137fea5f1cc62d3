"""Files that mislead MIDI readers: if these fail, music is read wrong in silence, or a good file is refused.

Each file is put together here, byte by byte; what it holds is said in ticks.
"""

import io
import os
from fractions import Fraction

import numpy as np
import pytest
from midi_bytes import END, NOTE, by_all, carefully, chunk, header, meta, number, off, on, refused, smf, spans, tempo
from typechecker import as_users_have_it

from pianoroll_seq2seq._internal.limits import Limits
from pianoroll_seq2seq.errors import LimitError, MidiError, MidiNotFoundError, SettingsError
from pianoroll_seq2seq.grid import SecondsGrid
from pianoroll_seq2seq.midi_io import read_midi, read_notes
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.tempo import MAX_TICK, TempoMap

DAMAGED = "Copy or download it again, or pass on_damage='salvage'"
FIFTIETHS = SecondsGrid(0.02)

# ------------------------------------------------------------------------------------------------- events

# What a track holds, and its notes.
EVENTS = {
    "time on control changes": (b"\x64\xb0\x07\x40" + on(3) + off(5), [(103, 108, 60)]),
    "time on program changes": (b"\x64\xc0\x07" + on(3) + off(5), [(103, 108, 60)]),
    "time on pitch bends": (b"\x64\xe0\x00\x40" + on(3) + off(5), [(103, 108, 60)]),
    "time on aftertouch": (b"\x64\xd0\x40\x0a\xa0\x3c\x40" + on(3) + off(5), [(113, 118, 60)]),
    "time on texts": (meta(100, 1, b"la") + on(3) + off(5), [(103, 108, 60)]),
    "time on tempi": (tempo(100, 400_000) + on(3) + off(5), [(103, 108, 60)]),
    "time on system exclusive": (b"\x64\xf0\x03\x01\x02\xf7" + on(3) + off(5), [(103, 108, 60)]),
    "overlap on a pitch": (on(0) + on(10) + off(10) + off(10), [(0, 20, 60), (10, 30, 60)]),
    "no length": (on(7) + off(0), [(7, 7, 60)]),
    "never ended": (on(0, 64) + on(5) + off(5), [(5, 10, 60)]),
    "ended, never begun": (off(5) + on(5) + off(5) + off(5), [(10, 15, 60)]),
    "ended twice": (on() + off(5) + off(5) + on(5) + off(5), [(0, 5, 60), (15, 20, 60)]),
    "note-on of velocity 0": (on() + on(5, 60, 0), [(0, 5, 60)]),
    "ended on another channel": (on(channel=1) + off(5, channel=2) + off(5, channel=1), [(0, 10, 60)]),
    "same pitch on two channels": (
        on() + on(1, channel=1) + off(1) + off(1, channel=1),
        [(0, 2, 60), (1, 3, 60)],
    ),
    "running status": (on() + b"\x05\x3c\x00\x05\x40\x64\x05\x40\x00", [(0, 5, 60), (10, 15, 64)]),
    "running status over meta": (on() + meta(5, 1, b"la") + b"\x05\x3c\x00", [(0, 10, 60)]),
    "running status over system exclusive": (on() + b"\x05\xf0\x02\x05\xf7\x05\x3c\x00", [(0, 10, 60)]),
    "running status over system exclusive of one byte": (on() + b"\x05\xf0\x01\xf7\x05\x3c\x00", [(0, 10, 60)]),
    "running status over empty system exclusive": (on() + b"\x05\xf0\x00\x05\x3c\x00", [(0, 10, 60)]),
    "running status over open system exclusive": (on() + b"\x05\xf0\x02\x05\x06\x05\x3c\x00", [(0, 10, 60)]),
    "running status over meta after system exclusive": (
        on() + b"\x05\xf0\x01\xf7" + meta(5, 1, b"A") + b"\x05\x3c\x00",
        [(0, 15, 60)],
    ),
    "running status of one data byte": (b"\x00\xc0\x05\x05\x06" + on() + off(5), [(5, 10, 60)]),
    "system exclusive in packets": (on() + b"\x05\xf0\x02\x01\x02\x05\xf7\x02\x03\xf7" + off(5), [(0, 15, 60)]),
    "escape that holds a note-off": (on() + b"\x05\xf7\x03\x80\x3c\x00" + off(5), [(0, 10, 60)]),
    "escape before everything": (b"\x00\xf7\x02\x05\x06" + on() + off(5), [(0, 5, 60)]),
    "empty escape": (on() + b"\x05\xf7\x00" + off(5), [(0, 10, 60)]),
    "realtime clock": (on() + b"\x05\xf8" + off(5), [(0, 10, 60)]),
    "realtime clock before running status": (on() + b"\x05\xf8\x05\x3c\x00", [(0, 10, 60)]),
    "active sensing before running status": (on() + b"\x05\xfe\x05\x3c\x00", [(0, 10, 60)]),
    "time code": (on() + b"\x05\xf1\x20" + off(5), [(0, 10, 60)]),
    "time code before running status": (on() + b"\x05\xf1\x20\x05\x3c\x00", [(0, 10, 60)]),
    "song position": (on() + b"\x05\xf2\x20\x10" + off(5), [(0, 10, 60)]),
    "song position before running status": (on() + b"\x05\xf2\x20\x10\x05\x3c\x00", [(0, 10, 60)]),
    "song choice": (on() + b"\x05\xf3\x20\x05\x3c\x00", [(0, 10, 60)]),
    "tune request": (on() + b"\x05\xf6\x05\x3c\x00", [(0, 10, 60)]),
    "pitch over 127": (b"\x00\x90\xc8\x64\x05\x80\xff\x40", [(0, 5, 127)]),
    "velocity over 127": (b"\x00\x90\x3c\xc8\x05\x80\x3c\xff", [(0, 5, 60)]),
    "program over 127": (b"\x00\xc0\xc8" + on() + off(5), [(0, 5, 60)]),
    "control over 127": (b"\x00\xb0\xc8\xc8" + on() + off(5), [(0, 5, 60)]),
    "delta of four bytes": (b"\x80\x80\x80\x05\x90\x3c\x64" + off(5), [(5, 10, 60)]),
    "time on the end of track": (NOTE + b"\x60\xff\x2f\x00", [(0, 480, 60)]),
    "events after the end of track": (NOTE + END + NOTE, [(0, 480, 60)]),
    "end of track that claims a byte": (NOTE + b"\x00\xff\x2f\x01", [(0, 480, 60)]),
    "tempo of four bytes": (b"\x00\xff\x51\x04\x06\x1a\x80\x07" + on() + off(5), [(0, 5, 60)]),
    "key signature out of range": (meta(5, 0x59, b"\x7f\x7f") + on() + off(5), [(5, 10, 60)]),
    "key signature too short": (meta(5, 0x59, b"\x01") + on() + off(5), [(5, 10, 60)]),
    "key signature too long": (meta(5, 0x59, b"\x01\x00\x00") + on() + off(5), [(5, 10, 60)]),
    "time signature of zeros": (meta(5, 0x58, bytes(4)) + on() + off(5), [(5, 10, 60)]),
    "time signature of 255": (meta(5, 0x58, b"\xff" * 4) + on() + off(5), [(5, 10, 60)]),
    "time signature too short": (meta(5, 0x58, b"\x04") + on() + off(5), [(5, 10, 60)]),
    "time signature too long": (meta(5, 0x58, bytes(9)) + on() + off(5), [(5, 10, 60)]),
    "unknown meta": (meta(5, 0x7E, b"\x80\x90\xff") + on() + off(5), [(5, 10, 60)]),
    "text of high bytes": (meta(5, 1, b"\x83\x73\xf7\xf1\xf8\xff\x51\x90") + on() + off(5), [(5, 10, 60)]),
    "text that looks like packets": (meta(5, 1, b"\x00\xf7\x01\x00\xf0\x02") + on() + off(5), [(5, 10, 60)]),
    "delta that looks like a system event": (on() + off(0x71 << 7), [(0, 0x71 << 7, 60)]),
    "meta whose length has a byte too many": (b"\x05\xff\x01\x80\x01A" + on() + off(5), [(5, 10, 60)]),
    "alone": (NOTE, [(0, 480, 60)]),
}


@pytest.mark.parametrize("kind", EVENTS)
def test_the_notes_stand_where_the_bytes_say(kind):
    """One misread event pulls every note after it out of time, or swallows the rest of the track."""
    track, expected = EVENTS[kind]
    assert spans(by_all(smf(track))) == expected
    assert sorted(spans(by_all(smf(meta(0, 1, b"first"), track, NOTE)))) == sorted([*expected, (0, 480, 60)])


def test_a_note_clipped_to_127_is_as_loud():
    """mido's clip=True reads such files so; refusing them would lose old files of careless sequencers."""
    score = by_all(smf(b"\x00\xc0\xc8\x00\x90\xc8\xc8\x05\x80\xc8\x40"))
    assert score.notes.velocity.tolist() == [127]
    assert score.parts[0].program == 127


# What a track holds, and what the message says of it.
NONSENSE = {
    "running status at the start": (b"\x00\x3c\x64", "byte 1 is data (0x3c) where an event should begin"),
    "running status after meta alone": (meta(0, 1, b"A") + b"\x00\x3c\x64", "is data (0x3c)"),
    "delta of five bytes": (b"\x80\x80\x80\x80\x05\x90\x3c\x64" + off(5), "the number at byte 0 has more than 4 bytes"),
    "length of five bytes": (b"\x00\xf0\x80\x80\x80\x80\x01\xf7" + NOTE, "the number at byte 2 has more than 4 bytes"),
    "status F4": (b"\x00\xf4" + NOTE, "byte 1 is 0xf4, which begins no event"),
    "status F5": (b"\x00\xf5" + NOTE, "byte 1 is 0xf5, which begins no event"),
    "tempo of two bytes": (b"\x00\xff\x51\x02\x07\xa1" + NOTE, "the tempo at byte 1 has 2 bytes, expected 3"),
    "tempo of no bytes": (b"\x00\xff\x51\x00" + NOTE, "the tempo at byte 1 has 0 bytes, expected 3"),
    "meta longer than the track": (NOTE + b"\x00\xff\x01\x50A", "ends inside an event"),
    "system exclusive longer than the track": (NOTE + b"\x00\xf0\x50A", "ends inside an event"),
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_events_that_make_no_sense_are_named(tmp_path, kind):
    """Guessing would put the rest of the track anywhere. The message says which track, which byte and the way out."""
    track, words = NONSENSE[kind]
    refused(tmp_path, smf(NOTE, track), "track 1 is damaged", words, DAMAGED)
    assert (0, 480, 60) in spans(by_all(smf(NOTE, track), on_damage="salvage"))


def test_a_track_may_lack_its_end():
    """Many writers forget the end of track; every event is there."""
    assert spans(by_all(header() + chunk(NOTE))) == [(0, 480, 60)]


def test_a_track_cut_inside_an_event_is_named(tmp_path):
    """Its chunk is whole, and yet the last event is not."""
    data = header() + chunk(NOTE[:-1])
    refused(tmp_path, data, "track 0 is damaged: ends inside an event", DAMAGED)


# ------------------------------------------------------------------------------------------- tracks, parts


def test_drums_are_told_from_tones():
    """Channel 10 is a drum kit whatever its program; its pitches are no pitches."""
    score = by_all(smf(b"\x00\xc9\x05" + on(channel=9) + off(5, channel=9) + on() + off(5)))
    assert score.parts == (Part(), Part(program=5, drums=True))
    assert PianoRoll.from_score(score).active.sum() == 1


def test_the_channels_and_programs_of_a_track_are_told_apart():
    """A type 0 file holds the whole band in one track."""
    score = by_all(smf(b"\x00\xc1\x21" + on(channel=1) + on() + off(5, channel=1) + off(5) + b"\x00\xc0\x28" + NOTE))
    found = [(part.program, part.channel, part.track) for part in score.parts]
    assert found == [(0, 0, 0), (40, 0, 0), (33, 1, 0)]
    assert spans(score.select(program=33)) == [(0, 5, 60)]
    assert spans(score.select(channel=0)) == [(0, 10, 60), (10, 490, 60)]


def test_a_program_that_changes_under_a_note_leaves_it_in_its_part():
    """The note's end must find it."""
    score = by_all(smf(on() + b"\x05\xc0\x05" + off(5)))
    assert (score.parts, spans(score)) == ((Part(),), [(0, 10, 60)])


def test_the_last_of_two_names_counts():
    """Copied tracks are often named twice."""
    assert by_all(smf(meta(0, 3, b"Copy of Piano") + NOTE + meta(0, 3, b"Harp"))).parts == (Part("Harp"),)


@pytest.mark.parametrize("name", [b"Caf\xe9", b"\x83\x73\x83\x41\x83\x6d", b"\xb8\xd6\xc7\xd9", b"\xff\xfe", b"\x00A"])
def test_names_that_are_not_utf8_do_not_stop_the_reading(name):
    """Latin-1, Shift-JIS, GBK: half of the world's files."""
    score = by_all(smf(meta(0, 3, name) + NOTE))
    assert spans(score) == [(0, 480, 60)]
    assert score.parts[0].name == name.decode("utf-8", errors="replace")


# --------------------------------------------------------------------------------------------------- tempo

TEMPI = {
    "none": ([NOTE], ((0, 500_000),)),
    "several": ([tempo(0, 400_000) + tempo(480, 600_000) + NOTE], ((0, 400_000), (480, 600_000))),
    "late": ([on() + tempo(240, 400_000) + off(240)], ((0, 500_000), (240, 400_000))),
    "outside track 0": ([NOTE, tempo(0, 400_000) + NOTE], ((0, 400_000),)),
    "in two tracks on a tick": ([tempo(0, 400_000) + NOTE, tempo(0, 300_000) + NOTE], ((0, 300_000),)),
    "many on a tick": ([b"".join(tempo(0, 400_000 + at) for at in range(40)) + NOTE], ((0, 400_039),)),
    "many on a tick, falling": ([b"".join(tempo(0, 400_000 - at) for at in range(40)) + NOTE], ((0, 399_961),)),
    "many on ticks of two tracks": (
        [b"".join(tempo(at % 2, 400_000 + at) for at in range(40)) + NOTE, tempo(7, 5) + tempo(1, 6) + NOTE],
        (
            *((0, 400_000), (1, 400_002), (2, 400_004), (3, 400_006), (4, 400_008), (5, 400_010), (6, 400_012)),
            *((7, 5), (8, 6), (9, 400_018), (10, 400_020), (11, 400_022), (12, 400_024), (13, 400_026)),
            *((14, 400_028), (15, 400_030), (16, 400_032), (17, 400_034), (18, 400_036), (19, 400_038)),
            (20, 400_039),
        ),
    ),
    "of four bytes": ([b"\x00\xff\x51\x04\x06\x1a\x80\x07" + NOTE], ((0, 400_000),)),
    "slowest": ([tempo(0, 2**24 - 1) + NOTE], ((0, 2**24 - 1),)),
    "fastest": ([tempo(0, 1) + NOTE], ((0, 1),)),
}


@pytest.mark.parametrize("kind", TEMPI)
def test_every_tempo_counts_and_the_last_on_a_tick_wins(kind):
    """With one tempo too few or the wrong one of two, all that follows is early or late."""
    tracks, changes = TEMPI[kind]
    assert by_all(smf(*tracks)).tempo.changes == changes


def test_a_tempo_of_zero_can_be_passed_over(tmp_path):
    """Time would stand still. The message names it and the way out."""
    data = smf(tempo(0, 400_000) + tempo(480, 0) + NOTE)
    refused(tmp_path, data, "got 0 at tick 480", "1..16777215", "on_damage='salvage'")
    assert by_all(data, on_damage="salvage").tempo.changes == ((0, 400_000),)
    roll = PianoRoll.from_midi(data, on_damage="salvage", grid=FIFTIETHS)
    assert roll == PianoRoll.from_score(read_midi(data, on_damage="salvage"), grid=FIFTIETHS)


# ------------------------------------------------------------------------------------------------ division


@pytest.mark.parametrize(
    ("frames", "rate"), [(24, Fraction(24)), (25, Fraction(25)), (29, Fraction(30_000, 1001)), (30, Fraction(30))]
)
@pytest.mark.parametrize("ticks", [1, 40, 80, 255])
def test_smpte_ticks_are_exact_fractions_of_a_second(frames, rate, ticks):
    """Files from film studios count so; tempi in them do not count, and 29 means 30000/1001."""
    division = (256 - frames) << 8 | ticks
    places = [0, 1, 1000, 123_457]
    track = tempo(0, 300_000) + b"".join(on() + off(after) for after in np.diff(places).tolist())
    score = by_all(smf(track, division=division))
    assert score.notes.end_tick.tolist() == places[1:]
    for tick in (*places, MAX_TICK):
        units = int(score.tempo.time_units(np.array([tick]))[0])
        assert Fraction(units, 1_000_000 * score.tempo.ticks_per_beat) == tick / (rate * ticks)
        exact = 50 * tick / (rate * ticks)
        line = (exact + Fraction(1, 2)).__floor__()
        assert FIFTIETHS.lines_at(np.array([tick]), score.tempo).tolist() == [line]


@pytest.mark.parametrize("division", [0, 0xE800, 0xE700, 0xE328 - 0x0100 * 5, 0x8000, 0xFFFF])
def test_a_division_that_says_no_time_is_refused(tmp_path, division):
    """0 ticks would divide by zero; there are four SMPTE time codes, and none has 0 ticks."""
    words = (f"{division:#06x}", "expected 1..32767 ticks per beat or SMPTE at 24, 25, 29 or 30", "Export it again")
    refused(tmp_path, smf(NOTE, division=division), *words)
    refused(tmp_path, smf(NOTE, division=division), *words, on_damage="salvage")


@pytest.mark.parametrize("division", [1, 32_767])
def test_the_least_and_the_most_ticks_in_a_beat(division):
    """Both are allowed; a count in 16 bits with a sign would turn."""
    assert by_all(smf(NOTE, division=division)).tempo == TempoMap(division)


# ------------------------------------------------------------------------------------- header and chunks

BODY = chunk(NOTE + END)
RIFF = b"RIFF" + (22 + len(BODY)).to_bytes(4, "little") + b"RMIDdata" + (14 + len(BODY)).to_bytes(4, "little")
CONTAINERS = {
    "type 0": smf(NOTE, kind=0),
    "type 1": smf(NOTE, kind=1),
    "type 2 of one pattern": smf(NOTE, kind=2),
    "type 0 of two tracks": smf(NOTE, b"", kind=0),
    "header of eight bytes": b"MThd\x00\x00\x00\x08" + header()[8:] + b"\x00\x00" + BODY,
    "header of a hundred bytes": b"MThd\x00\x00\x00\x64" + header()[8:] + bytes(94) + BODY,
    "stranger before": header() + chunk(b"hello", name=b"XFIH") + BODY,
    "stranger between": header(2) + BODY + chunk(NOTE, name=b"XFKM") + chunk(END),
    "stranger after": header() + BODY + chunk(b"hello", name=b"XFKM"),
    "stranger of no length": header() + chunk(b"", name=b"\x00\x00\x00\x00") + BODY,
    "more tracks than said": header(1) + BODY + BODY,
    "RIFF": RIFF + header() + BODY,
    "RIFF, odd size": RIFF[:4] + b"\xff\xff\xff\xff" + RIFF[8:] + header() + BODY + b"\x00",
    "rubbish behind": header() + BODY + b"\r\n\x1a\x00MTr" + bytes(100),
    "a track's beginning behind": header() + BODY + b"MTrk\x00\x00",
    "track of no bytes": header(2) + BODY + chunk(b""),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_what_stands_around_the_tracks_is_passed_over(kind):
    """Karaoke, Yamaha and Windows put chunks and wrappers of their own around good music."""
    assert spans(by_all(CONTAINERS[kind])) == [(0, 480, 60)]
    assert spans(by_all(CONTAINERS[kind], on_damage="salvage")) == [(0, 480, 60)]


# The bytes, what the message says, and the notes that can be saved.
LOST = {
    "no tracks, one announced": (header(1), "0 of the 1 tracks that its header announces", []),
    "fewer tracks than announced": (header(3) + BODY, "1 of the 3 tracks that its header announces", [(0, 480, 60)]),
    "track that claims too much": (
        header() + chunk(NOTE + END, length=500),
        f"track 0 has {len(NOTE + END)} of 500 bytes",
        [(0, 480, 60)],
    ),
    "track that claims too little": (
        header(2) + chunk(NOTE + NOTE, length=len(NOTE)) + BODY,
        "cut short; ",
        [(0, 480, 60)],
    ),
    "track that claims 4 GB": (header() + chunk(NOTE, length=2**32 - 1), "of 4294967295 bytes", [(0, 480, 60)]),
    "header of four bytes": (b"MThd\x00\x00\x00\x04" + header()[8:] + BODY, "claims 4 bytes, expected 6", None),
    "type 3": (smf(NOTE, kind=3), "type is 3, expected 0, 1 or 2", [(0, 480, 60)]),
}


@pytest.mark.parametrize("kind", LOST)
def test_chunks_that_contradict_the_header_are_named(tmp_path, kind):
    """Half a song would pass for a whole one. What is there can be saved on request."""
    data, words, saved = LOST[kind]
    refused(tmp_path, data, words, DAMAGED)
    if saved is not None:
        assert spans(by_all(data, on_damage="salvage")) == saved


def test_a_file_of_no_tracks_holds_no_music():
    """It is as its header says; an error says that it has no notes."""
    assert len(by_all(header(0)).notes) == 0
    with pytest.raises(MidiError, match="no notes"):
        PianoRoll.from_midi(header(0))


def test_a_file_of_patterns_is_refused(tmp_path):
    """Type 2 tracks are played one at a time, by hand; together they would be a noise."""
    words = ("type 2, 2 patterns that are not played together", "Save each pattern as a file of its own")
    refused(tmp_path, smf(NOTE, NOTE, kind=2), *words)
    refused(tmp_path, smf(NOTE, NOTE, kind=2), *words, on_damage="salvage")


NO_MIDI = {
    "empty": (b"", "the file is empty (0 bytes). Copy or download it again."),
    "thirteen bytes": (header()[:13], "cut short inside its header (13 of 14 bytes). Copy or download it again."),
    "four bytes": (b"MThd", "cut short inside its header (4 of 14 bytes)"),
    "text": (b"# A song, la la la\n" * 9, "not a MIDI file; it starts with b'# A ', expected b'MThd'"),
    "tracks alone": (BODY, "not a MIDI file; it starts with b'MTrk'"),
    "RIFF of sound": (b"RIFF\x00\x00\x00\x00WAVEfmt ", "not a MIDI file; it is WAV sound"),
    "RIFF without a header": (RIFF, "a RIFF file without MIDI data; expected a chunk 'data'"),
    "zeros": (bytes(10_000), "not a MIDI file"),
}


@pytest.mark.parametrize("kind", NO_MIDI)
@pytest.mark.parametrize("on_damage", ["error", "salvage"])
def test_what_is_no_midi_is_named(tmp_path, kind, on_damage):
    """A page saved in place of the file, an empty download: the message says what came."""
    data, words = NO_MIDI[kind]
    refused(tmp_path, data, words, on_damage=on_damage)


def test_paths_that_cannot_be_read_are_named(tmp_path):
    """A folder, a missing file, a file of someone else: each with its own words."""
    with pytest.raises(MidiError, match="a folder; expected a MIDI file"):
        read_midi(tmp_path)
    with pytest.raises(MidiNotFoundError, match=r"no\.mid: no such file"):
        read_midi(tmp_path / "no.mid")
    path = tmp_path / "song.mid"
    path.write_bytes(smf(NOTE))
    path.chmod(0)
    if not os.access(path, os.R_OK):  # the superuser reads everything
        with pytest.raises(MidiError, match=r"song\.mid: cannot be read \("):
            read_midi(path)


# ---------------------------------------------------------------------------------------------- long files


def wait(ticks: int) -> bytes:
    """Silence of any length, in texts."""
    most = 2**28 - 1
    return meta(most, 1) * (ticks // most) + meta(ticks % most, 1)


def test_ticks_up_to_the_last_are_read():
    """The last that fits 32 bits; one further, symusic would count from below zero."""
    assert spans(by_all(smf(wait(MAX_TICK - 5) + on() + off(5)))) == [(MAX_TICK - 5, MAX_TICK, 60)]


@pytest.mark.parametrize("onset", [2**31 - 5, 2**31, 2**31 + 480, 2**32 - 5, 2**32, 2**32 + 480, 2**33 + 7])
def test_ticks_that_wrap_are_refused(tmp_path, onset):
    """symusic hands back such notes near tick 0 or below, in silence."""
    data = smf(NOTE + wait(onset - 480) + on() + off(10))
    refused(tmp_path, data, f"track 0 has a note that ends at tick {onset + 10}, past {MAX_TICK}", DAMAGED)
    assert spans(by_all(data, on_damage="salvage")) == [(0, 480, 60)]


def test_a_tempo_past_the_last_tick_is_refused(tmp_path):
    """Wrapped, it would change the tempo of the beginning."""
    data = smf(NOTE, wait(2**32) + tempo(240, 400_000))
    refused(tmp_path, data, "got 400000 at tick 4294967536", "on_damage='salvage'")
    assert by_all(data, on_damage="salvage").tempo == TempoMap(480)


def test_waiting_in_many_small_steps_wraps_as_well(tmp_path):
    """The sum counts, not the largest."""
    data = smf(meta(2**27 - 1, 1) * 17 + NOTE)
    refused(tmp_path, data, f"past {MAX_TICK}")


HOURS = 3600 * 960  # ticks at 120 BPM and 480 ticks a beat


def test_a_stray_event_200_hours_out_does_no_harm():
    """Editors leave such marks; no roll may be made for them."""
    roll = PianoRoll.from_midi(smf(NOTE + wait(200 * HOURS)), grid=FIFTIETHS)
    assert len(roll.active) == 25


def test_a_stray_note_200_hours_out_is_refused_and_can_be_cut_off(tmp_path):
    """36 million frames for one slip. The message says where the notes are; until() saves the rest."""
    path = tmp_path / "song.mid"
    path.write_bytes(smf(NOTE * 300 + wait(200 * HOURS) + NOTE))
    for make in (PianoRoll.from_midi, lambda path, grid: PianoRoll.from_score(read_midi(path), grid=grid)):
        with pytest.raises(LimitError) as caught:
            make(path, grid=FIFTIETHS)
        for part in (
            "song",
            "36007525 frames of 88 pitches, over the limits of 2000000 frames and 150000000 cells",
            "its last note ends at 720150 s, while 99 % of its notes have ended by 149 s",
            "Cut off strays with read_midi(path).truncate(seconds), use a coarser grid, or pass limits=Limits(...)",
        ):
            assert part in str(caught.value)
    assert len(PianoRoll.from_score(read_midi(path).truncate(600), grid=FIFTIETHS).active) == 300 * 25
    assert str(path) in _limit_message(path)


def _limit_message(path) -> str:
    with pytest.raises(LimitError) as caught:
        PianoRoll.from_midi(path, grid=FIFTIETHS)
    return str(caught.value)


def test_six_hours_of_music_are_read():
    """Someone's whole concert, recorded in one go."""
    data = smf((on() + off(10 * 960)) * (6 * 360))
    score = by_all(data)
    assert score.end_seconds == 6 * 3600
    roll = PianoRoll.from_midi(data, grid=FIFTIETHS)
    assert roll.active.shape == (6 * 3600 * 50, 88)
    assert roll.onset.sum() == 6 * 360


# ---------------------------------------------------------------------------------------------- file sizes


def test_a_file_over_the_limit_is_not_read(tmp_path):
    """A film renamed to .mid must not fill the memory: 1 GB is refused before a byte is read."""
    path = tmp_path / "film.mid"
    with path.open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(
        LimitError, match=r"film\.mid: 1073741824 bytes, over the limit of \d+ bytes.*Limits\(max_file_"
    ):
        read_midi(path)


def test_the_limit_on_bytes_is_exact(tmp_path):
    """One byte more than allowed is too much, wherever the bytes come from."""
    data = smf(NOTE)
    path = tmp_path / "song.mid"
    path.write_bytes(data)
    for source in (path, data, io.BytesIO(data)):
        assert spans(read_midi(source, limits=Limits(max_file_bytes=len(data)))) == [(0, 480, 60)]
    for source in (path, data, io.BytesIO(data)):
        with pytest.raises(LimitError, match=f"{len(data)} bytes, over the limit of {len(data) - 1} bytes"):
            read_midi(source, limits=Limits(max_file_bytes=len(data) - 1))


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs a device that never ends")
def test_what_is_no_file_to_read_is_named(tmp_path):
    """A file opened as text, or a variable that was never set, ends in an error from somewhere inside."""
    path = tmp_path / "song.mid"
    path.write_bytes(smf(NOTE))
    plain = as_users_have_it(read_notes)
    with path.open(encoding="utf-8") as text:
        for source in (text, io.StringIO("MThd"), None, 7):
            with pytest.raises(SettingsError, match=r"as open\(path, 'rb'\); got .*(Text|String|None|7)"):
                plain(source)
    with pytest.raises(MidiNotFoundError, match=r"'a\\x00b': not a valid path"):
        read_midi("a\0b")


def test_bytes_of_any_kind_are_read():
    """Buffers of network and database libraries are bytearrays and memoryviews."""
    data = smf(NOTE)
    assert spans(read_midi(bytearray(data))) == spans(read_midi(memoryview(data))) == [(0, 480, 60)]


def test_a_stream_that_never_ends_is_left():
    """A device or a pipe says that it has 0 bytes."""
    with pytest.raises(LimitError, match=r"/dev/zero: .* over the limit"):
        read_midi("/dev/zero", limits=Limits(max_file_bytes=10_000))


def test_a_slip_in_on_damage_is_an_error():
    """on_damage='salvag' must not quietly be the strict reading."""
    with pytest.raises(SettingsError, match="on_damage must be 'error' or 'salvage', got 'salvag'"):
        as_users_have_it(read_notes)(smf(NOTE), on_damage="salvag")


def test_deltas_are_written_as_they_are_read():
    """The tests' own writer of numbers, which all of them trust."""
    assert [number(value) for value in (0, 127, 128, 16_383, 2**28 - 1)] == [
        b"\x00",
        b"\x7f",
        b"\x81\x00",
        b"\xff\x7f",
        b"\xff\xff\xff\x7f",
    ]
    assert carefully(smf(NOTE)) == read_midi(smf(NOTE))
