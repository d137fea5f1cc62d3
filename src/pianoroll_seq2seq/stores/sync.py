"""Whole folders to and from a store: runs, corpora. Only files with other checksums are transferred."""

import contextlib
import os
import tempfile
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError, SettingsError
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
    since their targets are sent anyway. So are the hidden files of this library. A warning names what is neither file
    nor folder, such as a socket.

    Args:
        folder: the folder to send, with its subfolders.
        store: the store to send to.
        prefix: the folder of the store for the files.
        progress: whether to show a progress bar.

    Raises:
        SettingsError: no such folder, or a link that leads out of it: nothing was sent. Or files whose names are no
            keys, or that cannot be read, such as those deleted meanwhile: all others were sent.
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
    found = sorted(_files(root))
    refused = {name: reason for name in found if (reason := _why_no_key(start + name)) is not None}
    names = [name for name in found if name not in refused]
    there = {stored.key: stored for stored in store.list(start)}
    sent, unchanged, sent_bytes = [], [], 0
    with _bar("push", sum(_size(root / name) for name in names), progress) as bar:
        for name in names:
            path, before = root / name, there.get(start + name)
            try:
                if before is not None and _is_same(store, before, path):
                    unchanged.append(name)
                    bar.update(before.size)
                    continue
                stored = store.put(start + name, path, etag=None if before is None else before.etag)
            except PianoRollSeq2SeqError:  # of the store
                raise
            except OSError as error:
                refused[name] = f"it cannot be read ({error.strerror or error})."
                continue
            sent.append(name)
            sent_bytes += stored.size
            bar.update(stored.size)
    _raise_if_refused(refused, len(found), "files", "sent")
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
        SettingsError: objects whose names cannot be those of files here, or would lead out of the folder: all others
            were downloaded.
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
    found = {stored.key.removeprefix(start): stored for stored in store.list(start)}
    root.mkdir(parents=True, exist_ok=True)
    refused = {name: reason for name in found if (reason := _why_no_file(root, name, found)) is not None}
    there = {name: stored for name, stored in found.items() if name not in refused}
    spellings = Counter(map(_folded, there))
    sent, unchanged, sent_bytes = [], [], 0
    with _bar("pull", sum(stored.size for stored in there.values()), progress) as bar:
        for name, stored in sorted(there.items()):
            path = root / name
            if spellings[_folded(name)] > 1 and (reason := _other_spelling(path)) is not None:
                refused[name] = reason
            elif path.is_file() and _is_same(store, stored, path):
                unchanged.append(name)
            else:
                sent.append(name)
                sent_bytes += store.download(stored.key, path, overwrite=True).size
            bar.update(stored.size)
    _raise_if_refused(refused, len(found), "objects", "downloaded")
    return Synced(tuple(sent), tuple(unchanged), sent_bytes)


def _raise_if_refused(refused: Mapping[str, str], total: int, what: str, done: str) -> None:
    if refused:
        reasons = "\n".join(f"  {name!r}: {refused[name]}" for name in sorted(refused)[:10])
        more = f"\n  and {len(refused) - 10} more" if len(refused) > 10 else ""
        raise SettingsError(f"{len(refused)} of {total} {what} were not {done}, all others were:\n{reasons}{more}")


def _start(prefix: str) -> str:
    return f"{checked_key(prefix)}/" if prefix else ""


def _bar(what: str, size: int, progress: bool) -> "tqdm[Any]":
    return tqdm(total=size, desc=what, unit="B", unit_scale=True, disable=not progress)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # deleted meanwhile
        return 0


def _files(root: Path) -> Iterator[str]:
    """The regular files below a folder."""
    inside = root.resolve()
    for where, folders, names in os.walk(root, onerror=_raise):
        for name in (*folders, *names):
            path = Path(where, name)
            if path.is_symlink():
                target = Path(os.path.realpath(path))  # unlike Path.resolve(), it accepts a link to itself
                if not target.is_relative_to(inside):
                    raise SettingsError(
                        f"{path} is a link that leads out of the folder to {target}. Put the target in "
                        f"its place, or sync that folder separately."
                    )
            elif path.is_file():
                if not is_internal(name):
                    yield path.relative_to(root).as_posix()
            elif not path.is_dir():
                warnings.warn(f"{path} is not sent: it is a named pipe, a socket or a device.", stacklevel=3)


def _raise(error: OSError) -> None:
    raise error


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


def _why_no_key(key: str) -> str | None:
    """Why a file of this name cannot be stored, or None."""
    try:
        checked_key(key)
    except SettingsError as error:
        return str(error)
    return None


def _why_no_file(root: Path, name: str, there: Mapping[str, StoredObject]) -> str | None:
    """Why an object of this name cannot be a file here, or None: anybody with access to the store can choose names."""
    if (reason := _why_no_key(name)) is not None:
        return reason
    parts = name.split("/")
    is_forbidden = os.name == "nt" and any(set(part) & set('<>:"|?*') for part in parts)
    if is_forbidden or any(is_internal(part) for part in parts):
        return "it cannot be a file of this name here. Fetch it with download()."
    for parent in ("/".join(parts[:depth]) for depth in range(1, len(parts))):
        if parent in there:
            return f"the store holds {parent!r} too, and a file and a folder of one name cannot exist."
        if _is_link(root / parent) or os.path.isfile(root / parent):
            what = "link, maybe out of the folder" if _is_link(root / parent) else "file"
            return f"{root / parent} is a {what}, where the store has a folder. Move it away."
    if os.path.isdir(root / name):
        return f"{root / name} is a folder, where the store has a file. Move it away."
    return _why_not_here([root / name, *(root / part for part in parts)])


def _why_not_here(paths: Sequence[Path]) -> str | None:
    """Why the file system can have no files of these names, or None. It checks the name of a folder that exists."""
    try:
        for path in paths:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                os.lstat(path)
    except (OSError, ValueError) as error:  # too long, or not of the file system's characters
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return f"it cannot be a file here ({reason}). Fetch it with download()."
    return None


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError:  # such as too long a name; pathlib ignores but a few
        return False


def _other_spelling(path: Path) -> str | None:
    """Why a file cannot be written that is there under another spelling, as on file systems that ignore case."""
    if not os.path.lexists(path) or path.name in (names := os.listdir(path.parent)):
        return None
    alike = [name for name in names if _folded(name) == _folded(path.name)]
    return f"{path.parent} ignores case or accents, and holds {', '.join(map(repr, alike))}. Fetch it with download()."


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
