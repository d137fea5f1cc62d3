"""The sources of MIDI files: paths, bytes, open files."""

import io
import os
import stat
import time
from typing import Protocol, runtime_checkable

from pianoroll_seq2seq._internal.limits import Limits
from pianoroll_seq2seq.errors import LimitError, MidiError, MidiNotFoundError, SettingsError


@runtime_checkable
class ByteReader(Protocol):
    """A file opened in binary mode."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes, or all."""
        ...


class NamedBytes(io.BytesIO):
    """The content of a file that was read already (a pipe can be read once only), under its name in messages."""

    def __init__(self, data: bytes, name: str) -> None:
        """Takes the content and the name."""
        super().__init__(data)
        self.name = name


_WRITER_SECONDS = 2.0  # to wait for a program that writes to a named pipe
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)  # for named pipes

MidiSource = str | os.PathLike[str] | bytes | bytearray | memoryview | ByteReader
"""A path, the bytes of a file, or a file opened in binary mode."""


def bytes_of(source: object, limits: Limits) -> tuple[bytes, str]:
    """A file's content, and its name in messages.

    Args:
        source: a :data:`MidiSource`.
        limits: how large the file may be.

    Raises:
        MidiNotFoundError: no file at that path.
        MidiError: a file that cannot be read.
        LimitError: a file larger than the limits allow.
        SettingsError: the source is no file.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data, label = bytes(source), "<bytes>"
    elif isinstance(source, str | os.PathLike):
        label = os.fspath(source)
        data = _file_bytes(label, limits)
    elif isinstance(source, io.TextIOBase) or not isinstance(source, ByteReader):
        raise SettingsError(
            f"A MIDI source must be a path, bytes, or a file opened in binary mode, as open(path, 'rb'); "
            f"got {source!r:.80}."
        )
    else:
        data, label = source.read(limits.max_file_bytes + 1), str(getattr(source, "name", "<stream>"))
    if len(data) > limits.max_file_bytes:
        raise _too_large(label, f"{len(data)} bytes", limits)
    return data, label


def _file_bytes(path: str, limits: Limits) -> bytes:
    try:
        descriptor = os.open(path, _OPEN_FLAGS)  # half the time of open() for small files
        try:
            status = os.fstat(descriptor)
            size = status.st_size
            if size > limits.max_file_bytes:
                raise _too_large(path, f"{size} bytes", limits)
            begun = _begin_pipe(descriptor, path) if stat.S_ISFIFO(status.st_mode) else b""
            return _read_up_to(descriptor, limits.max_file_bytes + 1, expected=size, begun=begun)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise MidiNotFoundError(f"{path}: no such file. Check the path.") from error
    except IsADirectoryError as error:
        raise MidiError(f"{path}: a folder; expected a MIDI file. Name a file in it.") from error
    except OSError as error:
        raise MidiError(f"{path}: cannot be read ({error.strerror}).") from error
    except MidiError:
        raise
    except ValueError as error:
        raise MidiNotFoundError(f"{path!r}: not a valid path ({error}). Check the path.") from error


def _begin_pipe(descriptor: int, path: str) -> bytes:
    """The first bytes of a named pipe.

    Raises:
        MidiError: no program writes to it, which would be waited for without end.
    """
    until = time.monotonic() + _WRITER_SECONDS
    while True:
        try:
            data = os.read(descriptor, 2**16)
        except BlockingIOError:  # there is a program, which has not written yet
            os.set_blocking(descriptor, True)
            return os.read(descriptor, 2**16)
        if data:
            os.set_blocking(descriptor, True)
            return data
        if time.monotonic() > until:
            raise MidiError(f"{path}: a named pipe to which no program writes; expected a MIDI file.")
        time.sleep(0.01)


def _read_up_to(descriptor: int, max_bytes: int, *, expected: int, begun: bytes) -> bytes:
    """All bytes of an open file, but at most ``max_bytes``: a pipe or device may never end."""
    data = begun or os.read(descriptor, min(expected + 1, max_bytes))
    if len(data) == expected:
        return data
    chunks = [data]
    while data and sum(map(len, chunks)) < max_bytes:
        data = os.read(descriptor, min(2**20, max_bytes))
        chunks.append(data)
    return b"".join(chunks)


def _too_large(label: str, size: str, limits: Limits) -> LimitError:
    return LimitError(
        f"{label}: {size}, over the limit of {limits.max_file_bytes} bytes. If it is a MIDI file, pass "
        f"limits=Limits(max_file_bytes=...)."
    )
