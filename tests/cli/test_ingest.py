"""``ingest``: a corpus from the command line."""

import shutil
from pathlib import Path

from command_line import Run

from pianoroll_seq2seq import BeatGrid, Corpus, NoteTable, PitchRange, Score, TempoMap, write_midi


def test_a_corpus_and_what_was_refused(run: Run, midi: Path, tmp_path: Path) -> None:
    """A file that was left out is not named, or the corpus has another grid than the options say."""
    music = tmp_path / "music"
    shutil.copytree(midi, music)
    (music / "broken.mid").write_bytes(b"MThd and no more")
    options = ("--frames-per-beat", 2, "--pitches", 40, 90)
    done = run("ingest", music, tmp_path / "corpus", *options)
    assert done.code == 0
    assert "12 pieces (12 distinct)" in done.out
    assert done.out.count("broken.mid") == 1
    corpus = Corpus(tmp_path / "corpus")
    assert (len(corpus), corpus.grid, corpus.pitches) == (12, BeatGrid(2), PitchRange(40, 90))
    again = run("ingest", music, tmp_path / "corpus", *options, "--json").json  # nothing to do
    assert (again["pieces"], list(again["refused"]), again["pitches"]) == (12, ["broken.mid"], [40, 90])


def test_a_corpus_of_files_beside_the_beats(run: Run, tmp_path: Path) -> None:
    """The advice of inspect is followed, and the notes of the corpus are no more on its grid than before."""
    onsets = [37 + 120 * number for number in range(8)]
    notes = NoteTable(onsets, [onset + 120 for onset in onsets], [60] * 8, [90] * 8, [0] * 8)
    write_midi(Score(notes, TempoMap(480)), tmp_path / "music" / "late.mid")
    done = run("ingest", tmp_path / "music", tmp_path / "corpus", "--offset", "auto", "--json").json
    assert done["grid"] == {"class": "BeatGrid", "frames_per_beat": 4, "offset": "auto"}
    (roll,) = Corpus(tmp_path / "corpus")
    assert roll.notes().onset_frame.tolist() == list(range(8))
    assert "differ" in run("ingest", tmp_path / "music", tmp_path / "corpus", "--frames-per-beat", 4).refused()


def test_what_cannot_be(run: Run, midi: Path, tmp_path: Path) -> None:
    """A folder of something else is written into, or the message hides what to do."""
    assert "no such folder" in run("ingest", tmp_path / "none", tmp_path / "out").refused()
    (tmp_path / "mine.txt").write_text("keep")
    assert "Choose a new folder" in run("ingest", midi, tmp_path).refused()
    assert run("ingest", midi, tmp_path / "mine.txt" / "corpus").refused()
    assert run("ingest", midi, tmp_path / "corpus", "--track", "BASS").code == 0
    assert "differ" in run("ingest", midi, tmp_path / "corpus", "--track", "MELODY").refused()
