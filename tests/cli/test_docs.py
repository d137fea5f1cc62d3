"""The commands of docs/cli.md do what they say."""

import importlib
import re
import shlex
from pathlib import Path

import pytest
from command_line import SMALL_WINDOWS, Run

from pianoroll_seq2seq.cli.command import parse
from pianoroll_seq2seq.cli.main import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
FASTER = {
    "train": {"--data": ("my_midi",), "--epochs": (1,), "--model.hidden-size": (8,), "--head.hidden-size": (4,)}
    | dict(zip(SMALL_WINDOWS[::2], ((value,) for value in SMALL_WINDOWS[1::2]), strict=True)),
    "generate": {"--beats": (2,)},
}
"""Options that make commands quick, in place of their own values."""


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line]


def quick(command: str, arguments: list[str]) -> list[object]:
    """The arguments with smaller values."""
    if "--config" in arguments or "--help" in arguments:
        return list(arguments)
    left: list[object] = list(arguments)
    for option, value in FASTER.get(command, {}).items():
        if option in left:
            place = left.index(option)
            keep = option == "--data"
            left[place + 1 : place + 2] = [left[place + 1]] if keep else value
        elif not option.startswith("--head."):
            left += [option, *value]
    return left


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
            parse(command, importlib.import_module(f"pianoroll_seq2seq.cli.{command}").COMMAND, arguments)
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
