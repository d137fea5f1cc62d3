"""The contract of a store: named objects that are whole, and that nobody overwrites unseen."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pianoroll_seq2seq.errors import SettingsError

Source = bytes | str | os.PathLike[str]
"""What is put into a store: the bytes themselves, or the path of a file."""


@dataclass(frozen=True)
class StoredObject:
    """What a store tells of an object."""

    key: str
    """Its name, relative to the store: parts between slashes."""
    size: int
    """In bytes."""
    etag: str
    """Another after every change: who passes it to :meth:`Store.put` overwrites only what they have seen."""
    sha256: str | None
    """Of its bytes, in hexadecimal; None where another program put it there and did not say."""


@runtime_checkable
class Store(Protocol):
    """Named objects, each whole or not there. A store of a container's folder cannot see beyond it.

    Every method raises :class:`~pianoroll_seq2seq.errors.SettingsError` for a key that is none, and
    :class:`~pianoroll_seq2seq.errors.StoreError` (or one of its kinds) where the store cannot be reached, or refuses.
    """

    def put(
        self, key: str, source: Source, *, overwrite: bool = False, etag: str | None = None, progress: bool = False
    ) -> StoredObject:
        """Stores bytes or a file, whole or not at all.

        Where the way is long, a file whose upload was cut goes on where it was when it is put again.

        Args:
            key: its name.
            source: the bytes, or the path of a file.
            overwrite: whether an object of this name may be replaced.
            etag: replaces the object only if it is still the one that had this etag.
            progress: whether to show a progress bar.

        Raises:
            OverwriteError: there is an object, and ``overwrite`` is false and no ``etag`` given.
            StoreConflictError: the object there (or its absence) is not the one of ``etag``.
            OSError: the file cannot be read.
        """
        ...

    def get(self, key: str) -> bytes:
        """An object's bytes, checked against its checksum.

        Raises:
            NotStoredError: no such object.
        """
        ...

    def download(
        self, key: str, path: str | os.PathLike[str], *, overwrite: bool = False, progress: bool = False
    ) -> StoredObject:
        """Writes an object to a file, whole or not at all.

        Where the way is long, a download that was cut goes on where it was when it is asked for again.

        Raises:
            NotStoredError: no such object.
            OverwriteError: a file stands there and ``overwrite`` is false.
        """
        ...

    def find(self, key: str) -> StoredObject | None:
        """What there is to tell of an object; None where there is none."""
        ...

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """All objects whose keys begin with ``prefix``, in the order of their keys."""
        ...

    def delete(self, key: str) -> None:
        """Removes an object; nothing where there is none."""
        ...


def checked_key(key: str) -> str:
    """The key, if it is one: parts between single slashes, none of them empty or ending with a dot (as ``..`` does).

    Azure and Windows drop a dot at the end of a name, so that two keys would be one.

    Raises:
        SettingsError: it is not.
    """
    parts = key.split("/")
    if (
        len(key.encode("utf-8", "replace")) > 1024
        or any(not part or part.endswith(".") for part in parts)
        or not _plain(key)
    ):
        raise SettingsError(
            f"A key in a store is made of names between single slashes, such as 'runs/7/last.safetensors', none of "
            f"them ending with a dot, at most 1024 bytes in all, without backslashes or control characters, got "
            f"{key!r}."
        )
    return key


def _plain(key: str) -> bool:
    return "\\" not in key and key.isprintable()
