"""Sheet music from the command line."""

import re
import sys
from pathlib import Path

import pytest
from command_line import Run

from pianoroll_seq2seq import Part, PianoRoll, Score, TempoMap, concatenate, read_midi, write_midi, write_musicxml
from pianoroll_seq2seq.cli import music_files
from pianoroll_seq2seq.note_table import NoteTable

BARS = re.compile('class="measure"')


def test_a_song_as_pages(run: Run, midi: Path, tmp_path: Path) -> None:
    """The pages after the first are missing, or nothing says where they are."""
    song = midi / "scale_c_major_pentatonic.mid"
    roll = PianoRoll.from_midi(song)
    concatenate([roll] * 6).to_midi(tmp_path / "long.mid")
    made = run("render", tmp_path / "long.mid", "--output", tmp_path / "long.svg", tmp_path / "long.pdf", "--json").json
    *pages, pdf = map(Path, made["files"])
    assert [page.name for page in pages] == ["long.svg", "long-2.svg"]
    assert sum(len(BARS.findall(page.read_text(encoding="utf-8"))) for page in pages) == len(
        PianoRoll.from_midi(tmp_path / "long.mid").bar_frames()
    )
    assert pdf.read_bytes().startswith(b"%PDF")
    refused = run("render", tmp_path / "long.mid", "--output", tmp_path / "long.svg").refused()
    assert "exists already" in refused


def test_parts_and_triplets(run: Run, tmp_path: Path) -> None:
    """One part is asked for and all are drawn; or triplets, which nobody has to name, become sixteenths."""
    notes = [(160 * at, 160 * at + 160, 60 + at, 90, at % 2) for at in range(6)]
    table = NoteTable(*map(list, zip(*notes, strict=True)))
    song = Score(table, TempoMap(480), (Part("flute", 73), Part("oboe", 68)))
    write_midi(song, tmp_path / "song.mid")
    write_musicxml(song, tmp_path / "song.musicxml")
    for source in ("song.mid", "song.musicxml"):
        run("render", tmp_path / source, "--output", tmp_path / "x.svg", "--parts", "flute", "--overwrite")
        page = (tmp_path / "x.svg").read_text(encoding="utf-8")
        assert "flute" in page
        assert "oboe" not in page
        assert 'class="tuplet"' in page
    run("render", tmp_path / "song.mid", "--output", tmp_path / "x.svg", "--frames-per-beat", 4, "--overwrite")
    assert 'class="tuplet"' not in (tmp_path / "x.svg").read_text(encoding="utf-8")


def test_generated_music(run: Run, small_run: Path, tmp_path: Path) -> None:
    """`generate` does not write what `render` writes."""
    made = tmp_path / "piece.svg", tmp_path / "piece.pdf", tmp_path / "piece.mid"
    assert run("generate", "--model", small_run, "--beats", 4, "--output", *made).code == 0
    assert "<svg" in made[0].read_text(encoding="utf-8")
    assert made[1].read_bytes().startswith(b"%PDF")
    assert read_midi(made[2]) is not None


def test_without_the_extra(run: Run, midi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command works for minutes before it finds that it cannot write; or does not name the extra."""
    song = midi / "scale_c_major_pentatonic.mid"
    monkeypatch.setattr(music_files, "find_spec", lambda name: None)
    done = run("render", song, "--output", tmp_path / "song.svg")
    assert done.code != 0
    assert "pip install 'pianoroll-seq2seq[score]'" in done.err
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    done = run("render", song, "--output", tmp_path / "song.wav", tmp_path / "song.pdf")
    assert "pip install 'pianoroll-seq2seq[score]'" in done.err
    assert not list(tmp_path.iterdir())
