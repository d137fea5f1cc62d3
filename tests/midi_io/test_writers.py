"""Writing by mido and by symusic: if these fail, the quick way writes other music than the slow one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from strategies import ORDINARY_TICKS, meters, note_table, scores
from typechecker import as_users_have_it

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.midi_io import read_midi, to_midi_bytes, write_midi
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.tempo import TempoMap


@given(scores(complete=True))
def test_both_writers_write_the_same_music(score):
    """Also what symusic alone would change: controllers, notes of no length and times of more than 28 bits."""
    assert read_midi(to_midi_bytes(score, writer="symusic"), controllers=True) == score


@given(scores(ORDINARY_TICKS), meters(ORDINARY_TICKS))
def test_symusic_writes_the_music_that_it_is_given(score, meter):
    """The same on ticks as they are in songs, where symusic does write."""
    score = replace(score, meter=meter)
    assert read_midi(to_midi_bytes(score, writer="symusic")) == read_midi(to_midi_bytes(score))


def test_real_songs_are_written_the_same(pop909_dir):
    """As sequencers wrote them."""
    for path in sorted(pop909_dir.glob("*.mid"))[::20]:
        score = read_midi(path)
        assert read_midi(to_midi_bytes(score, writer="symusic")) == score, path.name


def test_symusic_does_write(tmp_path):
    """Were every score handed to mido, nobody would notice but by the time it takes."""
    score = Score(note_table([(0, 480, 60, 100, 0)]), TempoMap(480))
    quick, slow = (to_midi_bytes(score, writer=writer) for writer in ("symusic", "mido"))
    assert quick != slow
    assert write_midi(score, tmp_path / "quick.mid", writer="symusic").read_bytes() == quick
    no_length = Score(note_table([(5, 5, 60, 100, 0)]), TempoMap(480))
    assert to_midi_bytes(no_length, writer="symusic") == to_midi_bytes(no_length)
    assert np.array_equal(read_midi(to_midi_bytes(no_length)).notes.end_tick, [5])


def test_another_writer_is_refused(tmp_path):
    """A typo must not pass for the default."""
    score = Score(note_table([(0, 480, 60, 100, 0)]), TempoMap(480))
    with pytest.raises(SettingsError, match="'symusik'"):
        as_users_have_it(to_midi_bytes)(score, writer="symusik")
