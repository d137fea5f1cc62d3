"""Uploads: small objects in one request, large ones block by block, so that an interrupted upload can be resumed.

The id of a block contains the checksum of its bytes. So a later upload of the same file recognizes the blocks that have
arrived, and two simultaneous uploads of different files under one key never mix their blocks.
"""

import hashlib
import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.errors import OverwriteError, SettingsError, StoreConflictError
from pianoroll_seq2seq.stores.azure_blob.endpoint import Endpoint, error_code_of
from pianoroll_seq2seq.stores.azure_blob.objects import SHA256, UPLOAD, RemoteObject, find_object, quoted, unquoted
from pianoroll_seq2seq.stores.base import Source, StoredObject
from pianoroll_seq2seq.stores.sources import OpenSource, opened

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError
    from azure.storage.blob import BlobClient

MAX_BLOCKS = 50_000
"""Of one object; the service allows no more."""
_TRIES = 3
_CONFLICTS = ("BlobAlreadyExists", "ConditionNotMet")


@dataclass(frozen=True)
class Precondition:
    """Which object may be replaced."""

    overwrite: bool
    """Whether any object may be replaced."""
    etag: str | None
    """Replaces the object with this etag only, whatever ``overwrite`` is."""

    def arguments(self) -> dict[str, Any]:
        """Arguments of the client."""
        from azure.core import MatchConditions

        if self.etag is not None:
            return {"etag": quoted(self.etag), "match_condition": MatchConditions.IfNotModified}
        return {} if self.overwrite else {"match_condition": MatchConditions.IfMissing}

    def check(self, endpoint: Endpoint, key: str, there: RemoteObject | None) -> None:
        """Raises OverwriteError or StoreConflictError for an object that may not be replaced."""
        if self.etag is not None and (there is None or there.stored.etag != unquoted(self.etag)):
            now = "it is gone" if there is None else f"its etag is {there.stored.etag}"
            raise StoreConflictError(
                f"{endpoint.url}: {key!r} should have the etag {unquoted(self.etag)}, but somebody else has changed "
                f"it: {now}. Read it again before you replace it."
            )
        if self.etag is None and not self.overwrite and there is not None:
            raise OverwriteError(
                f"{endpoint.url}: there is an object {key!r} already. Choose another key, or pass overwrite=True."
            )


@dataclass(frozen=True)
class _Content:
    """The metadata of an object that is stored."""

    sha256: str
    md5: bytes
    upload: str

    def arguments(self) -> dict[str, Any]:
        from azure.storage.blob import ContentSettings

        return {
            "metadata": {SHA256: self.sha256, UPLOAD: self.upload},
            "content_settings": ContentSettings(content_md5=bytearray(self.md5)),
        }


def upload(
    endpoint: Endpoint,
    blob: "BlobClient",
    key: str,
    source: Source,
    *,
    condition: Precondition,
    block_bytes: int,
    progress: bool,
) -> StoredObject:
    """Stores bytes or a file.

    Raises:
        SettingsError: the file would take more blocks than there may be.
        OverwriteError, StoreConflictError: the precondition does not hold.
        StoreError: the file was changed meanwhile, or the service refuses, or cannot be reached.
    """
    call = secrets.token_hex(8)
    with opened(source) as whole:
        if whole.size > block_bytes * MAX_BLOCKS:
            raise SettingsError(
                f"{key!r} has {whole.size} bytes, which is more than {MAX_BLOCKS} blocks of {block_bytes} bytes. Use "
                f"larger blocks: AzureBlobStore(..., block_bytes={whole.size // MAX_BLOCKS + 1})."
            )
        for _ in range(_TRIES):
            if whole.size > block_bytes:
                condition.check(endpoint, key, find_object(endpoint, blob, key))  # before the upload of large data
                ids, content = _stage_blocks(
                    endpoint, blob, key, whole, call=call, block_bytes=block_bytes, progress=progress
                )
                whole.check_unchanged()
                etag = endpoint.call(key, partial(_commit, blob, ids, content, condition))
            else:
                data = whole.file.read()
                whole.check_unchanged()
                content = _Content(hashlib.sha256(data).hexdigest(), _md5(data), call)
                etag = endpoint.call(key, partial(_put, blob, data, content, condition))
            if etag:
                return StoredObject(key, whole.size, etag, content.sha256)
            there = find_object(endpoint, blob, key)
            if there is not None and there.upload == call:  # the answer was lost, and the repeated request was refused
                return there.stored
            condition.check(endpoint, key, there)
            whole.file.seek(0)
    raise StoreConflictError(
        f"{endpoint.url}: {key!r} is stored by several processes at the same time, and each undoes the others' "
        f"uploads. Let one of them store it."
    )


def _put(blob: "BlobClient", data: bytes, content: _Content, condition: Precondition) -> str | None:
    """The new etag; None if the precondition does not hold."""
    from azure.core.exceptions import HttpResponseError

    try:
        answer = blob.upload_blob(
            data, overwrite=True, validate_content=True, **content.arguments(), **condition.arguments()
        )
    except HttpResponseError as error:
        if _is_conflict(error):
            return None
        raise
    return unquoted(str(answer["etag"]))


def _commit(blob: "BlobClient", ids: list[str], content: _Content, condition: Precondition) -> str | None:
    """The new etag; None if the precondition does not hold, or another upload has removed the blocks."""
    from azure.core.exceptions import HttpResponseError
    from azure.storage.blob import BlobBlock

    blocks = [BlobBlock(block_id) for block_id in ids]
    try:
        answer = blob.commit_block_list(blocks, **content.arguments(), **condition.arguments())
    except HttpResponseError as error:
        if _is_conflict(error) or error_code_of(error) == "InvalidBlockList":
            return None
        raise
    return unquoted(str(answer["etag"]))


def _is_conflict(error: "HttpResponseError") -> bool:
    return error_code_of(error) in _CONFLICTS or error.status_code == 412


def _stage_blocks(
    endpoint: Endpoint, blob: "BlobClient", key: str, whole: OpenSource, *, call: str, block_bytes: int, progress: bool
) -> tuple[list[str], _Content]:
    """Sends the blocks that have not arrived before. Returns the ids of all, in order."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    arrived = endpoint.call(key, lambda: _uncommitted_blocks(blob))
    ids: list[str] = []
    with tqdm(total=whole.size, desc=key, unit="B", unit_scale=True, disable=not progress) as bar:
        while block := whole.file.read(block_bytes):
            sha256.update(block)
            md5.update(block)
            block_id = f"{len(ids):05d}-{hashlib.sha256(block).hexdigest()[:40]}"
            if arrived.get(block_id) != len(block):
                endpoint.call(key, partial(blob.stage_block, block_id, block, len(block), validate_content=True))
            ids.append(block_id)
            bar.update(len(block))
    return ids, _Content(sha256.hexdigest(), md5.digest(), call)


def _uncommitted_blocks(blob: "BlobClient") -> dict[str, int]:
    """The sizes of the blocks that belong to no object yet, by id."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        _, blocks = blob.get_block_list("uncommitted")
    except ResourceNotFoundError as error:
        if error_code_of(error) == "ContainerNotFound":
            raise
        return {}
    return {block.id: block.size for block in blocks}


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
