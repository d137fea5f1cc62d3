"""The commands of docs/cli.md do what they say."""

import re
import shlex
from pathlib import Path

import pytest
from command_line import Run, quick

from pianoroll_seq2seq.cli.command import find_command, parse
from pianoroll_seq2seq.cli.main import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line]


def test_every_command_of_the_page(run: Run, midi: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that was copied from the page fails."""
    (here / "my_midi").mkdir()
    for path in sorted(midi.iterdir())[:4]:
        (here / "my_midi" / path.name).symlink_to(path)
    (here / "song.mid").symlink_to(midi / "scale_c_major_pentatonic.mid")
    (here / "run.yaml").write_text("epochs: 3\n")
    seen = set()
    for program, command, *arguments in commands():
        assert program == "pianoroll-seq2seq"
        seen.add(command)
        if command in ("studio", "submit"):  # no page is opened, and nothing is sent
            parse(*find_command(command, arguments))
            continue
        done = run(command, *quick(command, arguments))
        assert done.code == 0, f"{arguments}: {done.err}"
    assert seen == set(COMMANDS)
    written = (
        "chorale.wav",
        "chorale.flac",
        "more.png",
        "piece-4.mid",
        "sounds",
        "comparison.html",
        "runs/mine/report.html",
    )
    assert all((here / name).exists() for name in written)


def test_the_table_has_every_command() -> None:
    """A command is not on the page."""
    named = re.findall(r"^\| \[`(\w+)`\]", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(named) == set(COMMANDS)
