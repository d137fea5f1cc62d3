"""Fetching an object range by range, each from the same version of it."""

import hashlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from pianoroll_seq2seq.atomic import writing
from pianoroll_seq2seq.errors import NotStoredError, OverwriteError, StoreConflictError, StoreError
from pianoroll_seq2seq.stores.azure_blob.failures import Place
from pianoroll_seq2seq.stores.azure_blob.objects import Seen, look, quoted
from pianoroll_seq2seq.stores.base import StoredObject
from pianoroll_seq2seq.stores.own_files import alone_with, part_of, remove_other_parts

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

_TRIES = 3


def fetch(place: Place, blob: "BlobClient", key: str, *, block_bytes: int) -> bytes:
    """An object's bytes, checked against its checksum.

    Raises:
        NotStoredError: no such object.
        StoreConflictError: it changes all the time.
        StoreError: its bytes do not fit its checksum, or the service refuses, or is out of reach.
    """
    damaged = False
    for _ in range(_TRIES):
        found = _existing(place, blob, key)
        try:
            data = b"".join(_ranges(place, blob, found, 0, block_bytes))
        except StoreConflictError:
            continue
        if _fits(found, hashlib.sha256(data).hexdigest(), hashlib.md5(data, usedforsecurity=False).digest()):
            return data
        if damaged:
            raise _damaged(place, key)
        damaged = True
    raise _restless(place, key)


def download(
    place: Place, blob: "BlobClient", key: str, target: Path, *, overwrite: bool, block_bytes: int, progress: bool
) -> StoredObject:
    """Fetches an object into a file, whole or not at all; what a cut download has fetched is not fetched again.

    Raises:
        NotStoredError: no such object.
        OverwriteError: a file stands there and ``overwrite`` is false.
        StoreConflictError: the object changes all the time.
        StoreError: its bytes do not fit its checksum, or the service refuses, or is out of reach.
        OSError: the file cannot be written.
    """
    _refuse(target, overwrite)
    damaged = False
    for _ in range(_TRIES):
        found = _existing(place, blob, key)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(target, found.told.etag)
        remove_other_parts(part, target)
        with alone_with(part):
            try:
                _refuse(target, overwrite)  # whoever was at it before has perhaps finished
                _complete(place, blob, found, part, block_bytes, progress=progress)
                if _fits_file(found, part):
                    with writing(target, overwrite=overwrite) as temporary:
                        part.replace(temporary)
                    return found.told
            except OverwriteError:
                part.unlink(missing_ok=True)
                raise
            except StoreConflictError:
                part.unlink(missing_ok=True)
                continue
            part.unlink(missing_ok=True)
        if damaged:
            raise _damaged(place, key)
        damaged = True
    raise _restless(place, key)


def _refuse(target: Path, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(target):
        raise OverwriteError(f"{target} exists already. Choose another path, or pass overwrite=True.")


def _existing(place: Place, blob: "BlobClient", key: str) -> Seen:
    found = look(place, blob, key)
    if found is None:
        raise NotStoredError(f"{place.url}: there is no object {key!r}. See which there are with list().")
    return found


def _complete(place: Place, blob: "BlobClient", found: Seen, part: Path, block_bytes: int, *, progress: bool) -> None:
    """Adds to a part what it lacks."""
    told = found.told
    with part.open("ab") as file:
        if file.tell() > told.size:
            file.truncate(0)
        start = os.fstat(file.fileno()).st_size
        with tqdm(
            total=told.size, initial=start, desc=told.key, unit="B", unit_scale=True, disable=not progress
        ) as bar:
            for block in _ranges(place, blob, found, start, block_bytes):
                file.write(block)
                file.flush()
                bar.update(len(block))


def _ranges(place: Place, blob: "BlobClient", found: Seen, start: int, block_bytes: int) -> Iterator[bytes]:
    told = found.told
    while start < told.size:
        length = min(block_bytes, told.size - start)
        block = place.ask(told.key, partial(_range, blob, start, length, told.etag))
        if len(block) != length:
            raise StoreError(
                f"{place.url}: {told.key!r}: asked for {length} bytes from {start}, got {len(block)}. Call again."
            )
        yield block
        start += length


def _range(blob: "BlobClient", start: int, length: int, etag: str) -> bytes:
    from azure.core import MatchConditions

    condition = MatchConditions.IfNotModified
    return blob.download_blob(start, length, etag=quoted(etag), match_condition=condition).readall()


def _fits_file(found: Seen, part: Path) -> bool:
    with part.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        md5 = (
            b""
            if found.told.sha256
            else hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).digest()
        )
    return _fits(found, sha256, md5)


def _fits(found: Seen, sha256: str, md5: bytes) -> bool:
    """Against the best checksum there is; objects of other programs may have none."""
    if found.told.sha256 is not None:
        return sha256 == found.told.sha256
    return found.md5 is None or md5 == found.md5


def _damaged(place: Place, key: str) -> StoreError:
    return StoreError(
        f"{place.url}: the bytes of {key!r} do not fit the checksum that was stored with them, fetched twice. Store "
        f"the object again."
    )


def _restless(place: Place, key: str) -> StoreConflictError:
    return StoreConflictError(
        f"{place.url}: {key!r} was changed by somebody else each of the {_TRIES} times it was fetched. Call again when "
        f"it is at rest."
    )
