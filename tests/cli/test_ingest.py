"""``ingest``: a corpus from the command line."""

import shutil
from pathlib import Path

from command_line import Run

from pianoroll_seq2seq import BeatGrid, Corpus, PitchRange


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


def test_what_cannot_be(run: Run, midi: Path, tmp_path: Path) -> None:
    """A folder of something else is written into, or the message hides what to do."""
    assert "no such folder" in run("ingest", tmp_path / "none", tmp_path / "out").refused()
    (tmp_path / "mine.txt").write_text("keep")
    assert "Choose a new folder" in run("ingest", midi, tmp_path).refused()
    assert run("ingest", midi, tmp_path / "mine.txt" / "corpus").refused()
    assert run("ingest", midi, tmp_path / "corpus", "--track", "BASS").code == 0
    assert "differ" in run("ingest", midi, tmp_path / "corpus", "--track", "MELODY").refused()
