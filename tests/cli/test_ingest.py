"""``ingest``: a corpus from the command line."""

import shutil
from pathlib import Path

from command_line import SMALL, SMALL_MODEL, Run

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


def test_verify(run: Run, midi: Path, tmp_path: Path) -> None:
    """A model is trained on, or scored with, other music than was ingested, since the disk or a copy is damaged."""
    corpus = tmp_path / "corpus"
    ingest = ("ingest", midi, corpus, "--pitches", 36, 81, "--outside", "drop", "--verify")
    assert run(*ingest).code == 0
    train = ("train", "--data", corpus, "--verify", "--output", tmp_path / "run", *SMALL, *SMALL_MODEL)
    assert run(*train).code == 0
    frames = bytearray((corpus / "00000.npy").read_bytes())
    frames[200] ^= 64
    (corpus / "00000.npy").write_bytes(frames)
    evaluate = ("evaluate", corpus, "--verify", "--continuations", 0)
    for command in (ingest, train, evaluate):
        assert "1 of 12 pieces have other frames than were built" in run(*command).refused()
    for data in (midi, "scale-chords", "jsb"):
        assert "expected a corpus" in run("train", "--data", data, "--verify", "--output", tmp_path / "two").refused()


def test_what_cannot_be(run: Run, midi: Path, tmp_path: Path) -> None:
    """A folder of something else is written into, or the message hides what to do."""
    assert "no such folder" in run("ingest", tmp_path / "none", tmp_path / "out").refused()
    (tmp_path / "mine.txt").write_text("keep")
    assert "Choose a new folder" in run("ingest", midi, tmp_path).refused()
    assert run("ingest", midi, tmp_path / "mine.txt" / "corpus").refused()
    assert run("ingest", midi, tmp_path / "corpus", "--track", "BASS").code == 0
    assert "differ" in run("ingest", midi, tmp_path / "corpus", "--track", "MELODY").refused()
