"""Commands in documents: parsed by the program that they call, but not run."""

import argparse
import os
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from documents import ROOT

ELSEWHERE = ("aconnect", "az", "docker", "fluidsynth", "hf", "mscore", "pre-commit")
"""Programs of other projects, whose options are not checked."""
THEIR_OWN = ("train.py",)
"""Scripts of the reader."""


class _ParsedError(Exception):
    """Stops a script after it has parsed its command line."""


def check_command(line: str) -> None:
    """Fails the test unless every part of a command line can be parsed."""
    words = shlex.split(line, comments=True)
    while words:
        command = words[: words.index("&&")] if "&&" in words else words
        words = words[len(command) + 1 :]
        while re.match(r"[A-Z_]+=", command[0]):  # variables of the environment
            command = command[1:]
        _check(command, line)


def _check(command: list[str], line: str) -> None:
    match command:
        case ["pip", "install", *rest]:
            _check_requirements([word for word in rest if not word.startswith("-")], line)
        case ["nox", "-s", *rest]:
            _check_session(rest, line)
        case ["nox", "--list"]:
            pass
        case (
            ["pianoroll-seq2seq", *rest]
            | ["python", "-m", "pianoroll_seq2seq", *rest]
            | ["python", "-P", "-m", "pianoroll_seq2seq", *rest]
        ):
            _check_program(rest, line)
        case ["python", "-m", "build" | "pip" | "venv", *_]:
            pass
        case ["python", script, *rest]:
            _check_script(script, rest, line)
        case ["torchrun", *rest]:
            places = [place for place, word in enumerate(rest) if word.endswith(".py")]
            if places:  # otherwise the text is about an option only
                _check_script(rest[places[0]], rest[places[0] + 1 :], line)
        case [program, *_] if program in ELSEWHERE:
            pass
        case _:
            pytest.fail(f"there is no check for this command: {line}")


def _check_requirements(requirements: Sequence[str], line: str) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    assert requirements, line
    for requirement in requirements:
        found = re.fullmatch(r"(pianoroll-seq2seq|\.|[\w-]+)(?:\[([\w,-]+)\])?", requirement)
        assert found, f"{requirement!r} is not a requirement: {line}"
        if found[1] in ("pianoroll-seq2seq", "."):
            missing = set((found[2] or "").split(",")) - {*extras, ""}
            assert not missing, f"no extra {missing}: {line}"


def _check_session(words: Sequence[str], line: str) -> None:
    place = words.index("--") if "--" in words else len(words)
    sessions, arguments = words[:place], list(words[place + 1 :])
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    known = re.findall(r"^def (\w+)\(session", noxfile, flags=re.MULTILINE)
    assert set(sessions) <= set(known), f"nox knows {known}: {line}"
    if sessions == ["bench"] and arguments:
        _check_script(f"benchmarks/{arguments[0]}.py", arguments[1:], line)
    elif sessions == ["demo"] and arguments:
        _check_script("examples/train_scale_chords.py", arguments, line)
    else:
        for argument in arguments:
            assert argument.startswith("-") or (ROOT / argument.partition("::")[0]).exists(), f"{argument}: {line}"


def _check_program(arguments: Sequence[str], line: str) -> None:
    from pianoroll_seq2seq.cli.command import find_command, parse
    from pianoroll_seq2seq.cli.main import COMMANDS
    from pianoroll_seq2seq.errors import SettingsError

    if not arguments or arguments[0] in ("-h", "--help", "--version"):
        return
    name, *rest = arguments
    assert name in COMMANDS, f"no command {name}: {line}"
    try:
        parse(*find_command(name, _without_files(rest)))
    except SettingsError as error:
        pytest.fail(f"{line}: {error}")


def _without_files(words: Sequence[str]) -> list[str]:
    """The arguments without files that need not exist: ``--config FILE``, and where the output goes (``> FILE``)."""
    left = list(words[: words.index(">")] if ">" in words else words)
    if "--config" in left:
        place = left.index("--config")
        del left[place : place + 2]
    return left


def _check_script(script: str, arguments: Sequence[str], line: str) -> None:
    """Starts the script, and stops it after it has parsed its command line."""
    path = ROOT / script
    if script in THEIR_OWN:
        return
    assert path.is_file(), f"{script} does not exist: {line}"
    original = argparse.ArgumentParser.parse_args

    def parse_args(self: argparse.ArgumentParser, args: object = None, namespace: object = None) -> None:
        original(self, list(arguments))
        raise _ParsedError

    with _as_a_script(path, arguments), mock.patch.object(argparse.ArgumentParser, "parse_args", parse_args):
        try:
            runpy.run_path(str(path), run_name="__main__")
        except _ParsedError:
            return
        except SystemExit as leaving:
            pytest.fail(f"{line}: the script ended with {leaving.code!r}; see what it wrote to standard error")
    pytest.fail(f"{script} parsed no command line: {line}")


@contextmanager
def _as_a_script(path: Path, arguments: Sequence[str]) -> Iterator[None]:
    """Imports come from the script's own folder, and changes of the environment are undone."""
    beside = [str(path.parent), str(ROOT / "examples"), str(ROOT / "benchmarks")]
    with (
        mock.patch.dict(os.environ),
        mock.patch.object(sys, "path", [*beside, *sys.path]),
        mock.patch.object(sys, "argv", [str(path), *arguments]),
    ):
        yield
