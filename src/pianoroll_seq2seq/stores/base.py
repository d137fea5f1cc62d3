"""The contract of a store: named objects that are written completely or not at all."""

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pianoroll_seq2seq._internal.redaction import redacted
from pianoroll_seq2seq.errors import SettingsError

Source = bytes | str | os.PathLike[str]
"""The content of an object: bytes, or the path of a file."""


@dataclass(frozen=True)
class StoredObject:
    """Object metadata."""

    key: str
    """Its name, relative to the store: parts between slashes."""
    size: int
    """In bytes."""
    etag: str
    """The version of the object; pass it to :meth:`Store.put` to overwrite this version only."""
    sha256: str | None
    """Checksum in hexadecimal; None if another program has stored the object without one."""


@runtime_checkable
class Store(Protocol):
    """Named objects, each complete or absent.

    Every method raises :class:`~pianoroll_seq2seq.errors.SettingsError` for an invalid key, and
    :class:`~pianoroll_seq2seq.errors.StoreError` (or a subclass) if the store cannot be reached, or refuses.
    """

    def put(
        self, key: str, source: Source, *, overwrite: bool = False, etag: str | None = None, progress: bool = False
    ) -> StoredObject:
        """Stores bytes or a file, completely or not at all.

        A remote store resumes an interrupted upload when the same file is put again.

        Args:
            key: its name.
            source: the bytes, or the path of a file.
            overwrite: whether an object of this name may be replaced.
            etag: replaces the object only if it is still the one that had this etag.
            progress: whether to show a progress bar.

        Raises:
            OverwriteError: there is an object, ``overwrite`` is false, and there is no ``etag``.
            StoreConflictError: the object is missing, or does not have this ``etag``.
            OSError: the file cannot be read.
        """
        ...

    def get(self, key: str) -> bytes:
        """The bytes of an object, checked against its checksum.

        Raises:
            NotStoredError: no such object.
        """
        ...

    def download(
        self, key: str, path: str | os.PathLike[str], *, overwrite: bool = False, progress: bool = False
    ) -> StoredObject:
        """Writes an object to a file, completely or not at all.

        A remote store resumes an interrupted download when it is repeated.

        Raises:
            NotStoredError: no such object.
            OverwriteError: the file exists, and ``overwrite`` is false.
        """
        ...

    def find(self, key: str) -> StoredObject | None:
        """Object metadata, or None if there is no such object."""
        ...

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """All objects whose keys begin with ``prefix``, in the order of their keys."""
        ...

    def delete(self, key: str) -> None:
        """Removes an object, if there is one."""
        ...


def checked_key(key: str) -> str:
    """Returns the key if it is valid: names between single slashes, none of them empty or ending with a dot.

    Azure and Windows drop a dot at the end of a name, so that two keys would be one.

    Raises:
        SettingsError: the key is invalid.
    """
    parts = key.split("/")
    if (
        len(key.encode("utf-8", "replace")) > 1024
        or any(not part or part.endswith(".") for part in parts)
        or not _plain(key)
    ):
        raise SettingsError(
            f"A key in a store is made of names between single slashes, such as 'runs/7/last.safetensors', none of "
            f"them ending with a dot, at most 1024 bytes in all, of Unicode characters other than backslashes and "
            f"control characters, got {redacted(repr(key))}."
        )
    return key


def _plain(key: str) -> bool:
    """Whether XML, in which services list their keys, can hold it. A file name that is not UTF-8 has surrogates."""
    return not any(each == "\\" or unicodedata.category(each) in ("Cc", "Cs") or each in "\ufffe\uffff" for each in key)
