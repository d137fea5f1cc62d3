"""Controllers of files: if these fail, a piece that is opened and saved sounds otherwise, or loses notes."""

import io
from dataclasses import replace

import mido
import numpy as np
import pytest
from hypothesis import given
from midi_bytes import NOTE, by_all, number, off, on, smf, spans
from strategies import ORDINARY_TICKS, controllers_of_rows, file_bytes, midi_files, note_table, scores

from pianoroll_seq2seq._internal.limits import Limits
from pianoroll_seq2seq.controllers import CHANNEL_PRESSURE, CONTROL_CHANGE, KEY_PRESSURE, PITCH_BEND, Controllers
from pianoroll_seq2seq.errors import LimitError
from pianoroll_seq2seq.midi_io import read_midi, to_midi_bytes
from pianoroll_seq2seq.midi_io.write import channels_of
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.tempo import TempoMap

_KINDS = {
    "control_change": lambda message: (CONTROL_CHANGE, message.control, message.value),
    "polytouch": lambda message: (KEY_PRESSURE, message.note, message.value),
    "aftertouch": lambda message: (CHANNEL_PRESSURE, 0, message.value),
    "pitchwheel": lambda message: (PITCH_BEND, 0, message.pitch),
}


def control(delta: int, controller: int, value: int, channel: int = 0) -> bytes:
    return number(delta) + bytes([0xB0 | channel, controller, value])


def rows_of(controllers: Controllers) -> list[tuple[int, ...]]:
    columns = (controllers.tick, controllers.part, controllers.kind, controllers.number, controllers.value)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def controllers_by_mido(file: mido.MidiFile, parts) -> list[tuple[int, ...]]:
    """What acts on each part's channel, in the order in which a player that reads all tracks at once meets it."""
    events = []
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type in _KINDS:
                events.append((tick, message.channel, *_KINDS[message.type](message)))
    events.sort(key=lambda event: event[0])
    rows = [
        (tick, index, *rest)
        for index, part in enumerate(parts)
        for tick, channel, *rest in events
        if channel == part.channel
    ]
    return sorted(rows, key=lambda row: row[:2])


@given(midi_files())
def test_controllers_are_those_that_mido_reads(file):
    """From every track, for every part of their channel."""
    score = by_all(file_bytes(file), controllers=True)
    assert rows_of(score.controllers) == controllers_by_mido(file, score.parts)
    assert len(read_midi(file_bytes(file)).controllers) == 0


def test_songs_hold_the_controllers_that_mido_reads(pop909_dir, scale_chords_dir):
    """Pedals, volumes, bends and the fine velocities of real files."""
    total = 0
    for path in sorted([*pop909_dir.glob("*.mid"), *scale_chords_dir.rglob("*.mid")])[::20]:
        score = read_midi(path, controllers=True)
        assert rows_of(score.controllers) == controllers_by_mido(mido.MidiFile(path), score.parts), path.name
        total += len(score.controllers)
    assert total > 2_000


def test_songs_are_held_by_the_same_pedals_when_they_are_written(pop909_dir):
    """A pedal that came a moment later would hold other notes."""
    files = 0
    for path in sorted(pop909_dir.glob("*.mid"))[::20]:
        held, plain = read_midi(path, sustain=True), read_midi(path, controllers=True)
        again = read_midi(to_midi_bytes(plain), sustain=True).notes
        # What nothing ends lasts to the last event of the file, which is its end of track.
        columns = (held.notes.onset_tick, np.minimum(held.notes.end_tick, again.end_tick.max()), held.notes.pitch)
        assert all(map(np.array_equal, (again.onset_tick, again.end_tick, again.pitch), columns)), path.name
        files += again != plain.notes
    assert files > 8


@given(scores(ORDINARY_TICKS, complete=True))
def test_controllers_are_standard_midi(score):
    """Other programs read the same controllers as we do, before the notes of their tick."""
    file = mido.MidiFile(file=io.BytesIO(to_midi_bytes(score)))
    channels = channels_of(score.parts)
    expected = controllers_by_mido(file, [Part(channel=channel) for channel in channels])
    assert rows_of(score.controllers) == expected
    for track in file.tracks:
        note_came = False
        for message in track:
            note_came = (note_came and not message.time) or message.type.startswith("note")
            assert not (note_came and message.type in _KINDS)


# ------------------------------------------------------------------------------------- what acts on other things


def _score(rows, controllers, parts) -> Score:
    return Score(note_table(rows), TempoMap(480), tuple(parts), controllers=controllers_of_rows(controllers))


ENDING_ROWS = [(0, 480, 60, 90, 0), (960, 960, 62, 90, 0), (960, 1440, 64, 90, 0)]


@pytest.mark.parametrize("number", [120, 123, 124, 125, 126, 127])
@pytest.mark.parametrize(
    ("tick", "kept"), [(0, True), (240, False), (480, True), (700, True), (960, True), (961, False), (1440, True)]
)
def test_a_message_that_would_end_notes_is_not_written_into_them(number, tick, kept):
    """A note held by a policy, or written by hand, would end early when the file is read."""
    score = _score(ENDING_ROWS, [(tick, 0, CONTROL_CHANGE, number, 0)], [Part()])
    again = read_midi(to_midi_bytes(score), controllers=True)
    assert again.notes == score.notes
    assert (again.controllers == score.controllers) == kept
    assert len(again.controllers) == kept


def test_drums_of_another_part_are_not_ended():
    """Drums share a channel: what ends the notes of one part ends those of all."""
    rows = [(0, 480, 36, 90, 0), (0, 960, 38, 90, 1)]
    parts = [Part("kick", drums=True), Part("snare", drums=True)]
    again = read_midi(to_midi_bytes(_score(rows, [(700, 0, CONTROL_CHANGE, 123, 0)], parts)), controllers=True)
    assert spans(again) == [(0, 480, 36), (0, 960, 38)]


def test_the_ends_that_messages_made_are_kept():
    """Played, held and stopped by "all notes off": written again with the message."""
    data = smf(on() + on(10, 64) + control(90, 123, 0) + on(0, 60) + off(100) + off(0, 64))
    score = by_all(data, controllers=True)
    assert spans(score) == [(0, 100, 60), (10, 100, 64), (100, 200, 60)]
    assert read_midi(to_midi_bytes(score), controllers=True) == score


@pytest.mark.parametrize(
    ("part", "bank", "kept"),
    [
        (Part(program=5), 126, False),
        (Part(program=5), 120, False),
        (Part(program=5), 121, True),
        (Part(program=5), 8, True),
        (Part(program=5, drums=True), 121, False),
        (Part(program=5, drums=True), 127, True),
        (Part(program=5, drums=True), 0, True),
    ],
)
def test_a_bank_makes_no_drums_of_a_part(part, bank, kept):
    """After a GS reset, which is not kept, bank 127 is a piano; read without it, the piano would be drums."""
    controllers = [(0, 0, CONTROL_CHANGE, 0, bank), (480, 0, CONTROL_CHANGE, 0, bank), (480, 0, CONTROL_CHANGE, 32, 1)]
    score = _score(ENDING_ROWS, controllers, [part])
    again = read_midi(to_midi_bytes(score), controllers=True)
    assert again.parts == score.parts
    assert (again.controllers == score.controllers) == kept


def test_a_program_follows_each_bank():
    """A synthesizer takes a bank with the next program only."""
    controllers = [(0, 0, CONTROL_CHANGE, 0, 8), (0, 0, CONTROL_CHANGE, 7, 100), (960, 0, CONTROL_CHANGE, 32, 1)]
    file = mido.MidiFile(file=io.BytesIO(to_midi_bytes(_score(ENDING_ROWS, controllers, [Part(program=5)]))))
    types = [message.type for message in file.tracks[1] if not message.is_meta]
    assert types[:4] == ["program_change", "control_change", "control_change", "program_change"]
    assert types.count("program_change") == 3
    last = len(types) - types[::-1].index("control_change")
    assert types[last] == "program_change"


def test_parts_of_one_channel_have_its_controllers_once_each():
    """Two hands on one channel, and a track that holds their pedal."""
    pedal = control(0, 64, 127) + control(480, 64, 0)
    data = smf(pedal, NOTE, on(0, 72) + off(480, 72), b"\x00\xe9\x00\x50" + on(0, 36, 90, 9) + off(480, 36, 9))
    score = by_all(data, controllers=True)
    assert rows_of(score.controllers) == [
        (0, 0, CONTROL_CHANGE, 64, 127),
        (0, 1, CONTROL_CHANGE, 64, 127),
        (0, 2, PITCH_BEND, 0, 2048),
        (480, 0, CONTROL_CHANGE, 64, 0),
        (480, 1, CONTROL_CHANGE, 64, 0),
    ]
    assert read_midi(to_midi_bytes(score), controllers=True) == score


def test_more_parts_than_channels_keep_their_controllers():
    """An orchestra whose players change instruments: its channels are those of the file."""
    tracks = []
    for channel in range(8):
        play = b"".join(
            number(0) + bytes([0xC0 | channel, program]) + on(0, 60, 90, channel) + off(10, 60, channel)
            for program in (channel, channel + 20)
        )
        tracks += [control(0, 7, 50 + channel, channel) + play, control(5, 10, channel, channel) + play]
    score = by_all(smf(*tracks), controllers=True)
    assert len(score.parts) == 32
    again = read_midi(to_midi_bytes(score), controllers=True)
    assert again == score
    assert len(again.controllers) == 32 * 2


@pytest.mark.parametrize("status", [0xA0, 0xB0, 0xD0, 0xE0])
def test_controllers_are_read_after_running_status_and_above_the_range(status):
    """As all messages are: data bytes above 127 count as 127."""
    size = 1 if status == 0xD0 else 2
    events = b"\x05" + bytes([status]) + b"\x03\x04"[:size] + b"\x05" + b"\xff\x05"[:size][:0] + b"\x05\x06"[:size]
    score = by_all(smf(events + NOTE), controllers=True)
    value = {0xA0: 4, 0xB0: 4, 0xD0: 3, 0xE0: (4 << 7 | 3) - 8192}[status]
    assert rows_of(score.controllers)[0] == (5, 0, status, 3 if status in (0xA0, 0xB0) else 0, value)
    assert score.controllers.tick.tolist() == [5, 10]


def test_controllers_past_the_last_tick_are_left_out():
    """They come hours after the music, and would end in an error."""
    late = b"".join(number(2**28 - 1) + b"\xff\x01\x00" for _ in range(9)) + control(0, 64, 127)
    assert len(read_midi(smf(NOTE + late), controllers=True).controllers) == 0


def test_controllers_before_a_damage_are_kept():
    """A file that broke off keeps the pedals of what is left."""
    data = smf(control(0, 64, 127) + NOTE + control(0, 64, 0) + NOTE)[:-9]
    score = by_all(data, controllers=True, on_damage="salvage")
    assert rows_of(score.controllers) == [(0, 0, CONTROL_CHANGE, 64, 127), (480, 0, CONTROL_CHANGE, 64, 0)]


def test_too_many_controllers_are_refused():
    """One pedal a part and a thousand parts of a channel: a small file would fill the memory."""
    data = smf(control(0, 64, 127) * 40, *[NOTE] * 30)
    assert len(read_midi(data, controllers=True).controllers) == 1200
    with pytest.raises(LimitError, match=r"<bytes>: 1200 controllers .* limits=Limits\(max_controllers="):
        read_midi(data, controllers=True, limits=Limits(max_controllers=1199))


def test_a_part_without_controllers_costs_no_message():
    """A score that was read without them is written as before."""
    score = _score(ENDING_ROWS, [], [Part()])
    assert to_midi_bytes(score) == to_midi_bytes(replace(score, controllers=Controllers.empty()))
    assert np.array_equal(read_midi(to_midi_bytes(score), controllers=True).controllers.tick, [])
