"""Bytes or a file to put into a store, with one interface for reading."""

import contextlib
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pianoroll_seq2seq.errors import StoreError
from pianoroll_seq2seq.stores.base import Source


@dataclass(frozen=True)
class OpenSource:
    """A source while it is read."""

    file: io.BufferedIOBase
    """At its beginning."""
    size: int
    """In bytes, when it was opened."""
    check_unchanged: Callable[[], None]
    """Raises StoreError if the file was changed since it was opened: what was read would be a mixture."""


@contextlib.contextmanager
def opened(source: Source) -> Iterator[OpenSource]:
    """Opens a source for reading.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(source, bytes):
        yield OpenSource(io.BytesIO(source), len(source), lambda: None)
        return
    path = Path(source)
    with path.open("rb") as file:
        before = os.fstat(file.fileno())

        def check_unchanged() -> None:
            after = os.fstat(file.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise StoreError(
                    f"{path} was written to while it was stored, so nothing was stored. Store it again when it is "
                    f"complete. Programs that write to a temporary file and rename it are safe."
                )

        yield OpenSource(file, before.st_size, check_unchanged)


def sha256_of(path: Path) -> str:
    """The checksum of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
