"""The program: finds the command, runs it, prints what it says, and ends with a code that scripts can rely on."""

import contextlib
import importlib
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pianoroll_seq2seq.cli.command import Command, Result

COMMANDS = {
    "ingest": "turn a folder of MIDI files into a corpus",
    "inspect": "say what is in a MIDI file or folder",
    "train": "train a model",
    "generate": "write music with a trained model",
    "evaluate": "score a trained model on music",
    "compare": "hold runs side by side",
    "report": "write the page of a run",
    "render": "turn MIDI files into sound or pictures",
    "studio": "play with a model in the browser",
    "submit": "train on Azure Machine Learning",
}
"""The commands: each is the file of its name beside this one."""

_USAGE = """usage: pianoroll-seq2seq COMMAND [OPTIONS]

Music with sequence models: MIDI to piano roll, an encoder-decoder LSTM, and back to music.

commands:
{commands}

options:
  -h, --help  show this, or after a command its help
  --version   show the version

examples:
  pianoroll-seq2seq generate --output chorale.wav
  pianoroll-seq2seq inspect my_midi
  pianoroll-seq2seq train --data my_midi --output runs/mine

Results go to standard output (with --json as one JSON document), progress to standard error. The exit code is 0 when
all is well, 2 after a mistake in what was asked for, 1 when something else failed, and 130 after Ctrl-C.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line.

    Args:
        arguments: those of the program, without its name; what the program was started with by default.

    Returns:
        The exit code: 0, 1 (something failed), 2 (the user's mistake) or 130 (interrupted).
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = given[0] if given else "--help"
    try:
        with _plain_warnings():
            code = _run(name, given[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough
        _close_quietly(sys.stdout)
        return 0
    except KeyboardInterrupt as interrupt:
        _say(f"interrupted. {interrupt}".strip())
        return 130
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return code


def _run(name: str, given: list[str]) -> int:
    if name in ("-h", "--help"):
        width = max(map(len, COMMANDS))
        lines = "\n".join(f"  {command:{width}}  {what}" for command, what in COMMANDS.items())
        sys.stdout.write(_USAGE.format(commands=lines))
        return 0
    if name == "--version":
        from pianoroll_seq2seq import __version__

        print(f"pianoroll-seq2seq {__version__}")
        return 0
    if name not in COMMANDS:
        _say(f"error: there is no command {name!r}; there are {', '.join(COMMANDS)}.\nSee: pianoroll-seq2seq --help")
        return 2
    return _command(name, given)


def _command(name: str, given: list[str]) -> int:
    from pianoroll_seq2seq.cli.failures import described, exit_code
    from pianoroll_seq2seq.cli.parsing import parse

    command: Command = importlib.import_module(f"pianoroll_seq2seq.cli.{name}").COMMAND
    try:
        with _modules_here(command.own_classes):
            call = parse(name, command, given)
            result = call.run()
    except BrokenPipeError:
        raise
    except Exception as error:
        code = exit_code(error)
        if code is None:  # nobody foresaw it: whoever mends it needs the way to it
            raise
        _say(f"error: {described(error)}")
        return code
    if result is not None:
        _print(result, as_json=call.as_json)
    return 0


def _print(result: "Result", *, as_json: bool) -> None:
    print(json.dumps(result.to_json(), indent=2) if as_json else result)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _modules_here(wanted: bool) -> Iterator[None]:
    """Modules of the working directory are found, as they are by ``python -m``."""
    here = os.getcwd()
    if not wanted or here in sys.path:
        yield
        return
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    """Warnings as a line each, without the place in the code."""
    with warnings.catch_warnings():
        warnings.filterwarnings("default", category=UserWarning)
        warnings.showwarning = lambda message, *_where, **_how: _say(f"warning: {message}")
        yield


def _close_quietly(stream: TextIO) -> None:
    """Lets the interpreter end without another complaint about a pipe that nobody reads."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
