"""Folders of MIDI and MusicXML files."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from musicxml_music import SCORES

from pianoroll_seq2seq import (
    BeatGrid,
    NoteTable,
    PianoRoll,
    PitchRange,
    Score,
    TempoMap,
    build_corpus,
    read_folder,
    write_midi,
    write_musicxml,
)
from pianoroll_seq2seq.errors import MidiError, MidiNotFoundError
from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.musicxml import to_musicxml_bytes
from pianoroll_seq2seq.parts import Part

TEMPO = TempoMap(480)


def _score(*pitches: int) -> Score:
    """A melody of one beat a note."""
    onsets = 480 * np.arange(len(pitches))
    notes = NoteTable(onsets, onsets + 480, list(pitches), [90] * len(pitches), [0] * len(pitches))
    return Score(notes, TEMPO, (Part(),))


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Three good files and five that cannot be used."""
    write_midi(_score(60, 62), tmp_path / "b.mid")
    write_midi(_score(64), tmp_path / "a" / "deep" / "c.v2.mid")
    write_midi(_score(65), tmp_path / "LOUD.MIDI")
    (tmp_path / "empty.mid").write_bytes(b"")
    (tmp_path / "torn.mid").write_bytes(to_midi_bytes(_score(60, 62))[:-9])
    (tmp_path / "text.midi").write_text("dear diary")
    write_midi(Score(NoteTable.empty(), TEMPO), tmp_path / "silent.mid")
    write_midi(_score(60, 120), tmp_path / "a" / "high.mid")
    (tmp_path / "notes.txt").write_text("no music")
    (tmp_path / "folder.mid").mkdir()
    return tmp_path


def test_bad_files_are_listed_and_good_ones_returned(mixed: Path) -> None:
    """One bad file among thousands ends the reading, or drops out without a word."""
    rolls, failures = read_folder(mixed)
    assert [roll.name for roll in rolls] == ["LOUD", str(Path("a/deep/c.v2")), "b"]
    assert set(failures) == {"empty.mid", "torn.mid", "text.midi", "silent.mid", str(Path("a/high.mid"))}
    for name, expected in {
        "empty.mid": "empty",
        "torn.mid": "cut short",
        "text.midi": "not a MIDI file",
        "silent.mid": "no notes",
        str(Path("a/high.mid")): "PitchRange(60, 120)",
    }.items():
        assert expected in failures[name]


@pytest.mark.parametrize("parts", [None, "tracks"])
def test_scores_of_notation_programs_are_read_too(tmp_path: Path, parts: str | None) -> None:
    """A folder of MusicXML files seems empty, or one of them that is cut stops the others."""
    written = {"a.mid": SCORES["drums"], "b.musicxml": SCORES["drums"], "c.MXL": SCORES["upbeat"]}
    for name, score in written.items():
        (write_midi if name == "a.mid" else write_musicxml)(score, tmp_path / name)
    whole = to_musicxml_bytes(SCORES["upbeat"])
    (tmp_path / "cut.musicxml").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "settings.xml").write_text("<settings/>")
    rolls, failures = read_folder(tmp_path, parts=parts)
    assert [roll.name for roll in rolls] == ["a", "b", "c"]
    assert list(failures) == ["cut.musicxml"]
    assert "cut.musicxml" in failures["cut.musicxml"]
    expected = [PianoRoll.from_score(score, parts=parts, grid=rolls[0].grid) for score in written.values()]
    for roll, other in zip(rolls, expected, strict=True):
        assert roll == other
        assert roll.parts == other.parts
        assert roll.meter == other.meter
        assert np.array_equal(roll.velocity, other.velocity)
    mixed = build_corpus(tmp_path, tmp_path / "corpus", executor=ThreadPoolExecutor(1), progress=False)
    assert list(mixed) == [PianoRoll.from_score(score) for score in written.values()]
    assert list(mixed.failures) == ["cut.musicxml"]


def test_unpitched_notes_without_a_drum_are_left_out_with_a_warning(tmp_path: Path) -> None:
    """A whole score is refused for a triangle, or the triangle is lost without a word."""
    whole = to_musicxml_bytes(SCORES["drums"]).decode()
    (tmp_path / "kit.musicxml").write_text(re.sub(r"<midi-unpitched>\d+</midi-unpitched>", "", whole))
    with pytest.warns(UserWarning, match=r"kit\.musicxml: \d+ unpitched notes"):
        rolls, _ = read_folder(tmp_path)
    assert len(rolls) == 1


def test_each_roll_is_that_of_its_file(mixed: Path) -> None:
    """A roll bears the name of another piece."""
    for roll in read_folder(mixed).rolls:
        (path,) = [path for path in mixed.rglob("*") if str(path.relative_to(mixed).with_suffix("")) == roll.name]
        assert roll == PianoRoll.from_midi(path)


def test_order_does_not_depend_on_the_disk(tmp_path: Path) -> None:
    """Splits by seed differ from computer to computer."""
    names = [f"{number}.mid" for number in np.random.default_rng(0).permutation(20)]
    for name in names:
        write_midi(_score(60), tmp_path / name)
    assert [f"{roll.name}.mid" for roll in read_folder(tmp_path).rolls] == sorted(names)


def test_settings_reach_the_rolls(tmp_path: Path) -> None:
    """Grid, pitch range, drums or the rule for notes outside are ignored."""
    notes = NoteTable([0, 0, 0], [480, 480, 480], [40, 60, 62], [90] * 3, [0, 0, 1])
    write_midi(Score(notes, TEMPO, (Part(), Part(drums=True))), tmp_path / "a.mid")
    (roll,) = read_folder(tmp_path, grid=BeatGrid(2), pitches=PitchRange(50, 70), outside="drop").rolls
    assert (roll.grid, roll.pitches, len(roll)) == (BeatGrid(2), PitchRange(50, 70), 2)
    assert np.flatnonzero(roll.active[0]).tolist() == [10]
    (roll,) = read_folder(tmp_path, drums=True).rolls
    assert np.flatnonzero(roll.active[0]).tolist() == [40 - 21, 60 - 21, 62 - 21]


def test_missing_folder_is_named(tmp_path: Path) -> None:
    """A typing error in the path looks like a folder without music."""
    with pytest.raises(MidiNotFoundError, match="nowhere: no such folder"):
        read_folder(tmp_path / "nowhere")
    (tmp_path / "file.mid").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"file\.mid: a file; expected a folder"):
        read_folder(str(tmp_path / "file.mid"))


def test_folder_without_midi_is_named(tmp_path: Path) -> None:
    """An empty data set comes back, and training fails far from the cause."""
    (tmp_path / "notes.txt").write_text("nothing to play")
    with pytest.raises(MidiNotFoundError, match=r"no MIDI or MusicXML file \(\.mid, .*, \.mxl\)"):
        read_folder(tmp_path)


def test_nothing_but_bad_files_gives_the_reasons(tmp_path: Path) -> None:
    """One learns that nothing could be read, but not why."""
    for number in range(7):
        (tmp_path / f"{number}.mid").write_bytes(b"")
    with pytest.raises(MidiError, match="none of its 7 files") as caught:
        read_folder(tmp_path)
    assert "0.mid: the file is empty" in str(caught.value)
    assert str(caught.value).count("is empty") == 5  # the first few are enough


def test_progress_is_shown_only_when_asked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Logs fill up with progress bars."""
    write_midi(_score(60), tmp_path / "a.mid")
    read_folder(tmp_path)
    assert capfd.readouterr() == ("", "")
    read_folder(tmp_path, progress=True)
    assert "1/1" in capfd.readouterr().err


def test_real_music(pop909_dir: Path) -> None:
    """A folder of real songs cannot be read."""
    rolls, failures = read_folder(pop909_dir)
    assert len(rolls) == 200
    assert failures == {}
    assert all(roll.onset.any() for roll in rolls)
