"""MIDI files: if these fail, music is read or written wrong, or a user's file is lost."""

import contextlib
import errno
import io
import os
import re

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from midi_bytes import READERS, assert_all_agree, by_all
from strategies import (
    NAMES,
    ORDINARY_TICKS,
    TEMPI,
    ExactClock,
    exact_notes,
    file_bytes,
    midi_files,
    note_table,
    scores,
)

from pianoroll_seq2seq.errors import MidiError, MidiNotFoundError, OverwriteError
from pianoroll_seq2seq.midi_io import read_midi, to_midi_bytes, write_midi
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.tempo import TempoMap


def _file(*tracks, ticks_per_beat=480, **settings) -> bytes:
    file = mido.MidiFile(ticks_per_beat=ticks_per_beat, **settings)
    file.tracks.extend(mido.MidiTrack(track) for track in tracks)
    return file_bytes(file)


def _on(time=0, note=60, velocity=100, channel=0):
    return mido.Message("note_on", time=time, note=note, velocity=velocity, channel=channel)


def _off(time=0, note=60, channel=0):
    return mido.Message("note_off", time=time, note=note, channel=channel)


def _spans(score: Score) -> list[tuple[int, int, int]]:
    columns = (score.notes.onset_tick, score.notes.end_tick, score.notes.pitch)
    return list(zip(*(column.tolist() for column in columns), strict=True))


NOTE = [_on(), _off(480)]
SONG = Score(
    note_table([(0, 480, 60, 100, 0), (480, 960, 64, 90, 0), (0, 960, 43, 80, 1)]),
    TempoMap(480, [(480, 400_000)]),
    (Part("Piano"), Part("Bass", 33)),
)

# ------------------------------------------------------------------------------------------- what is read


@given(midi_files())
def test_notes_and_time_are_those_that_mido_reads(file):
    """The seed's reader lost time on other messages, took velocity 0 for a note and knew one tempo."""
    score = read_midi(file_bytes(file))
    rows = [(*span, score.parts[part].drums) for span, part in zip(_spans(score), score.notes.part, strict=True)]
    assert sorted(rows) == sorted(exact_notes(file))
    clock = ExactClock.of(file)
    assert score.tempo == TempoMap(file.ticks_per_beat, zip(clock.ticks, clock.tempi, strict=True))


@given(midi_files())
def test_all_readers_read_the_same_score(file):
    """A damaged file, which falls to the slow reader, would be read by other rules."""
    assert_all_agree(file_bytes(file), controllers=True)


@given(scores(complete=True))
def test_all_readers_read_the_same_of_what_we_write(score):
    """Also at the last ticks that fit 32 bits."""
    assert_all_agree(to_midi_bytes(score), controllers=True)


@pytest.mark.no_cover
def test_all_readers_read_the_same_songs(pop909_dir, scale_chords_dir):
    """The rules hold on what real sequencers write."""
    paths = sorted([*pop909_dir.glob("*.mid"), *scale_chords_dir.rglob("*.mid")])
    assert len(paths) == 356
    for path in paths:
        assert_all_agree(path.read_bytes(), controllers=True)


def test_songs_hold_the_notes_and_tempi_that_mido_reads(pop909_dir):
    """The rules are the written ones, on what real sequencers write."""
    for path in sorted(pop909_dir.glob("*.mid"))[::5]:
        file, score = mido.MidiFile(path), read_midi(path)
        assert sorted(_spans(score)) == sorted(note[:3] for note in exact_notes(file)), path.name
        clock = ExactClock.of(file)
        assert score.tempo == TempoMap(file.ticks_per_beat, zip(clock.ticks, clock.tempi, strict=True)), path.name


def test_time_on_messages_that_are_no_notes_counts():
    """The seed's first mistake: every pedal would pull the notes after it forward."""
    pedal = mido.Message("control_change", control=64, value=127, time=100)
    text = mido.MetaMessage("text", text="la", time=20)
    assert _spans(by_all(_file([pedal, _on(3), text, _off(5)]))) == [(103, 128, 60)]


def test_a_note_on_of_velocity_zero_ends_a_note():
    """The seed's second mistake: many sequencers end notes so, and each would sound twice and for ever."""
    assert _spans(by_all(_file([_on(), _on(10, velocity=0), _on(5), _off(5)]))) == [(0, 10, 60), (15, 20, 60)]


def test_tempi_count_from_every_track_and_the_last_on_a_tick_wins():
    """The seed's third mistake: it knew one tempo. Sequencers put them in any track, and some twice."""

    def tempo(time, us):
        return mido.MetaMessage("set_tempo", time=time, tempo=us)

    data = _file([tempo(0, 300_000), tempo(0, 400_000), tempo(960, 600_000)], [*NOTE, tempo(0, 700_000), tempo(480, 1)])
    assert by_all(data).tempo.changes == ((0, 400_000), (480, 700_000), (960, 1))


@given(
    st.lists(st.lists(st.tuples(st.sampled_from([0, 0, 5]), TEMPI), min_size=30, max_size=40), min_size=1, max_size=2)
)
def test_the_last_of_many_tempi_on_a_tick_wins(tracks):
    """Ramps written by sequencers hold tens of tempi; symusic shuffles those on one tick when there are many."""
    data = _file(*([mido.MetaMessage("set_tempo", time=time, tempo=us) for time, us in track] for track in tracks))
    clock = ExactClock.of(mido.MidiFile(file=io.BytesIO(data)))
    assert by_all(data).tempo == TempoMap(480, zip(clock.ticks, clock.tempi, strict=True))


def test_a_file_without_a_tempo_plays_at_120():
    """The seed's fourth mistake: it failed on such files. They are common."""
    assert by_all(_file(NOTE)).tempo == TempoMap(480)
    assert by_all(_file(NOTE)).end_seconds == 0.5


def test_the_oldest_sounding_note_ends_first():
    """Where notes of one pitch overlap, last-in-first-out would swap their lengths."""
    data = _file([_on(velocity=1), _on(10, velocity=2), _off(10), _off(10)])
    assert _spans(by_all(data)) == [(0, 20, 60), (10, 30, 60)]
    assert by_all(data).notes.velocity.tolist() == [1, 2]


def test_a_note_that_never_ends_is_dropped_and_an_end_without_a_note_is_ignored():
    """A stuck note would sound to the end of the piece."""
    assert _spans(by_all(_file([_off(5), _on(5), _off(5), _on(5, note=64)]))) == [(10, 15, 60)]


def test_a_note_of_no_length_is_a_note():
    """Drum and grace notes are often written so; they have an onset."""
    assert _spans(by_all(_file([_on(7), _off(0)]))) == [(7, 7, 60)]


def test_channels_and_programs_of_a_track_are_parts_of_their_own():
    """A type 0 file holds the whole band in one track; it would come out as one instrument."""

    def program(number, channel=0):
        return mido.Message("program_change", program=number, channel=channel)

    track = [
        *(mido.MetaMessage("track_name", name="All"), program(33, 1), program(5)),
        *(_on(channel=1), _on(), _on(note=36, channel=9)),
        *(_off(10), _off(channel=1), _off(note=36, channel=9), program(7), _on(), _off(10)),
    ]
    score = by_all(_file(track, type=0))
    assert score.parts == (Part("All", 5), Part("All", 7), Part("All", 33), Part("All", 0, drums=True))
    assert sorted(zip(score.notes.part.tolist(), _spans(score), strict=True)) == [
        (0, (0, 10, 60)),
        (1, (10, 20, 60)),
        (2, (0, 10, 60)),
        (3, (0, 10, 36)),
    ]


@given(st.binary(max_size=12))
def test_track_names_in_any_encoding_areby_all(name):
    """Half of the world's files name tracks in Shift-JIS, GBK or Latin-1; none may stop a folder's reading."""
    track = mido.MetaMessage("track_name", name=name.decode("latin1"))
    data = _file([track, *NOTE])
    for score in (reader(data) for reader in READERS):
        assert _spans(score) == [(0, 480, 60)]
        try:
            assert score.parts[0].name == name.decode()
        except UnicodeDecodeError:
            assert "\N{REPLACEMENT CHARACTER}" in score.parts[0].name


def test_a_file_is_read_from_a_path_from_bytes_and_from_a_stream(tmp_path):
    """Files in archives and uploads need not go to disk first."""
    path = write_midi(SONG, tmp_path / "song.mid")
    with path.open("rb") as stream:
        sources = [path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), stream]
        read = [read_midi(source) for source in sources]
    assert all(score == SONG for score in read)
    assert [score.name for score in read] == ["song", "song", "<bytes>", "<stream>", "song"]
    assert read_midi(path, name="Opus 1").name == "Opus 1"


# ---------------------------------------------------------------------------------------- what is written


@given(scores(complete=True))
def test_what_is_written_is_read_again(score):
    """Music saved and opened again would not be the same music."""
    assert read_midi(to_midi_bytes(score), controllers=True) == score


@given(scores(ORDINARY_TICKS))
def test_what_is_written_is_standard_midi(score):
    """Other programs read the same notes and tempi as we do."""
    file = mido.MidiFile(file=io.BytesIO(to_midi_bytes(score)))
    assert file.type == 1
    assert len(file.tracks) == 1 + len(score.parts)
    drums = np.array([part.drums for part in score.parts])[score.notes.part]
    expected = sorted((*span, drum) for span, drum in zip(_spans(score), drums.tolist(), strict=True))
    assert sorted(exact_notes(file)) == expected
    clock = ExactClock.of(file)
    assert tuple(zip(clock.ticks, clock.tempi, strict=True)) == score.tempo.changes


@given(NAMES)
def test_names_in_any_script_are_kept(name):
    """A part called 钢琴 would come back as signs, or fail to be written."""
    score = Score(SONG.notes.where(SONG.notes.part == 0), SONG.tempo, (Part(name),))
    assert read_midi(to_midi_bytes(score)).parts == (Part(name),)


def test_more_parts_than_channels():
    """An orchestra has more voices than MIDI has channels; none may land on the drums."""
    parts = tuple(Part(str(index), index) for index in range(40))
    score = Score(note_table([(0, 480, 60, 100, index) for index in range(40)]), TempoMap(), parts)
    assert read_midi(to_midi_bytes(score)) == score


def test_silence_too_long_for_one_delta_time(tmp_path):
    """Four bytes hold it, says the standard; with five, other programs would take the file for broken."""
    data = to_midi_bytes(Score(note_table([(2**28, 2**30, 60, 100, 0)]), TempoMap()))
    file = mido.MidiFile(file=io.BytesIO(data))
    assert max(message.time for track in file.tracks for message in track) < 2**28
    assert [note[:3] for note in exact_notes(file)] == [(2**28, 2**30, 60)]


def test_a_score_without_notes_can_be_written():
    """An empty result is written as a valid, silent file."""
    score = Score(NoteTable.empty(), SONG.tempo)
    assert read_midi(to_midi_bytes(score)) == Score(NoteTable.empty(), SONG.tempo, ())


# ----------------------------------------------------------------------------------- files that are lost


def test_missing_folders_are_made_and_the_path_comes_back(tmp_path):
    """Music for runs/a/b.mid would be lost after an hour of training for want of a folder."""
    path = tmp_path / "runs" / "first" / "song.mid"
    assert write_midi(SONG, path) == path
    assert os.listdir(path.parent) == ["song.mid"]


def test_a_file_is_overwritten_only_when_asked(tmp_path):
    """A user's own song must not vanish under a generated one. The message names it and the way out."""
    path = tmp_path / "song.mid"
    path.write_bytes(b"a song of my own")
    with pytest.raises(OverwriteError, match=re.escape(str(path)) + ".*overwrite=True"):
        write_midi(SONG, path)
    assert path.read_bytes() == b"a song of my own"
    assert os.listdir(tmp_path) == ["song.mid"]
    write_midi(SONG, path, overwrite=True)
    assert read_midi(path) == SONG
    assert os.listdir(tmp_path) == ["song.mid"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_write_that_fails_leaves_no_trace(tmp_path, monkeypatch, overwrite):
    """Half a file in place of the old one, and rubbish beside it."""
    path = tmp_path / "song.mid"
    if overwrite:
        write_midi(SONG, path)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*song.mid"):
        write_midi(Score(SONG.notes, TempoMap(480), SONG.parts), path, overwrite=overwrite)
    assert os.listdir(tmp_path) == (["song.mid"] if overwrite else [])
    if overwrite:
        assert read_midi(path) == SONG


def test_a_folder_is_not_replaced_by_a_file(tmp_path):
    """A slip in the path, with overwrite=True, must not cost a folder."""
    folder = tmp_path / "songs"
    folder.mkdir()
    with pytest.raises(OSError, match="songs"):
        write_midi(SONG, folder, overwrite=True)
    assert os.listdir(tmp_path) == ["songs"]


# --------------------------------------------------------------------------------------- what is refused


def _refused(path, error=MidiError) -> str:
    with pytest.raises(error) as caught:
        read_midi(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    """Also for those who catch FileNotFoundError or ValueError."""
    message = _refused(tmp_path / "no.mid", MidiNotFoundError)
    assert "no such file. Check the path." in message
    for builtin in (FileNotFoundError, ValueError):
        _refused(tmp_path / "no.mid", builtin)


def test_a_folder_is_not_a_file(tmp_path):
    """Passing the folder for a file is a common slip."""
    assert "a folder; expected a MIDI file. Name a file in it." in _refused(tmp_path)


def test_files_that_are_no_midi_are_named(tmp_path):
    """A page saved in place of the file; an empty download; half a header."""
    path = tmp_path / "song.mid"
    path.write_bytes(b"")
    assert "the file is empty (0 bytes). Copy or download it again." in _refused(path)
    path.write_bytes(b"<html>Not found</html>")
    assert "not a MIDI file; it is a web page." in _refused(path)
    path.write_bytes(b"never seen")
    assert "not a MIDI file; it starts with b'neve', expected b'MThd'" in _refused(path)
    path.write_bytes(to_midi_bytes(SONG)[:10])
    assert "cut short inside its header (10 of 14 bytes)" in _refused(path)


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    """Half a song would pass for a whole one; symusic reads what is left of a file cut between two tracks."""
    data = to_midi_bytes(SONG)
    path = tmp_path / "song.mid"
    for length in range(14, len(data)):
        path.write_bytes(data[:length])
        message = _refused(path)
        assert "cut short; " in message
        assert "Copy or download it again, or pass on_damage='salvage'" in message


@given(st.data())
def test_a_damaged_file_is_read_or_refused(data):
    """One bad file in a folder of thousands must not stop the reading with an error from deep inside."""
    damaged = bytearray(to_midi_bytes(SONG))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MidiError):
        assert isinstance(read_midi(bytes(damaged)), Score)


@pytest.mark.parametrize(("division", "shown"), [(0, "0x0000"), (0xE700, "0xe700"), (0x8000, "0x8000")])
def test_a_time_division_without_beats_is_refused(tmp_path, division, shown):
    """0 ticks would divide by zero; and there are four SMPTE time codes."""
    path = tmp_path / "song.mid"
    data = to_midi_bytes(SONG)
    path.write_bytes(data[:12] + division.to_bytes(2, "big") + data[14:])
    message = _refused(path)
    for part in (shown, "expected 1..32767 ticks per beat", "SMPTE", "Export it again with ticks per quarter note"):
        assert part in message


def test_a_tick_past_the_last_is_refused(tmp_path):
    """symusic's count of ticks turns negative there, and the note would stand anywhere."""
    path = tmp_path / "song.mid"
    wait = mido.MetaMessage("text", time=2**28 - 1)
    path.write_bytes(_file([wait] * 8 + [_on(8), _off(5)]))
    assert "ends at tick 2147483653, past 2147483647" in _refused(path)
    path.write_bytes(_file([*NOTE, *[wait] * 8, mido.MetaMessage("set_tempo", time=8)]))
    assert "needs a tick in 0..2147483647" in _refused(path)
    path.write_bytes(_file([*[wait] * 8, _on(1), _off(6)]))
    assert _spans(read_midi(path)) == [(2**31 - 7, 2**31 - 1, 60)]


def test_a_tempo_of_zero_is_refused(tmp_path):
    """Time would stand still. The message names the file as well as the tempo."""
    path = tmp_path / "song.mid"
    path.write_bytes(_file([mido.MetaMessage("set_tempo", tempo=0), *NOTE]))
    assert "got 0 at tick 0" in _refused(path)
