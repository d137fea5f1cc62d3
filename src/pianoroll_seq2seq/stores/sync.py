"""Whole folders to and from a store: runs, corpora. Only files with other checksums are transferred."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.stores.base import Store, StoredObject, checked_key
from pianoroll_seq2seq.stores.internal_files import is_internal
from pianoroll_seq2seq.stores.sources import sha256_of


@dataclass(frozen=True)
class Synced:
    """The result of a sync. Names are paths relative to the folder, with slashes, in order."""

    sent: tuple[str, ...]
    """The files that were transferred, because they were missing or different."""
    unchanged: tuple[str, ...]
    """The files that were the same."""
    sent_bytes: int
    """The size of the transferred files."""


def push_folder(folder: str | os.PathLike[str], store: Store, prefix: str = "", *, progress: bool = False) -> Synced:
    """Sends the files of a folder that are missing or different in the store. Nothing is deleted.

    An object is replaced only if nobody else has changed it since the sync began. An object without a checksum, stored
    by another program, is downloaded and compared if it has the size of the file. Links within the folder are skipped,
    since their targets are sent anyway. So are the hidden files of this library.

    Args:
        folder: the folder to send, with its subfolders.
        store: the store to send to.
        prefix: the folder of the store for the files.
        progress: whether to show a progress bar.

    Raises:
        SettingsError: no such folder, a link that leads out of it, or a name that is no key; nothing was sent.
        StoreConflictError, OverwriteError: somebody else stored one of the files meanwhile. Sync again.
        StoreError: the store refuses, or cannot be reached. The next sync sends the rest.

    Example:
        >>> import tempfile
        >>> from pianoroll_seq2seq import LocalStore
        >>> with tempfile.TemporaryDirectory() as place:
        ...     folder = Path(place) / "runs"
        ...     folder.mkdir()
        ...     _ = (folder / "notes.txt").write_text("good")
        ...     push_folder(folder, LocalStore(Path(place) / "store"), "demo").sent
        ('notes.txt',)
    """
    root = Path(folder)
    if not root.is_dir():
        raise SettingsError(f"{root}: no such folder. Pass the folder whose files to send.")
    start = _start(prefix)
    names = sorted(_files(root))
    for name in names:
        checked_key(start + name)
    there = {stored.key: stored for stored in store.list(start)}
    sent, unchanged, sent_bytes = [], [], 0
    with _bar("push", sum((root / name).stat().st_size for name in names), progress) as bar:
        for name in names:
            path, before = root / name, there.get(start + name)
            if before is not None and _is_same(store, before, path):
                unchanged.append(name)
                bar.update(before.size)
                continue
            stored = store.put(start + name, path, etag=None if before is None else before.etag)
            sent.append(name)
            sent_bytes += stored.size
            bar.update(stored.size)
    return Synced(tuple(sent), tuple(unchanged), sent_bytes)


def pull_folder(store: Store, folder: str | os.PathLike[str], prefix: str = "", *, progress: bool = False) -> Synced:
    """Downloads the objects that are missing or different in a folder, and replaces these files. Nothing is deleted.

    An object without a checksum, stored by another program, is downloaded and compared if it has the size of the file.

    Args:
        store: the store to download from.
        folder: the folder to write to; created if it is missing.
        prefix: the folder of the store to download.
        progress: whether to show a progress bar.

    Raises:
        SettingsError: an object whose name cannot be that of a file, or would lead out of the folder; nothing was
            downloaded.
        StoreError: the store refuses, or cannot be reached. The next sync downloads the rest.

    Example:
        >>> import tempfile
        >>> from pianoroll_seq2seq import LocalStore
        >>> with tempfile.TemporaryDirectory() as place:
        ...     store = LocalStore(Path(place) / "store")
        ...     _ = store.put("demo/notes.txt", b"good")
        ...     pull_folder(store, Path(place) / "here", "demo").sent
        ('notes.txt',)
    """
    root, start = Path(folder), _start(prefix)
    there = {stored.key.removeprefix(start): stored for stored in store.list(start)}
    for name in there:
        _check_name(root, name, there)
    root.mkdir(parents=True, exist_ok=True)
    sent, unchanged, sent_bytes = [], [], 0
    with _bar("pull", sum(stored.size for stored in there.values()), progress) as bar:
        for name, stored in sorted(there.items()):
            path = root / name
            if path.is_file() and _is_same(store, stored, path):
                unchanged.append(name)
            else:
                sent.append(name)
                sent_bytes += store.download(stored.key, path, overwrite=True).size
            bar.update(stored.size)
    return Synced(tuple(sent), tuple(unchanged), sent_bytes)


def _start(prefix: str) -> str:
    return f"{checked_key(prefix)}/" if prefix else ""


def _bar(what: str, size: int, progress: bool) -> "tqdm[Any]":
    return tqdm(total=size, desc=what, unit="B", unit_scale=True, disable=not progress)


def _files(root: Path) -> Iterator[str]:
    """The regular files below a folder."""
    inside = root.resolve()
    for where, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(where, name)
            if path.is_symlink():
                if not path.resolve().is_relative_to(inside):
                    raise SettingsError(
                        f"{path} is a link that leads out of the folder to {path.resolve()}. Put the target in "
                        f"its place, or sync that folder separately."
                    )
            elif path.is_file() and not is_internal(name):
                yield path.relative_to(root).as_posix()


def _is_same(store: Store, stored: StoredObject, path: Path) -> bool:
    """Whether a file has the bytes of an object. Only an object of the same size without a checksum is downloaded."""
    if path.stat().st_size != stored.size:
        return False
    sha256 = stored.sha256
    if sha256 is None:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "object"
            store.download(stored.key, copy)
            sha256 = sha256_of(copy)
    return sha256_of(path) == sha256


def _check_name(root: Path, name: str, there: dict[str, StoredObject]) -> None:
    """Refuses names that cannot be files here: anybody with access to the store can choose them."""
    parts = checked_key(name).split("/")
    is_forbidden = os.name == "nt" and any(set(part) & set('<>:"|?*') for part in parts)
    if is_forbidden or any(is_internal(part) for part in parts):
        raise SettingsError(f"The object {name!r} cannot be a file of this name here. Fetch it with download().")
    parents = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
    for parent in parents:
        if parent in there:
            raise SettingsError(
                f"The store holds both {parent!r} and {name!r}: a file and a folder of one name cannot exist."
            )
        if (root / parent).is_symlink():
            raise SettingsError(
                f"{root / parent} is a link, maybe out of the folder, and {name!r} would be written through it. Remove "
                f"the link."
            )
