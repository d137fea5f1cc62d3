"""Channels in the order of events: if these fail, pedals, programs or drums of a file are not those that it plays."""

import struct
from unittest import mock

import mido
import pytest
from event_player import (
    GM2_ON,
    GM_ON,
    GS_RESET,
    XG_ALL_RESET,
    XG_ON,
    files_of_channels,
    gs_rhythm_part,
    played,
    sounded,
    xg_part_mode,
)
from hypothesis import given
from hypothesis import strategies as st
from midi_bytes import END, NOTE, READERS, by_all, chunk, header, meta, number, off, on, smf, spans
from strategies import file_bytes

from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq.errors import MidiError
from pianoroll_seq2seq.midi_io import read, read_midi
from pianoroll_seq2seq.pianoroll import PianoRoll


def control(delta: int, controller: int, value: int = 0, channel: int = 0) -> bytes:
    return number(delta) + bytes([0xB0 | channel, controller, value])


def program(value: int, channel: int = 0, delta: int = 0) -> bytes:
    return number(delta) + bytes([0xC0 | channel, value])


def exclusive(data: tuple[int, ...], delta: int = 0) -> bytes:
    return number(delta) + b"\xf0" + number(len(data) + 1) + bytes(data) + b"\xf7"


DOWN, UP = control(0, 64, 127), control(0, 64, 0)

# ------------------------------------------------------------------------------- compared with the event player

POLICIES = st.fixed_dictionaries(
    {"sustain": st.booleans()},
    optional={"pairing": st.sampled_from(["first", "last"]), "unended": st.sampled_from(["drop", "hold"])},
)


@given(files_of_channels(), POLICIES)
def test_what_is_read_is_what_is_played(file, policies):
    """Tracks that share channels: each reader gives the notes of a player of all events in order."""
    data, expected = file_bytes(file), played(file, **policies)
    for reader in READERS:
        assert sounded(reader(data, **policies)) == expected, reader


@given(files_of_channels())
def test_a_roll_has_the_drums_that_are_played(file):
    """The quick way to a roll does not look at programs, but at drums."""
    expected = {(note.onset, note.pitch) for note in played(file) if not note.drums}
    for compiled in (False, True):
        with loops.forced(compiled):
            notes = read.read_notes(file_bytes(file), parts=False)
        tones = [columns for columns, part in zip(notes.columns, notes.parts, strict=True) if not part.drums]
        assert {row for onset, _, pitch, _ in tones for row in zip(onset, pitch, strict=True)} == expected


def _compare(path) -> None:
    file, data = mido.MidiFile(path), path.read_bytes()
    for sustain in (False, True):
        expected = played(file, sustain=sustain)
        for compiled in (False, True):
            with loops.forced(compiled):
                assert sounded(read_midi(data, sustain=sustain)) == expected, path


def test_songs_are_read_as_they_are_played(pop909_dir):
    """Pedals of real piano tracks, also those that rise and fall on one tick."""
    for path in sorted(pop909_dir.glob("*.mid"))[::25]:
        _compare(path)


@pytest.mark.slow
def test_all_songs_are_read_as_they_are_played(pop909_dir):
    """The same for all 200."""
    for path in sorted(pop909_dir.glob("*.mid")):
        _compare(path)


# ------------------------------------------------------------------------------------------------- small files

REPEDAL = smf(
    DOWN
    + on()
    + off(470)
    + control(10, 64, 0)
    + DOWN
    + on(0, 64)
    + off(470, 64)
    + control(10, 64, 0)
    + DOWN
    + on(0, 67)
    + off(470, 67)
    + control(10, 64, 0)
)


def test_a_pedal_that_rises_and_falls_on_one_tick_ends_what_it_holds():
    """Pianists change pedals so: held over the change, chords pile up to the end of the piece."""
    assert spans(by_all(REPEDAL, sustain=True)) == [(0, 480, 60), (480, 960, 64), (960, 1440, 67)]


def test_a_pedal_in_another_track_holds_the_notes_of_its_channel():
    """Recordings with controllers in a track of their own would be dry."""
    data = smf(DOWN + control(1920, 64, 0), on() + off(480) + on(1440, 64) + off(480, 64))
    assert spans(by_all(data, sustain=True)) == [(0, 1920, 60), (1920, 2400, 64)]


def test_a_program_in_another_track_counts_for_its_channel():
    """A first track that sets up all instruments: without it, everything is a piano."""
    data = smf(program(40), NOTE, on(0, 72, channel=1) + off(480, 72, channel=1))
    assert [(part.program, part.channel) for part in by_all(data).parts] == [(40, 0), (0, 1)]


@pytest.mark.parametrize(
    ("tracks", "programs"),
    [
        ((program(5) + NOTE, NOTE), [5, 5]),
        ((NOTE, program(5) + NOTE), [0, 5]),
        ((NOTE + NOTE, program(5, delta=480) + NOTE), [0, 0, 5]),
        ((program(5) + NOTE, program(0) + NOTE), [5, 0]),
        ((program(0) + NOTE, program(0) + NOTE), [0, 0]),
        ((b"\x00\xc0\x05\x00\x07", NOTE), [7]),
        ((b"\x00\xc0\x00\x00\xff\x01\x00\x00\x07", NOTE), [7]),
        ((program(5, channel=1), NOTE), [0]),
    ],
)
def test_the_last_program_of_a_channel_before_a_note_counts(tracks, programs):
    """Two hands that share a channel share its instrument; on one tick the order of tracks decides."""
    assert [note.program for note in sounded(by_all(smf(*tracks)))] == programs


def test_drums_by_message_are_left_out_of_rolls():
    """Their note numbers are instruments: trained on as pitches, they are wrong notes."""
    hits = on(0, 36, channel=10) + off(10, 36, channel=10)
    more = control(0, 0, 127, channel=4) + program(0, 4) + on(0, 38, channel=4) + off(10, 38, channel=4)
    data = smf(exclusive(gs_rhythm_part(10, 2)) + hits + more + on() + off(10), kind=0)
    for reader in READERS:
        assert [part.channel for part in reader(data).parts if part.drums] == [4, 10]
    assert PianoRoll.from_midi(data).active.any(axis=0).sum() == 1
    assert spans(by_all(data).without_drums()) == [(20, 30, 60)]


BLOCKS = {0: 9, **{block: block - 1 for block in range(1, 10)}, **{block: block for block in range(10, 16)}}


@pytest.mark.parametrize("block", BLOCKS)
def test_blocks_of_gs_are_channels(block):
    """Block 0 is channel 10, and blocks 1 to 9 are one lower than they look."""
    channel = BLOCKS[block]
    notes = on(channel=channel) + off(9, channel=channel)
    assert by_all(smf(exclusive(gs_rhythm_part(block, 1)), notes)).parts[0].drums
    assert not by_all(smf(exclusive(gs_rhythm_part(block, 0)), notes)).parts[0].drums


def _bank(value: int, channel: int) -> bytes:
    return control(0, 0, value, channel) + program(0, channel)


DRUMS = {  # what comes before a note, the channel of the note, and whether it is drums
    "nothing": (b"", 9, True),
    "XG part": (exclusive(xg_part_mode(3, 1)), 3, True),
    "XG part, second drum set": (exclusive(xg_part_mode(3, 3)), 3, True),
    "XG part, normal": (exclusive(xg_part_mode(9, 0)), 9, False),
    "XG part of another channel": (exclusive(xg_part_mode(3, 1)), 4, False),
    "XG bank of drums": (_bank(127, 3), 3, True),
    "XG bank of sounds": (_bank(126, 3), 3, True),
    "GM2 bank of drums": (_bank(120, 3), 3, True),
    "GM2 bank of tones": (_bank(121, 9), 9, False),
    "bank without a program": (control(0, 0, 127, 3), 3, False),
    "program before the bank": (program(0, 3) + control(0, 0, 127, 3), 3, False),
    "bank of drums, then another": (_bank(127, 3) + _bank(0, 3), 3, False),
    "bank 0": (_bank(0, 9), 9, True),
    "bank 0 after XG": (exclusive(XG_ON) + _bank(0, 9), 9, False),
    "program after XG": (exclusive(XG_ON) + program(8, 9), 9, True),
    "bank 127 of GS": (exclusive(GS_RESET) + _bank(127, 3), 3, False),
    "GS part, then a bank": (exclusive(gs_rhythm_part(4, 1)) + _bank(8, 3), 3, True),
    "fine bank": (control(0, 32, 127, 3) + program(0, 3), 3, False),
    "GM on": (exclusive(gs_rhythm_part(4, 1)) + exclusive(GM_ON), 3, False),
    "GM2 on": (exclusive(gs_rhythm_part(0, 0)) + exclusive(GM2_ON), 9, True),
    "GS reset": (exclusive(gs_rhythm_part(4, 1)) + exclusive(GS_RESET), 3, False),
    "XG on": (_bank(127, 3) + exclusive(XG_ON), 3, False),
    "XG all reset": (exclusive(xg_part_mode(9, 0)) + exclusive(XG_ALL_RESET), 9, True),
    "GM off": (exclusive(gs_rhythm_part(4, 1)) + exclusive((0x7E, 0x7F, 9, 2)), 3, True),
    "another maker": (exclusive((0x42, *gs_rhythm_part(4, 1)[1:])), 3, False),
    "cut short": (exclusive(gs_rhythm_part(4, 1)[:7]), 3, False),
    "wrong checksum": (exclusive((*gs_rhythm_part(4, 1)[:-1], 0x55)), 3, True),
}


@pytest.mark.parametrize("kind", DRUMS)
def test_what_makes_a_channel_drums(kind):
    """In the track of the notes, and in another."""
    before, channel, drums = DRUMS[kind]
    notes = on(channel=channel) + off(9, channel=channel)
    for data in (smf(before + notes), smf(before, notes), smf(b"", before, notes)):
        assert [part.drums for part in by_all(data).parts] == [drums]
        if drums:
            with pytest.raises(MidiError, match="no notes"):
                PianoRoll.from_midi(data)
        else:
            assert PianoRoll.from_midi(data).active.any()


ENDINGS = {  # what comes in another track at tick 100, and where notes of two channels end: plain and held by a pedal
    "all sound off": (control(100, 120), [100, 480], [100, 600]),
    "reset of controllers": (control(100, 121), [480, 480], [480, 600]),
    "local keyboard": (control(100, 122), [480, 480], [600, 600]),
    "all notes off": (control(100, 123), [100, 480], [600, 600]),
    "omni off": (control(100, 124), [100, 480], [600, 600]),
    "omni on": (control(100, 125), [100, 480], [600, 600]),
    "mono": (control(100, 126, 1), [100, 480], [600, 600]),
    "poly": (control(100, 127), [100, 480], [600, 600]),
    "GM on": (exclusive(GM_ON, 100), [100, 100], [100, 100]),
    "GS reset": (exclusive(GS_RESET, 100), [100, 100], [100, 100]),
    "XG on": (exclusive(XG_ON, 100), [100, 100], [100, 100]),
    "by running status": (b"\x64\xb0\x07\x40\x00\x7b\x00", [100, 480], [600, 600]),
    "by running status after a meta event": (
        b"\x64\xb0\x07\x40" + meta(0, 1, b"la") + b"\x00\x7b\x00",
        [100, 480],
        [600, 600],
    ),
}


@pytest.mark.parametrize("kind", ENDINGS)
def test_messages_that_end_notes_end_those_of_all_tracks(kind):
    """A stop button sends them: what it ends must not sound on, and what it does not end must not stop."""
    message, plain, held = ENDINGS[kind]
    both = on() + on(0, 72, channel=1) + off(480) + off(0, 72, channel=1) + meta(120, 1)
    pedals = control(0, 64, 127, 0) + control(0, 64, 127, 1)
    for data in (smf(pedals + both, message), smf(message, pedals + both), smf(b"", pedals + both, message)):
        assert [end for _, end, _ in spans(by_all(data))] == plain
        assert [end for _, end, _ in spans(by_all(data, sustain=True))] == held


def test_a_note_that_is_ended_by_a_message_leaves_its_end_to_the_next():
    """The note-off after an all notes off belongs to the note that began after it."""
    data = smf(on() + on(200) + off(100), control(100, 123))
    assert spans(by_all(data)) == [(0, 100, 60), (200, 300, 60)]
    assert spans(by_all(data, pairing="last")) == [(0, 100, 60), (200, 300, 60)]
    nested = smf(on() + on(10) + off(200) + on(10) + off(10), control(100, 123))
    assert spans(by_all(nested, pairing="last")) == [(0, 100, 60), (10, 100, 60), (220, 230, 60)]


def test_a_note_that_only_a_message_ends_is_kept():
    """Programs that stop with all notes off write no note-offs."""
    assert spans(by_all(smf(on() + control(100, 123)))) == [(0, 100, 60)]
    assert spans(by_all(smf(on() + control(100, 120)), unended="hold")) == [(0, 100, 60)]


def test_the_order_of_tracks_decides_on_one_tick():
    """A note that begins on the tick of an all notes off sounds, if its track comes later."""
    note = on() + off(480)
    assert spans(by_all(smf(control(0, 123), note))) == [(0, 480, 60)]
    assert spans(by_all(smf(note, control(0, 123)))) == [(0, 0, 60)]


def test_a_pedal_that_never_rises_holds_to_the_end_of_the_file():
    """The channel knows nothing of tracks: the longest one ends the music."""
    data = smf(DOWN + NOTE, meta(2000, 1))
    assert spans(by_all(data, sustain=True)) == [(0, 2000, 60)]


def test_a_held_note_ends_where_another_track_strikes_it_again():
    """A piano has one string for it."""
    data = smf(DOWN + on() + off(10) + control(90, 64, 0), on(50, velocity=9) + off(10))
    assert spans(by_all(data, sustain=True)) == [(0, 50, 60), (50, 100, 60)]


def test_other_messages_of_a_channel_do_not_matter():
    """Pressure, bends, soft pedals and volume have the shape of what matters."""
    others = (
        b"\x00\xd0\x7b\x00\xa0\x3c\x7f\x00\xe0\x7b\x7b" + control(0, 66, 127) + control(0, 7, 0) + control(0, 11, 0)
    )
    for data in (smf(others + NOTE), smf(others, NOTE)):
        assert spans(by_all(data, sustain=True)) == [(0, 480, 60)]


def test_smpte_time_and_a_single_track_are_no_exception():
    """The same state in files of type 0, and where ticks are parts of a second."""
    track = DOWN + on() + off(10) + control(10, 64, 0) + DOWN + program(7) + on() + control(10, 120)
    for settings in ({"division": 0xE250}, {"kind": 0}, {}):
        score = by_all(smf(track, **settings), sustain=True)
        assert spans(score) == [(0, 20, 60), (20, 30, 60)]
        assert [part.program for part in score.parts] == [0, 7]


@pytest.mark.parametrize(
    "before",
    [
        exclusive(GM_ON),
        meta(0, 3, b"Song") + exclusive(GS_RESET),
        control(0, 7, 127) + control(0, 10, 127) + b"\x00\x79\x00\x00\x5b\x7f" + control(0, 64, 127) + control(0, 0, 8),
        meta(0, 0x51, b"\x07\xb0\x7b") + on(0, 61) + b"\x82\xb0\x7b\x80\x3d\x00",
    ],
)
def test_ordinary_files_stay_with_the_fast_reader(before):
    """Resets at the beginning, the usual controllers, and bytes that only look like messages cost nothing."""
    data = smf(before + NOTE, NOTE)
    with (
        mock.patch.object(read, "_carefully", side_effect=AssertionError("read carefully")),
        loops.forced(active=False),
    ):
        assert len(read_midi(data).notes) >= 2


# ------------------------------------------------------------------------------------------------- RIFF


def _riff(*chunks: tuple[bytes, bytes]) -> bytes:
    content = b"".join(name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(content)) + b"RMID" + content


SONG = smf(NOTE)
TITLE = b"INFOINAM" + struct.pack("<I", 16) + b"MThd and MTrk ha"


@pytest.mark.parametrize(
    "data",
    [
        _riff((b"LIST", b"INFO" + bytes(4996)), (b"data", SONG)),
        _riff((b"LIST", TITLE), (b"data", SONG)),
        _riff((b"DISP", b"odd"), (b"data", SONG + b"\x00"), (b"LIST", TITLE)),
        _riff((b"RIFF", b"DLS " + bytes(9000)), (b"data", SONG)),
        _riff((b"LIST", b"INFO" + header(3) + chunk(END)), (b"data", SONG)),
        _riff((b"data", SONG)).replace(b"data" + struct.pack("<I", len(SONG)), b"data\xff\xff\xff\xff"),
        _riff((b"LIST", b"odd"), (b"data", SONG)).replace(b"odd\x00", b"odd"),
    ],
    ids=["5000 bytes before", "title", "odd sizes", "sounds before", "a song in the title", "no size", "no padding"],
)
def test_the_music_of_a_riff_file_is_its_chunk_of_data(data):
    """Titles, sounds and pictures may come first, and may look like music."""
    assert spans(by_all(data)) == [(0, 480, 60)]
