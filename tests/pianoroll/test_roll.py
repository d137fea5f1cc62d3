"""Piano rolls: if these fail, the music that a model sees is not the music in the file, or not that written back."""

import io
import os
import re
from itertools import pairwise

import mido
import numpy as np
import pretty_midi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import (
    EXACT_STEPS,
    GRIDS,
    PLAYABLE_TEMPI,
    SONG_FILES,
    exact_notes,
    exact_planes,
    file_bytes,
    note_table,
    planes,
    rolls,
    tempo_maps,
)
from typechecker import as_users_have_it

from pianoroll_seq2seq.errors import (
    GridError,
    MidiError,
    MidiNotFoundError,
    NoNotesError,
    OverwriteError,
    PitchRangeError,
    SettingsError,
    ShapeError,
)
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.midi_io import read_midi, to_midi_bytes, write_midi
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll, concatenate
from pianoroll_seq2seq.pitches import PIANO, PitchRange
from pianoroll_seq2seq.quantize import rasterize
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.tempo import TempoMap

ALL_PITCHES = PitchRange(0, 127)
BOTH_GRIDS = pytest.mark.parametrize("grid", [BeatGrid(4), SecondsGrid(0.02)], ids=["beats", "seconds"])


def _score(*notes, parts=(Part(),), tempo=None, name="song") -> Score:
    """From (onset_tick, end_tick, pitch) or (onset_tick, end_tick, pitch, part)."""
    rows = [(on, end, pitch, 100, *(part or [0])) for on, end, pitch, *part in notes]
    return Score(note_table(rows), tempo or TempoMap(480), parts, name)


def _assert_exact(roll: PianoRoll, file: mido.MidiFile, grid, drums: bool, name: str = "") -> None:
    active, onset = exact_planes(file, grid, drums=drums)
    assert np.array_equal(roll.active, active), name
    assert np.array_equal(roll.onset, onset), name


# ------------------------------------------------------------------------------------- what a frame means


def test_silence_is_on_the_grid_asked_for() -> None:
    """A model that begins by itself is given frames of another grid, range or tempo than its own."""
    tempo = TempoMap.from_bpm(90)
    roll = PianoRoll.silent(5, grid=BeatGrid(2), pitches=PitchRange(60, 71), tempo=tempo)
    assert (len(roll), roll.grid, roll.pitches, roll.tempo) == (5, BeatGrid(2), PitchRange(60, 71), tempo)
    assert not roll.active.any()


@given(SONG_FILES, st.sampled_from(list(EXACT_STEPS)), st.booleans())
def test_every_frame_is_exact(file, grid, drums):
    """Rounded time would move notes to other frames: more of them, the later in the piece."""
    data = file_bytes(file)
    if any(drums or not note.drums for note in exact_notes(file)):
        _assert_exact(PianoRoll.from_midi(data, grid=grid, pitches=ALL_PITCHES, drums=drums), file, grid, drums)
    else:
        with pytest.raises(NoNotesError):
            PianoRoll.from_midi(data, grid=grid, pitches=ALL_PITCHES, drums=drums)


@pytest.mark.no_cover
@pytest.mark.parametrize("every", [10, pytest.param(1, marks=pytest.mark.slow)])
def test_every_frame_of_songs_is_exact(pop909_dir, every):
    """As above, over minutes of real music with many tempi and tracks."""
    paths = sorted(pop909_dir.glob("*.mid"))
    assert len(paths) == 200
    for path in paths[::every]:
        file, score = mido.MidiFile(path), read_midi(path)
        for grid in EXACT_STEPS:
            roll = PianoRoll.from_score(score, grid=grid, pitches=ALL_PITCHES)
            _assert_exact(roll, file, grid, drums=False, name=f"{path.name} on {grid}")


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_every_frame_of_scale_chords_is_exact(scale_chords_dir, every):
    """As above, on the published data set."""
    paths = sorted(scale_chords_dir.rglob("*.mid"))
    assert len(paths) == 156
    for path in paths[::every]:
        file = mido.MidiFile(path)
        for grid in EXACT_STEPS:
            roll = PianoRoll.from_midi(path, grid=grid, pitches=ALL_PITCHES)
            _assert_exact(roll, file, grid, drums=False, name=f"{path.name} on {grid}")


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 50), st.integers(21, 108)), min_size=1, max_size=12))
def test_sounding_pitches_are_those_that_pretty_midi_shows(notes):
    """Users compare with the roll they know."""
    midi = pretty_midi.PrettyMIDI(resolution=960)
    instrument = pretty_midi.Instrument(program=0)
    # A quarter of a frame past the line: there, pretty_midi's rounding down is the nearest line, too.
    for first, frames, pitch in {(pitch, first): (first, frames, pitch) for first, frames, pitch in notes}.values():
        instrument.notes.append(pretty_midi.Note(100, pitch, (first + 0.25) / 50, (first + frames + 0.25) / 50))
    midi.instruments.append(instrument)
    roll = PianoRoll.from_pretty_midi(midi, grid=SecondsGrid(0.02))
    # Paired again by pretty_midi's own rule, and so compared where both rules agree: nothing overlaps.
    spans = sorted((pitch, first, first + frames) for first, frames, pitch in notes)
    if all(a[0] != b[0] or a[2] < b[1] for a, b in pairwise(spans)):
        shown = midi.get_piano_roll(fs=50)[PIANO.lowest : PIANO.highest + 1].T > 0
        assert np.array_equal(roll.active, shown[: len(roll)])
        assert not shown[len(roll) :].any()


@BOTH_GRIDS
def test_a_note_of_no_length_is_kept_for_a_frame(grid):
    """Grace notes would fall through the grid."""
    roll = PianoRoll.from_score(_score((480, 480, 60)), grid=grid)
    line = int(grid.lines_at(np.array([480]), TempoMap(480))[0])
    assert [values.tolist() for values in roll.notes()[:3]] == [[line], [line + 1], [60]]


def test_overlapping_notes_of_two_parts_keep_their_onsets():
    """Two hands on one key: the second onset would vanish, or the first note end with the second."""
    score = _score((0, 960, 60, 0), (240, 480, 60, 1), parts=(Part("right"), Part("left")))
    roll = PianoRoll.from_score(score, pitches=PitchRange(60, 60))
    assert roll.active[:, 0].tolist() == [True] * 8
    assert np.flatnonzero(roll.onset[:, 0]).tolist() == [0, 2]


def test_drums_are_left_out_unless_asked_for():
    """A snare on channel 10 would be taught to the model as a D."""
    score = _score((0, 480, 60, 0), (0, 960, 38, 1), parts=(Part(), Part("Drums", drums=True)))
    data = to_midi_bytes(score)
    assert PianoRoll.from_midi(data).notes().pitch.tolist() == [60]
    assert PianoRoll.from_midi(data, drums=True).notes().pitch.tolist() == [38, 60]


# ----------------------------------------------------------------------------------------------- to and fro


@given(rolls(playable=True))
def test_a_roll_comes_back_from_its_midi(roll):
    """A model trained on what it wrote would learn other music."""
    data = to_midi_bytes(roll.to_score())
    again = PianoRoll.from_midi(data, grid=roll.grid, pitches=roll.pitches)
    assert again == roll


@pytest.mark.parametrize("roll_grid", [BeatGrid(4), SecondsGrid(1 / 60)], ids=["beats", "seconds"])
def test_a_roll_comes_back_from_its_file(tmp_path, roll_grid):
    """The same on disk, with the name of the file; loudness and instrument are those of the arguments."""
    tempo = TempoMap(480, [(0, 600_000), (700, 350_000)])
    roll = PianoRoll.from_active(np.eye(12, dtype=bool), grid=roll_grid, pitches=PitchRange(60, 71), tempo=tempo)
    path = roll.to_midi(tmp_path / "new" / "scale.mid", velocity=64, program=5)
    again = PianoRoll.from_midi(path, grid=roll_grid, pitches=PitchRange(60, 71))
    assert again == roll
    assert again.name == "scale"
    score = read_midi(path)
    assert set(score.notes.velocity.tolist()) == {64}
    assert score.parts[0].program == 5


def test_songs_come_back_from_their_midi(pop909_dir):
    """Real music, on each grid: roll to MIDI to roll changes nothing."""
    for path in sorted(pop909_dir.glob("*.mid"))[::40]:
        score = read_midi(path)
        for grid in EXACT_STEPS:
            roll = PianoRoll.from_score(score, grid=grid)
            assert PianoRoll.from_midi(to_midi_bytes(roll.to_score()), grid=grid) == roll, path.name


@given(
    rolls(
        playable=True,
        grids=st.just(BeatGrid(4)),
        tempi=tempo_maps(st.sampled_from([220, 480]), st.integers(0, 3000), PLAYABLE_TEMPI),
    )
)
def test_a_roll_goes_to_pretty_midi_and_back(roll):
    """Users of pretty_midi would get other music."""
    midi = roll.to_pretty_midi(velocity=90, program=3)
    ours = sorted(zip(*roll.notes()[:3], strict=True))
    (instrument,) = midi.instruments
    theirs = sorted((note.start, note.end, note.pitch) for note in instrument.notes)
    seconds = roll.grid.seconds_at(np.arange(len(roll) + 1), roll.tempo)
    expected = sorted((seconds[first], seconds[end], pitch) for first, end, pitch in ours)
    np.testing.assert_allclose(theirs, expected, atol=1e-6)
    assert {note.velocity for note in instrument.notes} == {90}
    assert instrument.program == 3
    again = PianoRoll.from_pretty_midi(midi, grid=roll.grid, pitches=roll.pitches)
    assert np.array_equal(again.active, roll.active)
    assert np.array_equal(again.onset, roll.onset)


def test_from_pretty_midi_takes_the_same_choices_as_from_midi():
    """Drums and range would be handled in one way for files and in another for objects."""
    score = _score((0, 480, 60, 0), (0, 960, 38, 1), parts=(Part(), Part("Drums", drums=True)))
    midi = pretty_midi.PrettyMIDI(io.BytesIO(to_midi_bytes(score)))
    for choices in ({}, {"drums": True}, {"drums": True, "pitches": PitchRange(60, 60), "outside": "drop"}):
        assert PianoRoll.from_pretty_midi(midi, **choices) == PianoRoll.from_score(score, **choices)
    with pytest.raises(PitchRangeError):
        PianoRoll.from_pretty_midi(midi, pitches=PitchRange(0, 20))


# ------------------------------------------------------------------------------------- cutting and joining


@given(rolls(), st.integers(-40, 40))
def test_cut_and_joined_is_whole(roll, cut):
    """Windows put together again would not be the piece: notes repeated, or at another tempo."""
    assert roll[:cut] + roll[cut:] == roll


@given(rolls(), st.lists(st.integers(0, 30), max_size=5))
def test_cut_anywhere_and_joined_is_whole(roll, cuts):
    """The same for many pieces at once."""
    cuts = [0, *sorted(cuts), len(roll)]
    pieces = [roll[a:b] for a, b in pairwise(cuts)]
    if sum(map(len, pieces)) == len(roll):
        assert concatenate(pieces) == roll


@given(rolls(), st.integers(0, 30), st.integers(0, 30))
def test_a_cut_is_the_frames_asked_for(roll, start, stop):
    """A window would hold other frames, or play them at the tempo of the beginning."""
    cut = roll[start:stop]
    assert np.array_equal(cut.active, roll.active[start:stop])
    assert np.array_equal(cut.onset, roll.onset[start:stop])
    assert (cut.grid, cut.pitches, cut.name) == (roll.grid, roll.pitches, roll.name)
    start = min(start, len(roll))
    tick = int(roll.grid.ticks_at(np.array([start]), roll.tempo)[0])
    assert cut.tempo == roll.tempo.from_tick(tick)


@given(rolls(), st.data())
def test_each_of_two_joined_rolls_keeps_its_music(first, data):
    """A continuation would change what it continues."""
    active, onset = data.draw(planes(all_onsets=False))
    columns = first.active.shape[1]
    active, onset = (np.resize(plane, (len(plane), columns)) for plane in (active, onset))
    second = PianoRoll(active, onset & active, first.grid, first.pitches, TempoMap(first.tempo.ticks_per_beat))
    joined = first + second
    assert np.array_equal(joined.active, np.concatenate([first.active, second.active]))
    assert np.array_equal(joined.onset, np.concatenate([first.onset, second.onset]))
    assert joined[len(first) :] == second
    assert joined.name == first.name


@pytest.mark.parametrize("step", [2, -1])
def test_only_stretches_of_frames_can_be_cut(step):
    """A roll with every second frame left out is no music; the message shows how it is written."""
    roll = PianoRoll.from_active(np.eye(88, dtype=bool))
    with pytest.raises(TypeError, match=rf"roll\[8:16\], .*got roll\[slice\(None, None, {step}\)\]"):
        roll[::step]
    with pytest.raises(TypeError):
        roll[3]


def test_rolls_that_do_not_fit_are_not_joined():
    """Columns or frames of one would be taken for those of the other. The messages name both sides."""
    cells = np.ones((2, 3), dtype=bool)
    roll = PianoRoll.from_active(cells, pitches=PitchRange(60, 62))
    with pytest.raises(
        PitchRangeError, match=r"Cannot concatenate.*PitchRange\(.*60.*62.*PitchRange\(.*61.*63.*with_pitches"
    ):
        roll + PianoRoll.from_active(cells, pitches=PitchRange(61, 63))
    with pytest.raises(GridError, match=r"Cannot concatenate.*BeatGrid.*480.*SecondsGrid.*480.*one grid"):
        roll + PianoRoll.from_active(cells, pitches=PitchRange(60, 62), grid=SecondsGrid(0.02))
    with pytest.raises(GridError, match=r"480 ticks per beat.*with 960"):
        roll + PianoRoll.from_active(cells, pitches=PitchRange(60, 62), tempo=TempoMap(960))
    with pytest.raises(TypeError):
        roll + cells
    with pytest.raises(ShapeError, match="at least one roll"):
        concatenate([])


# ------------------------------------------------------------------------------------------- transposition


@given(rolls(), st.integers(-5, 5), st.booleans())
def test_transposed_there_and_back(roll, semitones, wide):
    """Augmented data would be other music, or come out in another key than it says."""
    if wide:  # room to move in
        padding = ((0, 0), (5, 5))
        pitches = PitchRange(50, 59 + roll.active.shape[1])
        roll = PianoRoll(np.pad(roll.active, padding), np.pad(roll.onset, padding), roll.grid, pitches, roll.tempo)
    columns = np.flatnonzero(roll.active.any(axis=0))
    width = roll.active.shape[1]
    if len(columns) and not 0 <= columns[0] + semitones <= columns[-1] + semitones < width:
        with pytest.raises(PitchRangeError, match=rf"transposing by {semitones} moves notes out of PitchRange.*wider"):
            roll.transpose(semitones)
        return
    moved = roll.transpose(semitones)
    assert moved.transpose(-semitones) == roll
    first, end, pitch = roll.notes()[:3]
    assert sorted(zip(*moved.notes()[:3], strict=True)) == sorted(zip(first, end, pitch + semitones, strict=True))
    assert (moved.grid, moved.pitches, moved.tempo, moved.name) == (roll.grid, roll.pitches, roll.tempo, roll.name)


# --------------------------------------------------------------------------------- rolls made from the planes


@given(planes(all_onsets=False), GRIDS, st.booleans())
def test_without_onsets_notes_begin_where_they_begin_to_sound(both, grid, continued):
    """The active frames of a model would be one long note, or a new note in every frame."""
    active, _ = both
    pitches = PitchRange(60, 59 + active.shape[1])
    before = active[0] if continued and len(active) else None
    roll = PianoRoll.from_active(active, grid=grid, pitches=pitches, before=before)
    for frame in range(len(active)):
        for column in range(active.shape[1]):
            sounded = active[frame - 1, column] if frame else before is not None and before[column]
            assert roll.onset[frame, column] == (active[frame, column] and not sounded)
    assert np.array_equal(roll.active, active)
    assert roll.tempo == TempoMap()


@given(planes(all_onsets=False), st.integers(0, 12))
def test_a_continuation_is_struck_as_in_the_whole(both, cut):
    """Notes held over from the primer would be repeated where the model takes over."""
    active, _ = both
    cut = min(cut, len(active))
    pitches = PitchRange(60, 59 + active.shape[1])
    whole = PianoRoll.from_active(active, pitches=pitches)
    before = active[cut - 1] if cut else None
    assert whole[:cut] + PianoRoll.from_active(active[cut:], pitches=pitches, before=before) == whole


@given(rolls(), st.data())
def test_rolls_are_equal_when_they_are_the_same_music(roll, data):
    """Duplicates between training and test would go unseen, or be seen where there are none."""
    again = PianoRoll(roll.active.copy(), roll.onset.copy(), roll.grid, roll.pitches, roll.tempo, "another name")
    assert again == roll
    assert roll.renamed("another name") == roll
    assert roll.renamed("another name").name == "another name"
    assert roll != "roll"
    if roll.active.any():
        frame, column = data.draw(st.sampled_from(np.argwhere(roll.active).tolist()))
        onset = roll.onset.copy()
        onset[frame, column] ^= True
        assert PianoRoll(roll.active, onset, roll.grid, roll.pitches, roll.tempo) != roll
    assert PianoRoll(roll.active, roll.onset, BeatGrid(7), roll.pitches, roll.tempo) != roll
    assert PianoRoll(roll.active, roll.onset, roll.grid, roll.pitches, TempoMap(33)) != roll
    with pytest.raises(TypeError, match="unhashable"):
        hash(roll)


@given(rolls())
def test_planes_are_read_only(roll):
    """A change to a cut would change the piece it was cut from."""
    for one in (roll, roll[1:], roll.transpose(0), roll.renamed("x")):
        for plane in (one.active, one.onset):
            with pytest.raises(ValueError, match="read-only"):
                plane[...] = True


def test_a_roll_shows_what_it_is():
    """In a notebook, the planes themselves would fill the screen."""
    roll = PianoRoll.from_active(np.eye(3, dtype=bool), pitches=PitchRange(60, 62), name="scale")
    assert repr(roll) == "PianoRoll('scale', 3 frames x 3 pitches C4..D4, 3 notes, BeatGrid(frames_per_beat=4))"
    assert len(roll) == 3
    assert roll.seconds == 3 / 4 / 2


def test_pitches_have_the_names_that_pretty_midi_gives_them():
    """Middle C is C4, as on the axis of every other tool."""
    names = [ALL_PITCHES.name_of(pitch) for pitch in range(128)]
    assert names == [pretty_midi.note_number_to_name(pitch) for pitch in range(128)]
    assert len(PIANO) == 88
    assert PIANO.contains(np.array([20, 21, 108, 109])).tolist() == [False, True, True, False]


# --------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("ends", [(-1, 60), (61, 60), (0, 128)])
def test_a_pitch_range_that_makes_no_sense_is_refused(ends):
    """The message shows the rule and the ends."""
    with pytest.raises(PitchRangeError, match=re.escape(f"0 <= lowest <= highest <= 127, got PitchRange{ends}")):
        PitchRange(*ends)


def test_an_onset_must_be_active():
    """Planes swapped or built by hand: the message says where they contradict each other."""
    onset = np.zeros((4, 88), dtype=bool)
    onset[2, 60 - 21] = True
    with pytest.raises(ShapeError, match="Frame 2, pitch C4: an onset, but the pitch is not active"):
        PianoRoll(np.zeros_like(onset), onset)


def test_planes_of_other_shapes_are_refused():
    """The message shows the shape that the pitch range calls for, and the one that came."""
    with pytest.raises(
        ShapeError, match=r"PianoRoll\.active must be bool of shape \(frames, 88\).*got bool .*\(4, 87\)"
    ):
        PianoRoll(np.zeros((4, 87), dtype=bool), np.zeros((4, 87), dtype=bool))


@pytest.mark.parametrize(("grid", "ticks_per_beat"), [(BeatGrid(8), 4), (SecondsGrid(0.02), 10)])
def test_ticks_too_coarse_for_the_grid_are_refused(tmp_path, grid, ticks_per_beat):
    """Notes would move. Nothing is written, and an older file stays; the message names the way out."""
    roll = PianoRoll.from_active(np.eye(88, dtype=bool), grid=grid, tempo=TempoMap(ticks_per_beat))
    path = write_midi(_score((0, 480, 60)), tmp_path / "song.mid")
    old = path.read_bytes()
    with pytest.raises(GridError, match=rf"{ticks_per_beat} ticks per beat are too coarse .*ticks_per_beat=9600"):
        roll.to_midi(path, overwrite=True)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["song.mid"]


def test_a_roll_is_not_written_over_a_file_unasked(tmp_path):
    """A user's own song must not vanish under a generated one."""
    roll = PianoRoll.from_active(np.eye(88, dtype=bool))
    path = tmp_path / "song.mid"
    path.write_bytes(b"mine")
    with pytest.raises(OverwriteError, match=re.escape(str(path)) + ".*overwrite=True"):
        roll.to_midi(path)
    assert path.read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["song.mid"]
    assert PianoRoll.from_midi(roll.to_midi(path, overwrite=True)) == roll


@pytest.mark.parametrize("choice", [{"velocity": 0}, {"velocity": 128}, {"program": 128}])
def test_a_loudness_or_instrument_that_midi_has_not_is_refused(tmp_path, choice):
    """The file would hold something else; velocity 0 would silence every note."""
    with pytest.raises(MidiError, match=r"velocity in 1\.\.127|program must be in 0\.\.127"):
        PianoRoll.from_active(np.eye(88, dtype=bool)).to_midi(tmp_path / "song.mid", **choice)
    assert os.listdir(tmp_path) == []


def test_a_file_without_notes_is_named(tmp_path):
    """An empty roll would fail far away, in training. With drums alone, the message says so."""
    silent = write_midi(Score(note_table([]), TempoMap()), tmp_path / "silent.mid")
    with pytest.raises(NoNotesError, match=r"silent\.mid: no notes\.$"):
        PianoRoll.from_midi(silent)
    drums = write_midi(_score((0, 480, 38), parts=(Part("Drums", drums=True),)), tmp_path / "beat.mid")
    with pytest.raises(NoNotesError, match=r"beat\.mid: no notes\. It has drums: pass drums=True to keep them\.$"):
        PianoRoll.from_midi(drums)
    with pytest.raises(MidiNotFoundError, match=re.escape(str(tmp_path / "no.mid"))):
        PianoRoll.from_midi(tmp_path / "no.mid")


def test_notes_outside_the_range_are_an_error_or_dropped(tmp_path):
    """Lost in silence, a bass line would be missing from the data. The message says what range would do."""
    path = write_midi(_score((0, 480, 30), (480, 960, 60), (960, 1440, 100)), tmp_path / "wide.mid")
    with pytest.raises(PitchRangeError) as caught:
        PianoRoll.from_midi(path, pitches=PitchRange(40, 80))
    for part in ("wide.mid: 2 of 3 notes", repr(PitchRange(40, 80)), "PitchRange(30, 100)", "outside='drop'"):
        assert part in str(caught.value)
    roll = PianoRoll.from_midi(path, pitches=PitchRange(40, 80), outside="drop")
    assert [values.tolist() for values in roll.notes()[:3]] == [[4], [8], [60]]
    with pytest.raises(PitchRangeError, match="3 of 3 notes"):  # nothing would be left
        PianoRoll.from_midi(path, pitches=PitchRange(0, 20), outside="drop")


def test_a_roll_moves_to_another_range_and_back_without_losing_a_note() -> None:
    """A primer must fit the columns of a model that was trained on a narrower or wider range."""
    active = np.zeros((3, 5), dtype=bool)
    active[0, 1] = active[1:, 3] = True
    roll = PianoRoll.from_active(active, pitches=PitchRange(60, 64), name="five keys")
    assert roll.sounding_range() == (61, 63)
    for pitches in (PitchRange(61, 63), PitchRange(0, 127), PitchRange(61, 80), PitchRange(40, 63)):
        there = roll.with_pitches(pitches)
        assert there.pitches == pitches
        assert there.sounding_range() == (61, 63)
        assert there.with_pitches(PitchRange(60, 64)) == roll
    with pytest.raises(PitchRangeError, match=r"five keys.*PitchRange\(61, 63\)"):
        roll.with_pitches(PitchRange(62, 70))
    with pytest.raises(NoNotesError, match="no notes"):
        PianoRoll.from_active(np.zeros((2, 88), dtype=bool)).sounding_range()


def test_a_misspelt_policy_is_an_error_and_drops_nothing() -> None:
    """A typo must not throw notes away."""
    score = Score(NoteTable([0], [480], [60], [100], [0]), TempoMap())
    with pytest.raises(SettingsError, match="'dorp'"):
        as_users_have_it(rasterize)(
            *(score.notes.onset_tick, score.notes.end_tick, score.notes.pitch),
            tempo=score.tempo,
            grid=SecondsGrid(0.02),
            pitches=PIANO,
            outside="dorp",
        )
