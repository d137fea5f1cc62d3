"""The program: help, version, exit codes, streams."""

import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from command_line import SMALL_MODEL, SMALL_WINDOWS, Run

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


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_of_the_program(run: Run, arguments: list[str]) -> None:
    """A newcomer's first words get no answer."""
    done = run(*arguments)
    assert (done.code, done.err) == (0, "")
    assert all(f"  {name}" in done.out for name in program.COMMANDS)


@pytest.mark.parametrize("name", program.COMMANDS)
def test_help_of_a_command(run: Run, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The help of a command has no example to paste, markup of the documentation, or types of Python."""
    monkeypatch.setenv("COLUMNS", "80")
    done = run(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: pianoroll-seq2seq {name} ")
    body, _, examples = done.out.partition("Examples:\n")
    assert examples.count(f"\n  pianoroll-seq2seq {name}") + examples.startswith(f"  pianoroll-seq2seq {name}") >= 2
    assert max(map(len, body.splitlines())) <= 80
    assert not any(text in done.out for text in (":class:", "``", "null", "None", "| int", "Args:", "Raises:"))


def test_the_first_options_of_train(run: Run) -> None:
    """A newcomer must read fifty options to find the five that they need."""
    first = run("train", "--help").out.partition("Options:\n")[2].partition("\n\n")[0]
    options = [line.split()[0] for line in first.splitlines() if line.startswith("  --")]
    assert options == ["--data", "--epochs", "--output", "--model", "--config"]


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


def test_mistakes(run: Run) -> None:
    """A slip of the keyboard ends in a traceback, or is passed over."""
    assert "unknown command 'trian'. Did you mean train?" in run("trian").refused()
    assert "The commands are generate, fill, train" in run("xyz").refused()
    assert "Unknown option: --nonsense" in run("inspect", "x.mid", "--nonsense", 3).refused()
    assert "PATH is missing" in run("inspect").refused()
    assert "Unexpected argument: y.mid" in run("inspect", "x.mid", "y.mid").refused()
    assert "--pitches" in run("ingest", "a", "b", "--pitches", "low", "high").refused()
    assert "--frames-per-beat" in run("ingest", "a", "b", "--frames-per-beat", 0).refused()
    both = ("--frames-per-beat", 4, "--frame-seconds", 0.02)
    assert "not both" in run("ingest", "a", "b", *both).refused()
    assert "Unknown option: --js" in run("inspect", "x.mid", "--js").refused()  # no guessing of what was meant


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
        """Fails."""
        raise error

    monkeypatch.setattr(ingest, "COMMAND", Command(fails, examples=""))
    done = run("ingest")
    assert (done.code, done.out) == (code, "")
    assert "Traceback" not in done.err
    if isinstance(error, Exception):
        assert done.err.startswith("error: ")


def test_a_fault_of_the_program_shows_where(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug is reported in a line that does not say where it is."""

    def fails() -> None:
        """Fails."""
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(ingest, "COMMAND", Command(fails, examples=""))
    with pytest.raises(ZeroDivisionError):
        run("ingest")


def imported(stderr: str) -> set[str]:
    """The modules that a process with PYTHONPROFILEIMPORTTIME has imported."""
    return {line.rpartition("|")[2].strip() for line in stderr.splitlines() if line.startswith("import time:")}


def test_the_help_of_train_imports_no_numerics() -> None:
    """`--help` waits for PyTorch; or `python -m pianoroll_seq2seq` is not there."""
    done = subprocess.run(
        [sys.executable, "-m", "pianoroll_seq2seq", "train", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPROFILEIMPORTTIME": "1"},
    )
    assert "--epochs" in done.stdout
    assert "cyclopts" in imported(done.stderr)
    assert not imported(done.stderr) & {"torch", "numpy", "matplotlib"}


def test_no_command_imports_numerics_for_its_help() -> None:
    """The same, for all other commands, in one process."""
    code = (
        "import sys; from pianoroll_seq2seq.cli.main import COMMANDS, main\n"
        "for name in COMMANDS: main([name, '--help'])\n"
        "assert not {'torch', 'numpy', 'matplotlib'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_the_help_without_docstrings() -> None:
    """``python -OO`` removes the texts that the help is made of, and the help fails."""
    code = (
        "import sys; from pianoroll_seq2seq.cli.main import COMMANDS, main\n"
        "sys.exit(max(main([name, '--help']) for name in COMMANDS))"
    )
    done = subprocess.run([sys.executable, "-OO", "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--epochs INT" in done.stdout


def test_a_reader_who_leaves(midi: Path) -> None:
    """`| head` ends with a complaint; or inspecting waits for PyTorch."""
    command = [sys.executable, "-m", "pianoroll_seq2seq", "inspect", str(midi), "--json"]
    environment = os.environ | {"PYTHONPROFILEIMPORTTIME": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # before anything is written
        stderr = process.stderr.read().decode()
    assert process.returncode == 0
    assert "Error" not in stderr
    assert "numpy" in imported(stderr)
    assert not imported(stderr) & {"torch", "matplotlib", "pretty_midi"}


def test_ctrl_c_ends_a_training_that_can_be_resumed(midi: Path, tmp_path: Path, run: Run) -> None:
    """Ctrl-C ends in a traceback, with another exit code than 130, or without a checkpoint."""
    folder = tmp_path / "run"
    options = ("train", "--data", midi, *SMALL_WINDOWS, *SMALL_MODEL, "--schedule", "constant", "--output", folder)
    command = [sys.executable, "-m", "pianoroll_seq2seq", *map(str, options), "--epochs", "100000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not (folder / "history.jsonl").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stderr = process.communicate()[1]
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert "interrupted. The run is saved" in stderr
    again = run(*options, "--epochs", 1)
    assert again.code == 0, again.err
    assert "resuming the run" in again.err
