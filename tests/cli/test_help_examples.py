"""Every example that ``--help`` prints runs as printed, on music as people have it."""

import shlex
import shutil
from pathlib import Path

import pytest
from command_line import Run, quick, write_chorale_files

from pianoroll_seq2seq import NoteTable, Score, TempoMap, write_midi
from pianoroll_seq2seq.cli.command import find_command, parse
from pianoroll_seq2seq.cli.main import COMMANDS
from pianoroll_seq2seq.display.audio.soundfont import _pretty_midi_soundfont

OWN_MODULE = """
from pianoroll_seq2seq import Seq2SeqLSTM


class MyModel(Seq2SeqLSTM):
    pass
"""
DATA_SETS = ("jsb", "bach-chorales")
"""Downloaded, or too large for a test: the same commands read the folder instead."""


def examples(run: Run, name: str) -> list[list[str]]:
    lines = run(name, "--help").out.partition("Examples:\n")[2].splitlines()
    return [shlex.split(line) for line in lines if line.strip().startswith("pianoroll-seq2seq")]


@pytest.fixture
def reader(here: Path, midi: Path, small_run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the files that examples name; some have notes far up, begin late, or are damaged."""
    folder = here / "my_midi"
    folder.mkdir()
    for path in sorted(midi.iterdir())[:2]:
        (folder / path.name).symlink_to(path)
    onsets = [480 * (20 + beat) for beat in range(40)]
    pitches = [40 + beat % 60 for beat in range(40)]  # the model that comes with the library ends at 81
    notes = NoteTable(onsets, [onset + 480 for onset in onsets], pitches, [90] * 40, [0] * 40)
    write_midi(Score(notes, TempoMap(480)), folder / "wide.mid")
    (folder / "broken.mid").write_bytes(b"MThd")
    shutil.copy(folder / "wide.mid", here / "song.mid")
    for name in ("mine", "narrow", "wide", "other"):
        shutil.copytree(small_run, here / "runs" / name)
    (here / "my_module.py").write_text(OWN_MODULE)
    (here / "run.yaml").write_text("epochs: 3\n")
    write_chorale_files(here)
    found = _pretty_midi_soundfont()
    if found is not None:
        (here / "piano.sf2").symlink_to(found)
    return here


@pytest.mark.no_cover
@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_of_the_help(name: str, run: Run, reader: Path) -> None:
    """An example that was copied from the help fails, or needs what it does not name."""
    if name == "train":
        shutil.rmtree(reader / "runs" / "mine")  # the examples train it
    for program, command, *words in examples(run, name):
        assert program == "pianoroll-seq2seq"
        arguments = words[: words.index(">")] if ">" in words else words
        if command in ("studio", "live", "submit"):  # no page is opened, and nothing is played or sent
            parse(*find_command(command, arguments))
            continue
        if command == "compare" and "runs/*" in arguments:
            place = arguments.index("runs/*")
            arguments[place : place + 1] = [str(path) for path in sorted(Path("runs").iterdir())]
        if any(word in DATA_SETS for word in arguments):
            arguments = ["my_midi" if word in DATA_SETS else word for word in arguments]
            arguments += ["--outside", "drop"]
        done = run(command, *quick(command, arguments))
        assert done.code == 0, f"{words}: {done.err}"
        assert done.out
