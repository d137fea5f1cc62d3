"""Downloads, range by range, all from the same version of an object."""

import hashlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.errors import NotStoredError, OverwriteError, StoreConflictError, StoreError
from pianoroll_seq2seq.stores.azure_blob.endpoint import Endpoint
from pianoroll_seq2seq.stores.azure_blob.objects import RemoteObject, find_object, quoted
from pianoroll_seq2seq.stores.base import StoredObject
from pianoroll_seq2seq.stores.internal_files import partial_file, partial_file_lock, remove_other_parts

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

_TRIES = 3


def fetch(endpoint: Endpoint, blob: "BlobClient", key: str, *, block_bytes: int) -> bytes:
    """An object's bytes, checked against its checksum.

    Raises:
        NotStoredError: no such object.
        StoreConflictError: it was changed during each of several attempts.
        StoreError: its bytes do not match its checksum, or the service refuses, or cannot be reached.
    """
    damaged = False
    for _ in range(_TRIES):
        found = _existing(endpoint, blob, key)
        try:
            data = b"".join(_ranges(endpoint, blob, found, 0, block_bytes))
        except StoreConflictError:
            continue
        if _matches(found, hashlib.sha256(data).hexdigest(), hashlib.md5(data, usedforsecurity=False).digest()):
            return data
        if damaged:
            raise _damaged(endpoint, key)
        damaged = True
    raise _keeps_changing(endpoint, key)


def download(
    endpoint: Endpoint, blob: "BlobClient", key: str, target: Path, *, overwrite: bool, block_bytes: int, progress: bool
) -> StoredObject:
    """Writes an object to a file, completely or not at all. It resumes an interrupted download.

    Raises:
        NotStoredError: no such object.
        OverwriteError: the file exists, and ``overwrite`` is false.
        StoreConflictError: the object was changed during each of several attempts.
        StoreError: its bytes do not match its checksum, or the service refuses, or cannot be reached.
        OSError: the file cannot be written.
    """
    _refuse(target, overwrite)
    damaged = False
    for _ in range(_TRIES):
        found = _existing(endpoint, blob, key)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = partial_file(target, found.stored.etag)
        remove_other_parts(part, target)
        with partial_file_lock(part):
            try:
                _refuse(target, overwrite)  # another download may just have finished
                _download_rest(endpoint, blob, found, part, block_bytes, progress=progress)
                if _file_matches(found, part):
                    with writing(target, overwrite=overwrite) as temporary:
                        part.replace(temporary)
                    return found.stored
            except OverwriteError:
                part.unlink(missing_ok=True)
                raise
            except StoreConflictError:
                part.unlink(missing_ok=True)
                continue
            part.unlink(missing_ok=True)
        if damaged:
            raise _damaged(endpoint, key)
        damaged = True
    raise _keeps_changing(endpoint, key)


def _refuse(target: Path, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(target):
        raise OverwriteError(f"{target} exists already. Choose another path, or pass overwrite=True.")


def _existing(endpoint: Endpoint, blob: "BlobClient", key: str) -> RemoteObject:
    found = find_object(endpoint, blob, key)
    if found is None:
        raise NotStoredError(f"{endpoint.url}: there is no object {key!r}. list() shows which there are.")
    return found


def _download_rest(
    endpoint: Endpoint, blob: "BlobClient", found: RemoteObject, part: Path, block_bytes: int, *, progress: bool
) -> None:
    """Appends the rest of an object to a partial file."""
    stored = found.stored
    with part.open("ab") as file:
        if file.tell() > stored.size:
            file.truncate(0)
        start = os.fstat(file.fileno()).st_size
        with tqdm(
            total=stored.size, initial=start, desc=stored.key, unit="B", unit_scale=True, disable=not progress
        ) as bar:
            for block in _ranges(endpoint, blob, found, start, block_bytes):
                file.write(block)
                file.flush()
                bar.update(len(block))


def _ranges(
    endpoint: Endpoint, blob: "BlobClient", found: RemoteObject, start: int, block_bytes: int
) -> Iterator[bytes]:
    stored = found.stored
    while start < stored.size:
        length = min(block_bytes, stored.size - start)
        block = endpoint.call(stored.key, partial(_range, blob, start, length, stored.etag))
        if len(block) != length:
            raise StoreError(
                f"{endpoint.url}: {stored.key!r}: expected {length} bytes from {start}, got {len(block)}. Call again."
            )
        yield block
        start += length


def _range(blob: "BlobClient", start: int, length: int, etag: str) -> bytes:
    from azure.core import MatchConditions

    condition = MatchConditions.IfNotModified
    return blob.download_blob(start, length, etag=quoted(etag), match_condition=condition).readall()


def _file_matches(found: RemoteObject, part: Path) -> bool:
    with part.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        md5 = (
            b""
            if found.stored.sha256
            else hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).digest()
        )
    return _matches(found, sha256, md5)


def _matches(found: RemoteObject, sha256: str, md5: bytes) -> bool:
    """Whether the best known checksum matches; objects of other programs may have none."""
    if found.stored.sha256 is not None:
        return sha256 == found.stored.sha256
    return found.md5 is None or md5 == found.md5


def _damaged(endpoint: Endpoint, key: str) -> StoreError:
    return StoreError(
        f"{endpoint.url}: the bytes of {key!r} do not match their checksum, after two downloads. Store the object "
        f"again."
    )


def _keeps_changing(endpoint: Endpoint, key: str) -> StoreConflictError:
    return StoreConflictError(
        f"{endpoint.url}: {key!r} was changed by somebody else during each of {_TRIES} downloads. Call again later."
    )
