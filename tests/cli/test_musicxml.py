"""MusicXML on the command line: primers and music to inspect and render, and scores of what is generated."""

from pathlib import Path

import pytest
from command_line import Run
from musicxml_music import SCORES

from pianoroll_seq2seq import BeatGrid, PianoRoll, read_midi, read_musicxml, write_midi, write_musicxml


@pytest.mark.parametrize("ending", ["musicxml", "mxl"])
def test_generated_music_as_a_score(run: Run, tmp_path: Path, ending: str) -> None:
    """The score shows other notes than the MIDI file plays; or a primer of a notation program is refused."""
    primer = write_musicxml(SCORES["chords"], tmp_path / f"primer.{ending}")
    made = [tmp_path / f"more.{ending}", tmp_path / "more.mid"]
    done = run("generate", "--primer", primer, "--beats", 4, "--output", *made)
    assert done.code == 0
    assert "2 of 8 notes are outside" in done.err or "notes are outside the model's pitches" in done.err
    score = read_musicxml(made[0])
    assert score.notes == read_midi(made[1]).notes
    assert len(PianoRoll.from_musicxml(made[0])) == len(PianoRoll.from_midi(made[1])) > 16


def test_inspect_shows_the_parts_of_a_score(run: Run, tmp_path: Path) -> None:
    """The names, programs and drums of its parts, as of a MIDI file; and its name in the message if it is cut."""
    path = write_musicxml(SCORES["drums"], tmp_path / "song.musicxml")
    (file,) = run("inspect", path, "--json").json["files"]
    assert [(part["name"], part["program"], part["drums"]) for part in file["parts"]] == [
        ("Flute", 73, False),
        ("Kit", 0, True),
    ]
    path.write_bytes(path.read_bytes()[:900])
    assert "song.musicxml: not MusicXML, or a file that is cut" in run("inspect", path).refused()


def test_render_from_and_to_scores(run: Run, tmp_path: Path) -> None:
    """A part is lost on the way, or triplets are rounded although the grid has them."""
    song = write_midi(SCORES["triplets"], tmp_path / "song.mid")
    score = tmp_path / "song.musicxml"
    assert run("render", song, "--output", score, "--frames-per-beat", 12).code == 0
    assert read_musicxml(score) == SCORES["triplets"]
    kit = write_musicxml(SCORES["drums"], tmp_path / "kit.mxl")
    made = [tmp_path / "kit.mid", tmp_path / "again.musicxml", tmp_path / "kit.wav", tmp_path / "kit.png"]
    assert run("render", kit, "--output", *made, "--synthesizer", "plain").code == 0
    assert read_midi(made[0]).notes == read_musicxml(made[1]).notes == SCORES["drums"].notes
    assert [part.name for part in read_musicxml(made[1]).parts] == ["Flute", "Kit"]
    assert made[2].stat().st_size > 1000
    assert made[3].read_bytes().startswith(b"\x89PNG")
    again = PianoRoll.from_musicxml(made[1], parts="tracks", grid=BeatGrid(4))
    assert again == PianoRoll.from_midi(made[0], parts="tracks", grid=BeatGrid(4))


def test_unknown_drums_are_left_out_with_a_warning(run: Run, tmp_path: Path) -> None:
    """A primer with a percussion staff is refused, although drums are no primer."""
    text = write_musicxml(SCORES["drums"], tmp_path / "song.musicxml").read_text(encoding="utf-8")
    (tmp_path / "song.xml").write_text(text.replace("midi-unpitched", "midi-bank"), encoding="utf-8")
    done = run("inspect", tmp_path / "song.xml")
    assert done.code == 0
    assert "song.xml: 12 unpitched notes whose drum is unknown; left out" in done.err
