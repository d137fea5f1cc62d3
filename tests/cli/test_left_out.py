"""Commands that read a folder say which files they left out, why, and which option helps."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from command_line import SMALL, SMALL_MODEL, Run

from pianoroll_seq2seq import NoteTable, Part, Score, TempoMap, write_midi
from pianoroll_seq2seq.cli.command import Command, flags_of
from pianoroll_seq2seq.cli.left_out import left_out_lines
from pianoroll_seq2seq.cli.main import COMMANDS
from pianoroll_seq2seq.cli.wording import in_options

SOURCES = Path(__file__).parents[2] / "src" / "pianoroll_seq2seq"


def song(path: Path, pitches: list[int], *, drums: bool = False) -> Path:
    """A note on every beat."""
    onsets = [480 * beat for beat in range(len(pitches))]
    ends = [onset + 480 for onset in onsets]
    notes = NoteTable(onsets, ends, pitches, [90] * len(pitches), [0] * len(pitches))
    return write_midi(Score(notes, TempoMap(480), (Part("song", drums=drums),)), path)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Three pieces that fit the pitches 60 to 71, four that go beyond by several notes each, and one of drums."""
    folder = tmp_path / "music"
    for number in range(3):
        song(folder / f"fits_{number}.mid", [60 + (beat * (number + 1)) % 12 for beat in range(64)])
    for number in range(4):
        song(folder / f"high_{number}.mid", [61 + (beat * (number + 2)) % 17 for beat in range(64)])
    song(folder / "beat.mid", [36, 38] * 32, drums=True)
    return folder


PITCHES = ("--pitches", 60, 71)


def test_train_says_why_and_what_helps(run: Run, music: Path, tmp_path: Path) -> None:
    """More than half of the music is left out, and the user learns it from the scores."""
    words = ("train", "--data", music, *PITCHES, *SMALL, *SMALL_MODEL, "--valid", 0.3, "--test", 0.3)
    done = run(*words, "--output", tmp_path / "run")
    assert done.code == 0, done.err
    assert "left out: 5 of 8 files\n  4 files (high_0.mid, high_1.mid, high_2.mid, ...): " in done.err
    assert "notes are outside pitches 60 to 71" in done.err
    assert "add --outside drop" in done.err
    assert "  beat.mid: no notes. It has drums: add --drums to keep them." in done.err
    assert str(music) not in done.err
    done = run(*words, "--outside", "drop", "--output", tmp_path / "all")
    assert "left out: 1 of 8 files" in done.err


def test_evaluate_says_why_and_what_helps(run: Run, music: Path, tmp_path: Path) -> None:
    """The scores are those of a few files, and nobody knows."""
    shares = ("--valid", 0.3, "--test", 0.3)
    run("train", "--data", music, *PITCHES, *SMALL, *SMALL_MODEL, *shares, "--output", tmp_path / "run")
    words = ("evaluate", music, "--model", tmp_path / "run", "--continuations", 0)
    done = run(*words)
    assert done.code == 0, done.err
    assert "left out: 5 of 8 files\n  4 files (high_0.mid" in done.err
    assert "add --outside drop" in done.err
    assert "left out: 1 of 8 files" in run(*words, "--outside", "drop").err
    for number in (0, 1):
        (music / f"fits_{number}.mid").unlink()
        song(music / f"fits_{number}.mid", [60, 64, 67])
    assert "2 of 3 pieces have fewer than 16 frames" in run(*words).err
    assert "padded with silence" in run(*words, "--short", "pad").err


def test_the_other_readers_of_folders(run: Run, music: Path, tmp_path: Path) -> None:
    """ingest, inspect or render say less than train."""
    (music / "broken.mid").write_bytes((music / "fits_0.mid").read_bytes()[:100])
    (music / "cut.mid").write_bytes((music / "fits_1.mid").read_bytes()[:90])
    (music / "sound.mid").write_bytes(b"ID3\x04\x00\x00")
    done = run("ingest", music, tmp_path / "corpus", *PITCHES)
    assert "left out: 8 of 11 files\n  4 files (high_0.mid, high_1.mid, high_2.mid, ...): " in done.out
    assert "2 files (broken.mid, cut.mid): cut short" in done.out
    assert "add --on-damage salvage" in done.out
    done = run("inspect", music)
    assert "left out: 1 of 11 files\n  sound.mid: not a MIDI file; it is MP3 sound." in done.out
    done = run("render", music, "--output", tmp_path / "sounds", "--endings", ".mid")
    assert "left out: 3 of 11 files\n  2 files (broken.mid, cut.mid): cut short" in done.out
    words = ("render", music, "--output", tmp_path / "more", "--endings", ".mid", "--on-damage", "salvage")
    assert "left out: 1 of 11 files\n  sound.mid: " in run(*words).out


def test_many_reasons_are_counted() -> None:
    """A folder of wrecks scrolls everything else off the screen."""
    words = "abcdefghijklmnop"
    lines = left_out_lines({f"{word}.mid": f"{word}.mid: wrong {word}" for word in words}, 4)
    assert lines[0] == "left out: 16 of 20 files"
    assert lines[-1] == "  and 4 more files for 4 more reasons"
    assert left_out_lines({}, 4) == []


def test_fixes_are_options_of_the_command() -> None:
    """An error of a command names an argument of Python, or an option that the command does not have."""
    texts = "\n".join(path.read_text(encoding="utf-8") for path in sorted(SOURCES.rglob("*.py")))
    fixes = set(re.findall(r"\b[Pp]ass \w+=(?:True|'\w+')", texts))
    assert len(fixes) >= 6
    for name in COMMANDS:
        command = import_module(f"pianoroll_seq2seq.cli.{name}").COMMAND
        for one in command.commands.values() if not isinstance(command, Command) else [command]:
            flags = flags_of(one)
            for fix in fixes:
                said = in_options(f"{fix}.", flags)
                named = re.findall(r"--[\w-]+", said)
                assert set(named) <= flags
                assert named or said.startswith("in Python ")
