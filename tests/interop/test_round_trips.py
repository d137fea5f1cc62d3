"""Every conversion to and fro: if these fail, music is lost or moved on the way without a word.

A conversion gives back equal music, or warns of what is lost with the number of notes, or refuses.
"""

from collections import Counter
from fractions import Fraction

import mido
import numpy as np
import pretty_midi
import pytest
from announcements import announced
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import (
    ORDINARY_TICKS,
    PLAYABLE_TEMPI,
    TEMPI,
    _built,
    file_bytes,
    half_up,
    planes,
    scores,
    tempo_maps,
)

from pianoroll_seq2seq.errors import LimitError, MidiError, NoNotesError
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.interop import (
    read_pypianoroll,
    roll_from_array,
    roll_to_array,
    score_from_music21,
    score_to_music21,
    write_pypianoroll,
)
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.midi_io import read_midi, to_midi_bytes
from pianoroll_seq2seq.midi_io.write import to_mido
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import ALL_PITCHES, PitchRange
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.tempo import TempoMap

SECONDS = {"grids": st.sampled_from([SecondsGrid(0.02), SecondsGrid(1 / 60)]), "tempi": PLAYABLE_TEMPI}
BEATS = {"grids": st.sampled_from([BeatGrid(1), BeatGrid(4), BeatGrid(24)]), "tempi": TEMPI}
"""Frames in beats do not depend on the tempo, so it may be any."""

WRITERS = pytest.mark.parametrize("writer", ["mido", "symusic"])


@st.composite
def music(draw, grids, tempi, min_notes: int = 1) -> PianoRoll:
    """Rolls with silence at both ends, repeated and held notes, on a few pitches or on all."""
    active, onset = draw(planes(max_frames=12, max_columns=4, min_frames=min_notes))
    if min_notes and not active.any():
        active[0, 0] = onset[0, 0] = True
    silence = [(draw(st.integers(0, 20)), draw(st.integers(0, 20))), (0, 0)]
    active, onset = (np.pad(plane, silence) for plane in (active, onset))
    lowest = draw(st.integers(0, 124))
    pitches = PitchRange(lowest, lowest + active.shape[1] - 1)
    if draw(st.booleans()):
        wide = [(0, 0), (lowest, 128 - lowest - active.shape[1])]
        active, onset, pitches = np.pad(active, wide), np.pad(onset, wide), ALL_PITCHES
    tempo = draw(tempo_maps(st.sampled_from([480, 960]), st.integers(0, 8_000), tempi))
    return _built(PianoRoll, active, onset, draw(grids), pitches, tempo)


ROLLS = st.one_of(music(**SECONDS), music(**BEATS))


def _grid_of(roll: PianoRoll) -> dict:
    return {"grid": roll.grid, "pitches": roll.pitches}


# ------------------------------------------------------------------------------------------------------ rolls


@WRITERS
@given(ROLLS)
def test_a_roll_through_midi(writer, roll):
    """Silence at the end would be cut off, and the next piece of a concert begin too early."""
    data = to_midi_bytes(roll.to_score(), writer=writer)
    assert PianoRoll.from_midi(data, **_grid_of(roll)) == roll
    assert PianoRoll.from_score(read_midi(data), **_grid_of(roll)) == roll


@given(ROLLS)
def test_a_roll_through_pretty_midi(roll):
    """The same, by way of an object that has no end of its own."""
    midi = roll.to_pretty_midi()
    assert midi.get_end_time() >= roll.to_score().end_seconds - 1e-9  # pretty_midi counts later tempi, too
    again = PianoRoll.from_pretty_midi(midi, **_grid_of(roll))
    assert again == roll


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(ROLLS)
def test_a_roll_through_music21(roll):
    """The same, by way of notes and rests."""
    score = score_from_music21(score_to_music21(roll.to_score()))
    again = PianoRoll.from_score(score, **_grid_of(roll))
    assert np.array_equal(again.active, roll.active)
    assert np.array_equal(again.onset, roll.onset)


@given(st.one_of(music(**SECONDS, min_notes=0), music(**BEATS, min_notes=0)))
def test_a_roll_through_frames_and_arrays(roll):
    """Frames hold all, also of silence; an array has no onsets, and says how many notes merge."""
    layout = FrameLayout.of(roll, onsets=True)
    assert PianoRoll.from_frames(roll.to_frames(layout), layout, tempo=roll.tempo) == roll
    array, warned = announced(lambda: roll_to_array(roll))
    again = roll_from_array(array, **_grid_of(roll), tempo=roll.tempo)
    _assert_equal_or_announced(roll, again, warned)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(music(**BEATS, min_notes=0))
def test_a_roll_through_a_pypianoroll_file(tmp_path, roll):
    """All frames, silent ones too; its tempo is one of frames, and merging notes are counted."""
    steady = TempoMap(roll.tempo.ticks_per_beat, roll.tempo.changes[:1])
    roll = PianoRoll(roll.active, roll.onset, roll.grid, roll.pitches, steady)
    path, warned = announced(lambda: write_pypianoroll([roll], tmp_path / "roll.npz", overwrite=True))
    again = read_pypianoroll(path, pitches=roll.pitches).tracks[0].roll
    assert again.tempo.changes == roll.tempo.changes
    _assert_equal_or_announced(roll, PianoRoll(again.active, again.onset, roll.grid, roll.pitches, steady), warned)


def _assert_equal_or_announced(roll: PianoRoll, again: PianoRoll, warned: list[str]) -> None:
    assert np.array_equal(again.active, roll.active)
    lost = len(roll.notes().pitch) - len(again.notes().pitch)
    if lost:
        (message,) = warned
        assert message.startswith(f"{lost} notes are repeated without a gap")
    else:
        assert again == roll
        assert not warned


@pytest.mark.parametrize("frames", [0, 8])
def test_a_roll_without_notes_is_refused_where_no_file_can_hold_it(frames):
    """A file of silence is no music to learn from; it is refused, not read as something else."""
    roll = PianoRoll.silent(frames)
    with pytest.raises(NoNotesError):
        PianoRoll.from_midi(to_midi_bytes(roll.to_score()))
    with pytest.raises(NoNotesError):
        PianoRoll.from_pretty_midi(roll.to_pretty_midi())
    with pytest.raises(NoNotesError):
        score_from_music21(score_to_music21(roll.to_score()))


# ----------------------------------------------------------------------------------------------------- scores


@st.composite
def scores_with_ends(draw) -> Score:
    """Scores with zero-length, overlapping and repeated notes, drums, any tempo, and often silence at the end."""
    score = draw(scores(ORDINARY_TICKS))
    end = draw(st.none() | st.integers(0, 40_000))
    return _built(Score, score.notes, score.tempo, score.parts, score.name, end)


@WRITERS
@given(scores_with_ends())
def test_a_score_through_midi(writer, score):
    """Each note, the tempo, the parts, the end."""
    again = read_midi(to_midi_bytes(score, writer=writer))
    assert again == score
    assert again.num_ticks == score.num_ticks


@WRITERS
@pytest.mark.parametrize("kits", [0, 1, 3])
@pytest.mark.parametrize("melodic", [1, 12, 15, 16, 40])
def test_more_parts_than_channels(writer, melodic, kits):
    """The program of one part would become that of all on its channel, in an orchestra or with two drum kits."""
    parts = [Part(f"part {index}", index, index % 5 == 1 and index // 5 < kits) for index in range(melodic + kits)]
    count = len(parts)
    notes = NoteTable(
        [480 * (index % 3) for index in range(count)] * 2,
        [480 * (index % 3) + 240 for index in range(count)] * 2,
        [60] * count + [64] * count,
        [100] * 2 * count,
        [*range(count)] * 2,
    )
    score = Score(notes, TempoMap(480), tuple(parts))
    assert read_midi(to_midi_bytes(score, writer=writer)) == score


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(scores_with_ends())
def test_a_score_through_music21(score):
    """The same, in beats: music21 has no ticks."""
    again = score_from_music21(score_to_music21(score))
    rows, expected = (
        sorted(
            zip(
                _beats(each.notes.onset_tick, each),
                _beats(each.notes.end_tick, each),
                *(column.tolist() for column in (each.notes.pitch, each.notes.velocity, each.notes.part)),
                strict=True,
            )
        )
        for each in (again, score)
    )
    assert rows == expected
    assert again.parts == score.parts
    assert _beats([again.num_ticks], again) == _beats([score.num_ticks], score)
    assert (again.end_tick is None) == (score.end_tick is None)


def _beats(ticks, score: Score) -> list[Fraction]:
    return [Fraction(int(tick), score.ticks_per_beat) for tick in ticks]


# ------------------------------------------------------------------------------------------- pretty_midi's objects


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2_000).map(lambda tick: tick / 960),  # on ticks and between them
            st.sampled_from([0.0, 1e-9, 1e-4, 5e-4, 0.5]),
            st.integers(21, 108),
            st.booleans(),
        ),
        min_size=1,
        max_size=12,
    ),
    PLAYABLE_TEMPI,
)
def test_every_note_of_a_pretty_midi_object_is_in_the_roll(notes, us_per_beat):
    """A note shorter than a tick was dropped, and nobody told."""
    midi = pretty_midi.PrettyMIDI(resolution=220, initial_tempo=60e6 / us_per_beat)
    midi.instruments = [pretty_midi.Instrument(0), pretty_midi.Instrument(0, is_drum=True)]
    expected: Counter = Counter()
    for start, length, pitch, drum in notes:
        midi.instruments[drum].notes.append(pretty_midi.Note(64, pitch, start, start + length))
        expected[_frame(midi.time_to_tick(start), us_per_beat), pitch] += 1
    roll = PianoRoll.from_pretty_midi(midi, grid=SecondsGrid(0.02), drums=True)
    assert roll.tempo == TempoMap(220, [(0, us_per_beat)])
    frames, columns = np.nonzero(roll.onset)
    assert set(zip(frames.tolist(), (columns + 21).tolist(), strict=True)) == set(expected)


def _frame(tick: int, us_per_beat: int) -> int:
    return half_up(Fraction(int(tick) * us_per_beat, 220 * 20_000))


def test_notes_that_a_file_cannot_hold_are_counted():
    """Dropped or moved, they must not be so in silence."""
    midi = pretty_midi.PrettyMIDI()
    midi.instruments.append(pretty_midi.Instrument(0))
    midi.instruments[0].notes = [
        pretty_midi.Note(0, 60, 0.0, 1.0),
        pretty_midi.Note(64, 61, -0.5, 0.25),
        pretty_midi.Note(64, 62, 0.5, 1.0),
    ]
    roll, warned = announced(lambda: PianoRoll.from_pretty_midi(midi))
    assert [message.split(" notes")[0] for message in warned] == ["1", "1"]
    assert [column.tolist() for column in roll.notes()[:3]] == [[0, 4], [2, 8], [61, 62]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"start": float("nan")}, "must be finite"),
        ({"end": float("inf")}, "must be finite"),
        ({"start": 1e9, "end": 1e9 + 1}, "at tick 2147483647 at the latest"),
        ({"pedal": 300}, "must be in 0..127"),
        ({"pedal": 64.5}, "must be in 0..127"),
        ({"pedal_time": 1e12}, "at tick 2147483647 at the latest"),
    ],
)
def test_values_that_no_file_can_hold_are_refused(changes, words):
    """A traceback of another library, or a file of megabytes that takes half a minute to write."""
    midi = pretty_midi.PrettyMIDI()
    midi.instruments.append(pretty_midi.Instrument(0))
    note = pretty_midi.Note(90, 60, 0.0, 1.0)
    note.start, note.end = changes.get("start", note.start), changes.get("end", note.end)
    midi.instruments[0].notes = [note]
    pedal = pretty_midi.ControlChange(64, 0, changes.get("pedal_time", 0.0))
    pedal.value = changes.get("pedal", 0)
    midi.instruments[0].control_changes = [pedal]
    with pytest.raises(MidiError, match=words):
        PianoRoll.from_pretty_midi(midi)


def test_instruments_that_share_a_pedal_are_announced():
    """The pedal of the sixteenth instrument would hold the notes of the first in silence."""
    midi = pretty_midi.PrettyMIDI()
    for _ in range(16):
        midi.instruments.append(pretty_midi.Instrument(0))
        midi.instruments[-1].notes.append(pretty_midi.Note(64, 60, 0.0, 1.0))
    assert not announced(lambda: PianoRoll.from_pretty_midi(midi))[1]
    midi.instruments[15].control_changes.append(pretty_midi.ControlChange(64, 127, 0.0))
    (warning,) = announced(lambda: PianoRoll.from_pretty_midi(midi))[1]
    assert warning.startswith("2 instruments")


def test_the_pedal_of_a_pretty_midi_object_holds_its_notes():
    """Options of reading work for objects as for files."""
    midi = pretty_midi.PrettyMIDI(resolution=480)
    instrument = pretty_midi.Instrument(0)
    instrument.notes = [pretty_midi.Note(64, 60, 0.0, 0.5)]
    instrument.control_changes = [pretty_midi.ControlChange(64, 127, 0.25), pretty_midi.ControlChange(64, 0, 2.0)]
    midi.instruments.append(instrument)
    assert len(PianoRoll.from_pretty_midi(midi)) == 4
    assert len(PianoRoll.from_pretty_midi(midi, sustain=True)) == 16


# ------------------------------------------------------------------------------------------- the end of the music


def test_the_end_of_a_track_is_no_music():
    """Half of the files of POP909 end up to 70 seconds after their last note; one stray end would fill the memory."""
    file = to_mido(Score(NoteTable([0], [480], [60], [100], [0]), TempoMap(480)))
    file.tracks[1].append(mido.MetaMessage("end_of_track", time=480 * 3_600))
    data = file_bytes(file)
    assert len(PianoRoll.from_midi(data)) == 4
    assert read_midi(data).end_tick is None


def test_endless_silence_is_refused():
    """A marked end hours after the music fills the memory; the message names the silence and how to cut it off."""
    score = Score(NoteTable([0], [480], [60], [100], [0]), TempoMap(480), end_tick=480 * 2 * 360_000)
    with pytest.raises(LimitError, match=r"silence follows until 360000 s\. Cut off strays with"):
        PianoRoll.from_score(score, grid=SecondsGrid(0.02))
    assert len(PianoRoll.from_score(score.truncate(2.0), grid=SecondsGrid(0.02))) == 100


def test_a_track_named_like_the_end_is_not_the_end():
    """The name of a part would end the music at tick 0, or later."""
    notes = NoteTable([0], [480], [60], [100], [0])
    named = Score(notes, TempoMap(480), (Part("pianoroll_seq2seq: end"),), end_tick=960)
    for writer in ("mido", "symusic"):
        assert read_midi(to_midi_bytes(named, writer=writer)) == named


def test_selected_parts_are_as_long_as_the_music():
    """Two parts read one by one would drift apart when they are played after one another."""
    notes = NoteTable([0, 0], [480, 960], [60, 40], [100, 100], [0, 1])
    score = Score(notes, TempoMap(480), (Part("a", track=1), Part("b", track=2)), end_tick=1920)
    data = to_midi_bytes(score)
    assert score.select(track="a").num_ticks == score.without_drums().num_ticks == 1920
    assert len(PianoRoll.from_midi(data, track="a")) == len(PianoRoll.from_midi(data, track="b")) == 16
    assert score.truncate(1.5).num_ticks == 1440
    assert score.truncate(60.0).num_ticks == 1920
