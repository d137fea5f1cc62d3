"""The program: help, version, exit codes, streams."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command_line import Run

import pianoroll_seq2seq
from pianoroll_seq2seq.cli import ingest
from pianoroll_seq2seq.cli import main as program
from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.errors import (
    CheckpointWriteError,
    DownloadError,
    MissingExtraError,
    StoreAccessError,
    TrainingDivergedError,
)

ROOT = Path(__file__).parents[2]


def test_help_of_all_and_of_each_command(run: Run) -> None:
    """A newcomer's first words get no answer, or one without an example to paste."""
    for given in ([], ["--help"], ["-h"]):
        done = run(*given)
        assert (done.code, done.err) == (0, "")
        assert all(f"  {name}" in done.out for name in program.COMMANDS)
    for name in program.COMMANDS:
        done = run(name, "--help")
        assert (done.code, done.err) == (0, "")
        examples = done.out.partition("examples:\n")[2]
        assert examples.count(f"pianoroll-seq2seq {name}") >= 2
        assert ":class:" not in done.out
        assert "``" not in done.out


def test_each_command_is_a_file_of_its_name() -> None:
    """A command that was added cannot be found where the others are."""
    folder = Path(program.__file__).parent
    with_command = {path.stem for path in folder.glob("*.py") if "\nCOMMAND = " in path.read_text(encoding="utf-8")}
    assert with_command == set(program.COMMANDS)


def test_the_version_and_the_name_of_the_program(run: Run) -> None:
    """A report of a fault cannot say of which version."""
    assert run("--version").out == f"pianoroll-seq2seq {pianoroll_seq2seq.__version__}\n"
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert scripts == {"pianoroll-seq2seq": "pianoroll_seq2seq.cli.main:main"}


def test_what_is_no_command_or_no_option(run: Run) -> None:
    """A slip of the keyboard ends in a traceback, or is passed over."""
    assert "there is no command 'trian'; there are ingest" in run("trian").refused()
    assert "--nonsense=3" in run("inspect", "x.mid", "--nonsense", 3).refused()
    assert "path" in run("inspect").refused()
    assert "lowest" in run("ingest", "a", "b", "--pitches.lowest", "low").refused()
    assert "frames_per_beat must lie in" in run("ingest", "a", "b", "--grid.frames_per_beat", 0).refused()
    assert "unrecognized" in run("inspect", "x.mid", "--js").refused()  # no guessing of what was meant


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DownloadError("no network"), 1),
        (CheckpointWriteError("no space"), 1),
        (TrainingDivergedError("nan"), 1),
        (OSError(28, "No space left on device"), 1),
        (MissingExtraError("x", "y", "z"), 2),
        (StoreAccessError("who are you"), 2),
        (PermissionError(13, "Permission denied", "folder"), 2),
        (KeyboardInterrupt(), 130),
        (SystemExit(143), 143),
    ],
)
def test_exit_codes(run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int) -> None:
    """A script cannot tell a mistake from a fault, or sees a traceback."""

    def fails() -> None:
        raise error

    monkeypatch.setattr(ingest, "COMMAND", Command(fails, examples=""))
    done = run("ingest")
    assert (done.code, done.out) == (code, "")
    assert "Traceback" not in done.err
    if isinstance(error, Exception):
        assert done.err.startswith("error: ")


def test_a_fault_of_the_program_shows_where(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever should mend it gets a line that says nothing."""

    def fails() -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(ingest, "COMMAND", Command(fails, examples=""))
    with pytest.raises(ZeroDivisionError):
        run("ingest")


def test_as_a_module_and_with_a_reader_who_leaves(midi: Path) -> None:
    """`python -m pianoroll_seq2seq` is not there; `| head` ends with a complaint; inspecting waits for PyTorch."""
    given = [sys.executable, "-m", "pianoroll_seq2seq", "inspect", str(midi), "--json"]
    environment = os.environ | {"PYTHONPROFILEIMPORTTIME": "1"}
    with subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # before anything is written
        said = process.stderr.read().decode()
    assert process.returncode == 0
    assert "Error" not in said
    modules = {line.rpartition("|")[2].strip() for line in said.splitlines() if line.startswith("import time:")}
    assert "numpy" in modules
    assert not modules & {"torch", "matplotlib", "pretty_midi"}
