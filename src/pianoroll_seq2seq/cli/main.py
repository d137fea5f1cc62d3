"""The program: finds the command, runs it, prints the result, and ends with an exit code that scripts can rely on."""

import contextlib
import difflib
import importlib
import json
import sys
import warnings
from collections.abc import Iterator, Sequence

from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq._internal.redaction import redacted
from pianoroll_seq2seq._internal.streams import SteadyStream, reason_of
from pianoroll_seq2seq.cli.streams import steady_streams
from pianoroll_seq2seq.errors import (
    CheckpointWriteError,
    DownloadError,
    MidiPortError,
    PianoRollSeq2SeqError,
    StoreAccessError,
    StoreError,
    TrainingDivergedError,
)

COMMANDS = {
    "generate": "Write music with a trained model",
    "fill": "Harmonize a melody, or write parts or bars anew",
    "train": "Train a model",
    "evaluate": "Score a trained model on music",
    "compare": "Compare runs side by side",
    "report": "Write a page about a run",
    "inspect": "Show what is in a MIDI file or folder",
    "ingest": "Turn a folder of MIDI and MusicXML files into a corpus",
    "render": "Turn MIDI files into sound or pictures",
    "studio": "Play with a model in the browser",
    "live": "Play with a model on a MIDI keyboard",
    "submit": "Train or generate on Azure Machine Learning",
}
"""The commands. Each is in the file of its name."""

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes."""
_FAILURES = (CheckpointWriteError, DownloadError, MidiPortError, StoreError, TrainingDivergedError)
_PATH_ERRORS = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError)

_HELP = """Music with sequence models: from MIDI to piano rolls, a trained model, and new music.

Usage: pianoroll-seq2seq COMMAND [OPTIONS]

Commands:
{commands}

Options:
  -h, --help  Show this help, or after a command its help
  --version   Show the version

Examples:
  pianoroll-seq2seq generate --output chorale.wav
  pianoroll-seq2seq fill melody.mid --harmonize --output chorale.mid chorale.musicxml
  pianoroll-seq2seq inspect my_midi
  pianoroll-seq2seq train --data my_midi --output runs/mine

Results go to standard output, as text or with --json as one JSON document. Progress and errors go to standard error.
The exit code is 0 on success, 1 after a failure, 2 after a mistake in the command, and 130 after Ctrl-C.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: the program's arguments, without its name; ``sys.argv[1:]`` by default.

    Returns:
        The exit code: 0 (success), 1 (failure), 2 (a mistake in the command) or 130 (interrupted).
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    with steady_streams() as (out, err):
        try:
            with _plain_warnings():
                code, keeps_result = _run(tokens[0] if tokens else "--help", tokens[1:])
        except KeyboardInterrupt as interrupt:
            _print_error(f"interrupted. {interrupt}".strip())
            return INTERRUPTED
        except SystemExit as leaving:
            return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        out.flush()
        return _code_after_output(code, out, err, keeps_result=keeps_result)


def _code_after_output(code: int, out: SteadyStream, err: SteadyStream, *, keeps_result: bool) -> int:
    """The exit code, after a look at what could not be written.

    Args:
        code: the exit code of the command.
        out: standard output.
        err: standard error.
        keeps_result: whether the result is in files, and standard output has a text about it.
    """
    if isinstance(out.error, BrokenPipeError):  # the reader has enough, as head does
        return code
    if out.error is not None:
        problem = f"the result cannot be written to standard output: {reason_of(out.error)}."
        if code != OK or keeps_result:
            _print_error(f"warning: {problem}")
            return code
        _print_error(f"error: {problem}")
        return FAILED
    if err.error is not None and keeps_result:
        print(f"warning: standard error cannot be written to ({reason_of(err.error)}): progress and warnings are lost.")
    return code


def _run(name: str, tokens: list[str]) -> tuple[int, bool]:
    """The exit code, and whether the command's result is in files, and standard output has a text about it."""
    if name in ("-h", "--help"):
        width = max(map(len, COMMANDS))
        lines = "\n".join(f"  {command:{width}}  {summary}" for command, summary in COMMANDS.items())
        sys.stdout.write(_HELP.format(commands=lines))
        return OK, False
    if name == "--version":
        from pianoroll_seq2seq import __version__

        print(f"pianoroll-seq2seq {__version__}")
        return OK, False
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"The commands are {', '.join(COMMANDS)}."
        _print_error(f"error: unknown command {name!r}. {hint}\nSee: pianoroll-seq2seq --help")
        return USAGE, False
    return _run_command(name, tokens)


def _run_command(name: str, tokens: list[str]) -> tuple[int, bool]:
    from pianoroll_seq2seq.cli.command import CommandGroup, UsageError, find_command, flags_of, parse
    from pianoroll_seq2seq.cli.wording import in_options, message_of

    group = importlib.import_module(f"pianoroll_seq2seq.cli.{name}").COMMAND
    if isinstance(group, CommandGroup) and (not tokens or tokens[0] in ("-h", "--help")):
        sys.stdout.write(group.help(name))
        return OK, False
    try:
        name, command, tokens = find_command(name, tokens)
    except UsageError as error:
        _print_error(f"error: {error}")
        return USAGE, False
    try:
        call = parse(name, command, tokens)
        result = call.run()
    except Exception as error:
        code = exit_code(error)
        if code is None:  # a bug: show the traceback
            raise
        message = message_of(error)
        _print_error(f"error: {message if isinstance(error, UsageError) else in_options(message, flags_of(command))}")
        return code, False
    if result is not None:
        print(json.dumps(result.to_json(), indent=2) if call.as_json else printable(str(result), keep="\n"))
    return OK, command.keeps_result and not call.as_json


def exit_code(error: Exception) -> int | None:
    """The exit code after an error, or None for an error that is a bug of the program."""
    if isinstance(error, _FAILURES) and not isinstance(error, StoreAccessError):
        return FAILED
    if isinstance(error, (PianoRollSeq2SeqError, *_PATH_ERRORS)):
        return USAGE
    return FAILED if isinstance(error, OSError) else None


def _print_error(line: str) -> None:
    """Prints a line to standard error, without what looks like a secret."""
    print(printable(redacted(line), keep="\n"), file=sys.stderr, flush=True)


def _print_warning(message: Warning | str, *_: object, **__: object) -> None:
    from pianoroll_seq2seq.cli.wording import in_options

    _print_error(f"warning: {in_options(str(message))}")


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    """Prints each warning as one line, without its place in the code."""
    with warnings.catch_warnings():
        warnings.filterwarnings("default", category=UserWarning)
        warnings.showwarning = _print_warning
        yield
