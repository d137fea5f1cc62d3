"""The commands under ``python -OO``, without docstrings and assertions."""

import subprocess
import sys
from pathlib import Path

import pytest

from pianoroll_seq2seq.cli.main import COMMANDS

HELP = """
import sys
from pianoroll_seq2seq.cli.main import main
sys.exit(any([print(main([*name.split(), "--help"])) for name in {names}]))
"""
GENERATE = """
import sys
from pianoroll_seq2seq.cli.main import main
sys.exit(main(["generate", "--beats", "1", "--output", "piece.mid"]))
"""


def optimized(script: str, folder: Path) -> str:
    """Runs a script and returns what it prints."""
    done = subprocess.run(
        [sys.executable, "-OO", "-c", script], cwd=folder, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["train"], id="quick"),
        pytest.param([*COMMANDS, "submit train", "submit generate"], id="all", marks=pytest.mark.slow),
    ],
)
def test_help(tmp_path: Path, names: list[str]) -> None:
    """``python -OO``: ``train --help`` ends in a traceback, or shows an object in place of the text."""
    printed = optimized(HELP.format(names=names), tmp_path)
    assert printed.count("\n0\n") == len(names)
    assert " object at 0x" not in printed
    assert "--output PATH" in printed


@pytest.mark.slow
def test_a_piece(tmp_path: Path) -> None:
    """The commands rely on assertions."""
    assert "piece.mid" in optimized(GENERATE, tmp_path)
    assert (tmp_path / "piece.mid").stat().st_size > 100
