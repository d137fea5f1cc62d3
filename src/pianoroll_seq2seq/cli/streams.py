"""Standard output and standard error of the program: they may be closed, full, or a pipe that nobody reads any more."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO, cast

from pianoroll_seq2seq._internal.streams import SteadyStream

_NUMBERS = (0, 1, 2)


@contextlib.contextmanager
def steady_streams() -> Iterator[tuple[SteadyStream, SteadyStream]]:
    """Replaces standard output and standard error by streams whose failures end nothing; they are returned.

    A closed one is opened on the null device. Otherwise the next file that the program writes takes its number, and
    gets the messages of libraries.
    """
    _fill_closed_numbers()
    before = sys.stdout, sys.stderr
    out, err = (_steady(each) for each in before)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        with _any_name_printable(*before):
            yield out, err
    finally:
        sys.stdout, sys.stderr = before
        for stream in before:
            _settle(stream)


def _fill_closed_numbers() -> None:
    for number in _NUMBERS:
        try:
            os.fstat(number)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            os.set_inheritable(nothing, True)


def _steady(stream: TextIO | None) -> SteadyStream:
    """A stream that does not fail. Python has None for one that is closed when it starts."""
    if stream is not None and not stream.closed:
        return SteadyStream(stream)
    return SteadyStream(io.StringIO(), lost=OSError(errno.EBADF, "it is closed"))


@contextlib.contextmanager
def _any_name_printable(*streams: TextIO | None) -> Iterator[None]:
    """Prints characters that the terminal's encoding lacks, and bytes of file names that are no text, as escapes."""
    texts = [(each, each.errors) for each in streams if isinstance(each, io.TextIOWrapper) and not each.closed]
    for stream, _ in texts:
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream, errors in texts:
            with contextlib.suppress(OSError):  # it flushes first
                stream.reconfigure(errors=errors)


def _settle(stream: TextIO | None) -> None:
    """Redirects a stream that cannot be written to, so that the interpreter does not complain at its end."""
    if stream is None:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
