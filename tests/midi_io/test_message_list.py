"""The messages of a file: if these fail, a synthesizer gets others than the file has, or music ends elsewhere."""

from collections.abc import Iterator

import mido
from hypothesis import given
from hypothesis import strategies as st
from strategies import file_bytes, midi_files

from pianoroll_seq2seq import NoteTable, Score, TempoMap
from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.midi_io.container import open_container
from pianoroll_seq2seq.midi_io.message_list import channel_messages, last_tick, marked_end
from pianoroll_seq2seq.tempo import MAX_TICK


def spans_of(data: bytes) -> list[tuple[int, int]]:
    return open_container(data, "song", salvage=True).spans


def in_ticks(file: mido.MidiFile) -> Iterator[tuple[int, mido.Message]]:
    """mido's messages with absolute ticks, track after track."""
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            yield tick, message


@given(midi_files())
def test_the_messages_are_those_that_mido_reads(file: mido.MidiFile) -> None:
    """Each kind, with its channel and values; by tick, on one tick in the order of the tracks."""
    data = file_bytes(file)
    expected = [
        (tick, *message.bytes())
        for tick, message in sorted(in_ticks(file), key=lambda event: event[0])
        if not message.is_meta and message.type != "sysex"
    ]
    assert [(tick, status, *values) for tick, status, values in channel_messages(data, spans_of(data))] == expected
    assert last_tick(data, spans_of(data)) == max(tick for tick, _ in in_ticks(file))
    assert marked_end(data, spans_of(data)) is None


@given(midi_files(), st.data())
def test_a_damaged_file_is_read_up_to_its_damage(file: mido.MidiFile, data: st.DataObject) -> None:
    """It ends in an IndexError, or in messages that are none."""
    whole = file_bytes(file)
    kept = bytearray(whole[: data.draw(st.integers(22, len(whole)))])
    for at in data.draw(st.lists(st.integers(22, max(len(kept) - 1, 22)), max_size=3)):
        if at < len(kept):
            kept[at] = data.draw(st.integers(0, 255))
    messages = channel_messages(bytes(kept), spans_of(bytes(kept)))
    assert all(0x80 <= status < 0xF0 and max(values) < 128 for _, status, values in messages)
    assert all(len(values) == (1 if status & 0xE0 == 0xC0 else 2) for _, status, values in messages)


@given(st.integers(0, MAX_TICK - 480), st.integers(1, 480), st.sampled_from(["mido", "symusic"]))
def test_the_end_is_where_it_was_written(onset: int, silence: int, writer: str) -> None:
    """Silence would be longer or shorter than it was, the later in the piece."""
    score = Score(NoteTable([onset], [onset], [60], [90], [0]), TempoMap(480), end_tick=onset + silence)
    data = to_midi_bytes(score, writer=writer)
    assert marked_end(data, spans_of(data)) == onset + silence


def test_an_end_past_the_last_tick_is_none() -> None:
    """No writer of ours wrote it; it would fill the memory."""
    file = mido.MidiFile(type=1)
    late = [mido.MetaMessage("text", time=2**28 - 1) for _ in range(9)]
    file.tracks.append(mido.MidiTrack([*late, mido.MetaMessage("text", text="pianoroll_seq2seq: end")]))
    data = file_bytes(file)
    assert marked_end(data, spans_of(data)) is None
