"""The parser and the error handling that the commands of this folder share."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pianoroll_seq2seq.errors import PianoRollSeq2SeqError


def make_parser(description: str | None, *, output: str | None = None) -> argparse.ArgumentParser:
    """A parser that shows the docstring of a script as it is written.

    Args:
        description: the docstring.
        output: what the folder ``--output`` contains, for its help; None for a command without this option.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if output is not None:
        parser.add_argument(
            "--output", type=Path, default=Path("runs/azureml"), help=f"folder of {output} (%(default)s)"
        )
    return parser


def run(
    command: Callable[[argparse.Namespace], object], parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> int:
    """Calls a command with its parsed arguments, and returns the exit status.

    An error that the user can fix is printed as one line on standard error, with exit status 2.
    """
    try:
        command(parser.parse_args(arguments))
    except PianoRollSeq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
