"""MIDI files as primers: where they begin, how long they are, and which notes they keep."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from pianoroll_seq2seq import (
    BeatGrid,
    FrameLayout,
    NoteTable,
    Part,
    PianoRoll,
    PitchRange,
    Score,
    SecondsGrid,
    Seq2SeqLSTM,
    TempoMap,
    TrainedModel,
    write_midi,
)
from pianoroll_seq2seq.errors import MidiError, NoNotesError, PitchRangeError, SettingsError
from pianoroll_seq2seq.grid import FrameGrid

PITCHES = PitchRange(36, 81)


def model(grid: FrameGrid = BeatGrid(4), pitches: PitchRange = PITCHES) -> TrainedModel:
    layout = FrameLayout(grid, pitches, planes=("active",))
    return TrainedModel(Seq2SeqLSTM(layout, hidden_size=4).eval(), layout, name="small")


def song(
    path: Path, *, silent_beats: float = 0, beats: int = 32, pitches: tuple[int, ...] = (60,), drums: bool = False
) -> Path:
    """A note on every beat, after some silence."""
    onsets = [round(480 * (silent_beats + beat)) for beat in range(beats)]
    notes = NoteTable(
        onsets,
        [onset + 480 for onset in onsets],
        [pitches[beat % len(pitches)] for beat in range(beats)],
        [90] * beats,
        [0] * beats,
    )
    return write_midi(Score(notes, TempoMap.from_bpm(60), (Part("song", drums=drums),)), path)


@pytest.mark.parametrize(("silent_beats", "offset"), [(0, 0), (20, 0), (20.5, 2)])
def test_a_primer_begins_with_music(tmp_path: Path, silent_beats: float, offset: int) -> None:
    """The first beats of a file that begins with silence are a silent primer, and nobody is told."""
    path = song(tmp_path / "song.mid", silent_beats=silent_beats)
    trained = model()
    primer = trained.read_primer(path, beats=16)
    assert len(primer) == 64
    sounding = np.flatnonzero(primer.active.any(axis=1))
    assert sounding[0] == offset  # on the beat of the first note, so that beats stay beats
    assert len(primer.notes().pitch) == 16
    assert trained.read_primer(path, num_frames=64) == primer
    assert trained.read_primer(path, seconds=16) == primer
    whole = trained.read_primer(path)
    assert len(whole) == 4 * (silent_beats + 32)
    in_seconds = model(SecondsGrid(0.25)).read_primer(path, seconds=16)
    assert (len(in_seconds), bool(in_seconds.active[0].any())) == (64, True)


def test_a_primer_beside_the_beats_is_read_as_the_training_files_were(tmp_path: Path) -> None:
    """Half a frame off, every note begins a sixteenth after its beat: a rhythm that the model has never seen."""
    path = song(tmp_path / "song.mid", silent_beats=0.125, beats=16)
    straight = model().read_primer(song(tmp_path / "straight.mid", beats=16), beats=8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model(BeatGrid(4, offset="auto")).read_primer(path, beats=8) == straight
        assert model().read_primer(path, beats=8) != straight


def test_the_tempo_is_that_of_the_music(tmp_path: Path) -> None:
    """A primer that begins later in the file has the tempo of the file's beginning."""
    tempo = TempoMap(480, [(0, 500_000), (480 * 20, 1_000_000)])
    onsets = [480 * beat for beat in range(20, 40)]
    notes = NoteTable(onsets, [onset + 480 for onset in onsets], [60] * 20, [90] * 20, [0] * 20)
    path = write_midi(Score(notes, tempo), tmp_path / "slow.mid")
    primer = model().read_primer(path, beats=8)
    assert primer.seconds == 8
    assert len(model().read_primer(path, seconds=8)) == 32


def test_a_primer_that_is_shorter_than_asked_for_says_so(tmp_path: Path) -> None:
    """A user asks for sixteen beats, gets five, and is not told."""
    path = song(tmp_path / "short.mid", silent_beats=8, beats=5)
    with pytest.warns(UserWarning, match=r"short\.mid: the primer has 20 frames instead of 64"):
        assert len(model().read_primer(path, beats=16)) == 20
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(model().read_primer(path, beats=5)) == 20
        assert len(model().read_primer(path)) == 52


def test_silence_after_the_last_note_is_no_music_to_continue(tmp_path: Path) -> None:
    """A file whose end lies long after its last note is continued from silence."""
    notes = NoteTable([0], [480], [60], [90], [0])
    path = write_midi(Score(notes, TempoMap(480), end_tick=480 * 100), tmp_path / "late_end.mid")
    assert len(model().read_primer(path)) == 4
    assert len(model().read_primer(path, beats=16)) == 64  # but rests within a length that was asked for count


def test_notes_outside_the_model_are_counted(tmp_path: Path) -> None:
    """Most real files have a note that the model does not know: they cannot be continued, or lose notes in silence."""
    trained, path = model(), song(tmp_path / "wide.mid", pitches=(60, 90, 62, 64))
    with pytest.warns(UserWarning, match=r"wide\.mid: 2 of 8 notes are outside the model's pitches, C2 to A5"):
        primer = trained.read_primer(path, beats=8)
    assert len(primer.notes().pitch) == 6
    with pytest.warns(UserWarning, match="8 of 32 notes"):
        assert len(trained.generate(path, beats=1)) == 4
    with pytest.raises(PitchRangeError, match=r"wide\.mid: 8 of 32 notes are outside"):
        trained.read_primer(path, outside="error")
    with pytest.raises(PitchRangeError, match="outside"):
        model(pitches=PitchRange(100, 110)).read_primer(path)


def test_files_without_music_to_continue(tmp_path: Path) -> None:
    """A file of drums, or a folder, gives an error that does not say what is wrong with the primer."""
    trained = model()
    with pytest.raises(NoNotesError, match=r"beat\.mid: no notes to continue\. Drums"):
        trained.read_primer(song(tmp_path / "beat.mid", drums=True))
    with pytest.raises(MidiError, match="a folder; expected a MIDI file"):
        trained.read_primer(tmp_path)
    with pytest.raises(SettingsError, match="above 0"):
        trained.read_primer(song(tmp_path / "song.mid"), beats=0)


def test_a_damaged_primer_can_be_salvaged(tmp_path: Path) -> None:
    """The error about a damaged primer names an argument that there is not."""
    path = song(tmp_path / "song.mid")
    path.write_bytes(path.read_bytes()[:120])
    with pytest.raises(MidiError, match="on_damage='salvage'"):
        model().read_primer(path)
    assert len(model().read_primer(path, on_damage="salvage"))


def test_real_files_can_be_continued(pop909_dir: Path) -> None:
    """The first thing that a user tries, a pop song of their own, fails or begins with silence."""
    trained = model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in sorted(pop909_dir.glob("*.mid"))[::10]:
            primer = trained.read_primer(path, beats=16)
            assert len(primer) == 64
            assert primer.active[:4].any()
            assert primer.pitches == PITCHES
            assert isinstance(primer, PianoRoll)
