"""The commands of docs/cli.md do what they say."""

import re
import shlex
from pathlib import Path

import pytest
from command_line import SMALL, Run

from pianoroll_seq2seq.cli import main as program
from pianoroll_seq2seq.cli import studio, submit
from pianoroll_seq2seq.cli.parsing import parse

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
    for name, command, *given in commands():
        assert name == "pianoroll-seq2seq"
        seen.add(command)
        if command in ("studio", "submit"):  # no page is opened, and nothing is sent
            parse(command, {"studio": studio, "submit": submit}[command].COMMAND, given)
            continue
        config = "--config" in given
        quick = [*SMALL, *([] if "--data" in given or config else ["--data", "my_midi"])] if command == "train" else []
        quick += ["--model.hidden", 8] if "--model.hidden" not in given and command == "train" and not config else []
        quick = ["--beats", 2] if command == "generate" else [] if "--model.help" in given else quick
        done = run(command, *given, *quick)
        assert done.code == 0, f"{given}: {done.err}"
    assert seen == set(program.COMMANDS)
    written = (
        "chorale.wav",
        "chorale.flac",
        "more.png",
        "piece-4.mid",
        "heard",
        "comparison.html",
        "runs/mine/report.html",
    )
    assert all((here / name).exists() for name in written)


def test_the_table_has_every_command() -> None:
    """A command is not on the page."""
    named = re.findall(r"^\| \[`(\w+)`\]", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(named) == set(program.COMMANDS)
