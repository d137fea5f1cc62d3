"""A store in a folder of this machine, or in a mounted one."""

import contextlib
import hashlib
import io
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.locks import LOCK_NAME, file_lock
from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.errors import (
    NotStoredError,
    OverwriteError,
    SettingsError,
    StoreAccessError,
    StoreConflictError,
    StoreError,
)
from pianoroll_seq2seq.stores.base import Source, StoredObject, checked_key
from pianoroll_seq2seq.stores.internal_files import is_internal
from pianoroll_seq2seq.stores.sources import opened, sha256_of

_BLOCK_BYTES = 4 * 1024 * 1024


class LocalStore:
    """Keeps each object as a file of the folder, under its key.

    Other programs may read and replace the files too: every change gives a new etag. Links are no objects, and no key
    leads through one. As in any folder, there is no ``a/b`` if ``a`` is an object. Checksums are computed on demand
    and cached by the store object. An interrupted copy starts again from the beginning.

    Args:
        folder: holds the objects; created by the first :meth:`put`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = LocalStore(folder)
        ...     stored = store.put("runs/7/note.txt", b"C major")
        ...     store.get("runs/7/note.txt")
        b'C major'
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Remembers the folder."""
        self.folder: Path = Path(folder)
        self._sha256: dict[str, tuple[str, str]] = {}  # key: (etag, checksum)

    def __repr__(self) -> str:
        return f"LocalStore({str(self.folder)!r})" if hasattr(self, "folder") else "LocalStore(...)"

    def put(
        self, key: str, source: Source, *, overwrite: bool = False, etag: str | None = None, progress: bool = False
    ) -> StoredObject:
        """See :meth:`Store.put <pianoroll_seq2seq.stores.base.Store.put>`."""
        path = self._path(key)
        with opened(source) as whole, self._translated_errors(key), contextlib.ExitStack() as lock:
            _remove_empty_folders(path)
            with writing(path, overwrite=overwrite or etag is not None) as temporary:
                sha256 = _copy(whole.file, whole.size, temporary, key, progress=progress)
                whole.check_unchanged()
                lock.enter_context(file_lock(self.folder / LOCK_NAME))  # until the new file is in its place
                before = self._find(key, path)
                if etag is not None and (before is None or before.etag != etag):
                    raise StoreConflictError(
                        f"{path} should have the etag {etag}, but it "
                        + ("is gone." if before is None else f"was changed meanwhile: its etag is {before.etag}.")
                        + " Read it again before you replace it."
                    )
                _stamp(temporary, path)
            stored = self._find(key, path)
            if stored is None:
                raise NotStoredError(f"{path} was removed by another program as soon as it was written.")
            self._sha256[key] = (stored.etag, sha256)
            return StoredObject(key, stored.size, stored.etag, sha256)

    def get(self, key: str) -> bytes:
        """See :meth:`Store.get <pianoroll_seq2seq.stores.base.Store.get>`. A folder has no checksums to check."""
        with self._translated_errors(key):
            return self._existing(key).read_bytes()

    def download(
        self, key: str, path: str | os.PathLike[str], *, overwrite: bool = False, progress: bool = False
    ) -> StoredObject:
        """See :meth:`Store.download <pianoroll_seq2seq.stores.base.Store.download>`."""
        with self._translated_errors(key), opened(self._existing(key)) as whole:
            etag = _etag(os.fstat(whole.file.fileno()))
            with writing(path, overwrite=overwrite) as temporary:
                sha256 = _copy(whole.file, whole.size, temporary, key, progress=progress)
                whole.check_unchanged()
            return StoredObject(key, whole.size, etag, sha256)

    def find(self, key: str) -> StoredObject | None:
        """See :meth:`Store.find <pianoroll_seq2seq.stores.base.Store.find>`."""
        path = self._path(key)
        with self._translated_errors(key):
            return self._with_checksum(key, path)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """See :meth:`Store.list <pianoroll_seq2seq.stores.base.Store.list>`."""
        for key in sorted(_keys(self.folder, prefix)):
            with self._translated_errors(key):
                found = self._with_checksum(key, self.folder / key)
            if found is not None:  # removed meanwhile
                yield found

    def delete(self, key: str) -> None:
        """See :meth:`Store.delete <pianoroll_seq2seq.stores.base.Store.delete>`. Folders are kept."""
        path = self._path(key)
        with self._translated_errors(key):
            if self._find(key, path) is not None:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        path = self.folder / checked_key(key)
        if any(is_internal(part) for part in key.split("/")):
            raise SettingsError(f"{key!r}: this name is reserved for the store's own files. Choose another key.")
        for parent in path.parents[: key.count("/")]:
            if parent.is_symlink():
                raise SettingsError(f"{key!r} leads through the link {parent}, maybe out of the store. Choose another.")
        return path

    def _existing(self, key: str) -> Path:
        path = self._path(key)
        if self._find(key, path) is None:
            raise NotStoredError(f"There is no object {key!r} in {self.folder}: there is no file {path}.")
        return path

    def _find(self, key: str, path: Path) -> StoredObject | None:
        try:
            status = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return StoredObject(key, status.st_size, _etag(status), None) if stat.S_ISREG(status.st_mode) else None

    def _with_checksum(self, key: str, path: Path) -> StoredObject | None:
        """Metadata with the checksum of the same version: a file that is replaced while it is read is read again."""
        while (found := self._find(key, path)) is not None:
            etag, sha256 = self._sha256.get(key, ("", ""))
            if etag == found.etag:
                return StoredObject(key, found.size, etag, sha256)
            with contextlib.suppress(FileNotFoundError):
                self._sha256[key] = (found.etag, sha256_of(path))
        return None

    @contextlib.contextmanager
    def _translated_errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except (StoreError, OverwriteError):
            raise
        except PermissionError as error:
            raise StoreAccessError(f"{self.folder}: {key!r}: no permission: {error}. Check who owns it.") from error
        except OSError as error:
            raise StoreError(
                f"{self.folder}: {key!r} cannot be stored or read: {error}. Is the disk full, is the folder mounted, "
                f"and is no folder of the key a file?"
            ) from error


def _keys(folder: Path, prefix: str) -> Iterator[str]:
    """The keys of all files in a folder, without following links."""
    for where, _, names in os.walk(folder):
        inside = Path(where).relative_to(folder).as_posix()
        for name in names:
            key = name if inside == "." else f"{inside}/{name}"
            if key.startswith(prefix) and not is_internal(name):
                yield key


def _remove_empty_folders(path: Path) -> None:
    """Removes empty folders at the path of a new object; deleted objects leave them. Folders with files are kept."""
    if path.is_dir() and not path.is_symlink():
        for where, _, _ in os.walk(path, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(where)


def _etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def _stamp(temporary: Path, target: Path) -> None:
    """Gives a file a later time than the file it replaces, even with a coarse clock: the time is part of the etag."""
    now = time.time_ns()
    with contextlib.suppress(FileNotFoundError):
        now = max(now, target.lstat().st_mtime_ns + 1)
    os.utime(temporary, ns=(now, now))


def _copy(file: io.BufferedIOBase, size: int, target: Path, key: str, *, progress: bool) -> str:
    """Writes a file's bytes to another, and returns their checksum."""
    checksum = hashlib.sha256()
    with target.open("wb") as copy, tqdm(total=size, desc=key, unit="B", unit_scale=True, disable=not progress) as bar:
        while block := file.read(_BLOCK_BYTES):
            copy.write(block)
            checksum.update(block)
            bar.update(len(block))
    return checksum.hexdigest()
