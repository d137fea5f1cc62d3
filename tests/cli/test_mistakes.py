"""Mistakes that newcomers make: each message says what came, what was expected, and what to do."""

import shlex
from pathlib import Path

import pytest
from command_line import Run

from pianoroll_seq2seq import NoteTable, Score, TempoMap, write_midi

MISTAKES = (
    ("generate", "--output is missing. Example: pianoroll-seq2seq generate --output chorale.wav"),
    ("generate --out a.mid", "--output is missing. Did you mean --output instead of --out?"),
    ("generate --output a", "a: unknown ending. Give one of .mid"),
    ("generate --output a.mp3", "a.mp3: unknown ending. Give one of .mid"),
    ("generate --output music", "music: unknown ending"),
    ("generate --output a.mid --primer nosuch.mid", "nosuch.mid: no such file"),
    ("generate --output a.mid --primer song.mp3", "song.mp3: not a MIDI file; it is MP3 sound."),
    ("generate --output a.mid --primer fake.mid", "fake.mid: not a MIDI file; it is MP3 sound."),
    ("generate --output a.mid --primer score.musicxml", "score.musicxml: not MusicXML, or a file that is cut"),
    ("inspect score.musicxml", "score.musicxml: not MusicXML, or a file that is cut"),
    ("generate --output a.mid --primer music", "music: a folder; expected a MIDI file. Name a file in it."),
    ("generate --output a.mid --primer-beats 16", "--primer-beats 16.0 is for a primer. Add --primer FILE"),
    ("generate --output a.mid --model song.mid", "song.mid: not a model; it is a MIDI file."),
    ("generate --output a.mid --model song.mp3", "song.mp3: not a model; it is MP3 sound."),
    ("generate --output a.mid --model nosuch", "nosuch: no such model. Pass a checkpoint, the folder of a run"),
    ("generate --output a.mid --model music", "music: no such model. Pass a checkpoint, the folder of a run"),
    ("generate --output a.mid --scale 'H major'", "unknown scale 'H major'. Give a root and one of major, minor, "),
    ("generate --output a.mid --scale 'C ionan'", "unknown scale 'C ionan'."),
    ("generate --output a.mid --condition C major", "bach-chorales computes its conditions from the piece"),
    ("generate --output a.mid --beats four", 'Invalid value for --beats: unable to convert "four" into float.'),
    ("train --data nosuch", "nosuch: neither a folder of MIDI files or a corpus, nor one of the data sets"),
    (f"train --data {'x' * 300}", "x: neither a folder of MIDI files or a corpus"),
    ("train --data nosuch --verify", "nosuch: expected a corpus, since --verify was given. Leave out --verify."),
    ("train --data jsbb", "Did you mean jsb?"),
    ("train --data song.mid", "song.mid: a file; expected a folder."),
    ("train --data empty", "empty: no MIDI or MusicXML file (.mid, .midi, .kar, .rmi, .musicxml, .mxl) in it or below"),
    ("train --epoch 5", "Unknown option: --epoch. Did you mean --epochs?"),
    ("train --head NotesHed", "there is no class pianoroll_seq2seq.NotesHed"),
    ("train --head NotesHed", "Did you mean NotesHead?"),
    ("train --config nosuch.yaml", "nosuch.yaml: No such file or directory."),
    ("evaluate", "DATA is missing. Example: pianoroll-seq2seq evaluate "),
    ("evaluate nosuch", "nosuch: neither a folder"),
    ("inspect song.mp3", "song.mp3: not a MIDI file; it is MP3 sound."),
    ("inspect nosuch", "nosuch: no such file or folder. Check the path."),
    ("ingest song.mid out", "song.mid: a file; expected a folder."),
    ("ingest nosuch out", "nosuch: no such folder. Check the path."),
    ("render song.mid", "--output is missing. Example: pianoroll-seq2seq render "),
    ("render song.mid --output a.mp3", "a.mp3: unknown ending"),
    ("render music --output a.wav b.wav", "music is a folder: give one folder as --output"),
    ("report nosuch", "nosuch: no such folder. Check the path."),
    ("report empty", "empty: not the folder of a run."),
    ("compare nosuch", "nosuch: no such folder. Check the path."),
    ("compare empty", "empty: not the folder of a run"),
    ("studio nosuch --no-browser", "nosuch: no such model."),
    ("studio song.mid --no-browser", "song.mid: not a model; it is a MIDI file."),
)


@pytest.mark.parametrize(("line", "words"), MISTAKES)
def test_a_mistake_is_explained(run: Run, here: Path, line: str, words: str) -> None:
    """A newcomer's slip ends in a message that does not say what was wrong, or in a traceback."""
    notes = NoteTable([0], [480], [60], [90], [0])
    for path in (here / "song.mid", here / "music" / "one.mid"):
        write_midi(Score(notes, TempoMap(480)), path)
    (here / "empty").mkdir()
    for name in ("song.mp3", "fake.mid"):
        (here / name).write_bytes(b"ID3\x04\x00\x00\x00\x00")
    (here / "score.musicxml").write_text('<?xml version="1.0"?><score-partwise>')
    assert words in " ".join(run(*shlex.split(line)).refused().split())
