"""Storing an object: small ones in one request, large ones block by block, so that a cut upload goes on.

A block's id holds the checksum of its bytes. So a block that has arrived is known again by whoever stores the same file
later, and two who store different files under one key at the same time never mix their blocks up.
"""

import hashlib
import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from pianoroll_seq2seq.errors import OverwriteError, SettingsError, StoreConflictError
from pianoroll_seq2seq.stores.azure_blob.failures import Place, code_of
from pianoroll_seq2seq.stores.azure_blob.objects import SHA256, UPLOAD, Seen, bare, look, quoted
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
class Condition:
    """What must be there for an object to be stored."""

    overwrite: bool
    """Anything, or nothing."""
    etag: str | None
    """The object with this etag, whatever ``overwrite`` says."""

    def arguments(self) -> dict[str, Any]:
        """For the client."""
        from azure.core import MatchConditions

        if self.etag is not None:
            return {"etag": quoted(self.etag), "match_condition": MatchConditions.IfNotModified}
        return {} if self.overwrite else {"match_condition": MatchConditions.IfMissing}

    def check(self, place: Place, key: str, there: Seen | None) -> None:
        """Raises OverwriteError or StoreConflictError where something else is there."""
        if self.etag is not None and (there is None or there.told.etag != bare(self.etag)):
            now = "it is gone" if there is None else f"its etag is {there.told.etag}"
            raise StoreConflictError(
                f"{place.url}: {key!r} should be the object that had the etag {bare(self.etag)}, but somebody else has "
                f"changed it: {now}. Read it again before you replace it."
            )
        if self.etag is None and not self.overwrite and there is not None:
            raise OverwriteError(
                f"{place.url}: there is an object {key!r} already, which would be overwritten. Choose another key, or "
                f"pass overwrite=True."
            )


@dataclass(frozen=True)
class _Content:
    """All that is said of an object when it is stored, but its bytes."""

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
    place: Place,
    blob: "BlobClient",
    key: str,
    source: Source,
    *,
    condition: Condition,
    block_bytes: int,
    progress: bool,
) -> StoredObject:
    """Stores bytes or a file.

    Raises:
        SettingsError: the file would take more blocks than there may be.
        OverwriteError: or StoreConflictError: the condition does not hold.
        StoreError: the file was changed meanwhile, or the service refuses, or is out of reach.
    """
    call = secrets.token_hex(8)
    with opened(source) as whole:
        if whole.size > block_bytes * MAX_BLOCKS:
            raise SettingsError(
                f"{key!r} has {whole.size} bytes, which is more than {MAX_BLOCKS} blocks of {block_bytes} bytes. Give "
                f"the store larger blocks: AzureBlobStore(..., block_bytes={whole.size // MAX_BLOCKS + 1})."
            )
        for _ in range(_TRIES):
            if whole.size > block_bytes:
                condition.check(place, key, look(place, blob, key))  # before the work, so that it is not for nothing
                ids, content = _staged(place, blob, key, whole, call=call, block_bytes=block_bytes, progress=progress)
                whole.check_unchanged()
                etag = place.ask(key, partial(_committed, blob, ids, content, condition))
            else:
                data = whole.file.read()
                whole.check_unchanged()
                content = _Content(hashlib.sha256(data).hexdigest(), _md5(data), call)
                etag = place.ask(key, partial(_put, blob, data, content, condition))
            if etag:
                return StoredObject(key, whole.size, etag, content.sha256)
            there = look(place, blob, key)
            if there is not None and there.upload == call:  # an answer was lost, and the repeated request refused
                return there.told
            condition.check(place, key, there)
            whole.file.seek(0)
    raise StoreConflictError(
        f"{place.url}: {key!r} is stored by several at the same time, and each undoes what the others have begun. Let "
        f"one of them store it."
    )


def _put(blob: "BlobClient", data: bytes, content: _Content, condition: Condition) -> str | None:
    """The new etag; None where the condition does not hold."""
    from azure.core.exceptions import HttpResponseError

    try:
        answer = blob.upload_blob(
            data, overwrite=True, validate_content=True, **content.arguments(), **condition.arguments()
        )
    except HttpResponseError as error:
        if _is_conflict(error):
            return None
        raise
    return bare(str(answer["etag"]))


def _committed(blob: "BlobClient", ids: list[str], content: _Content, condition: Condition) -> str | None:
    """The new etag; None where the condition does not hold, or another's commit has swept away the blocks."""
    from azure.core.exceptions import HttpResponseError
    from azure.storage.blob import BlobBlock

    blocks = [BlobBlock(block_id) for block_id in ids]
    try:
        answer = blob.commit_block_list(blocks, **content.arguments(), **condition.arguments())
    except HttpResponseError as error:
        if _is_conflict(error) or code_of(error) == "InvalidBlockList":
            return None
        raise
    return bare(str(answer["etag"]))


def _is_conflict(error: "HttpResponseError") -> bool:
    return code_of(error) in _CONFLICTS or error.status_code == 412


def _staged(
    place: Place, blob: "BlobClient", key: str, whole: OpenSource, *, call: str, block_bytes: int, progress: bool
) -> tuple[list[str], _Content]:
    """Sends the blocks that have not arrived before; the ids of all, in order."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    arrived = place.ask(key, lambda: _arrived(blob))
    ids: list[str] = []
    with tqdm(total=whole.size, desc=key, unit="B", unit_scale=True, disable=not progress) as bar:
        while block := whole.file.read(block_bytes):
            sha256.update(block)
            md5.update(block)
            block_id = f"{len(ids):05d}-{hashlib.sha256(block).hexdigest()[:40]}"
            if arrived.get(block_id) != len(block):
                place.ask(key, partial(blob.stage_block, block_id, block, len(block), validate_content=True))
            ids.append(block_id)
            bar.update(len(block))
    return ids, _Content(sha256.hexdigest(), md5.digest(), call)


def _arrived(blob: "BlobClient") -> dict[str, int]:
    """The blocks of which no object was made yet, and their sizes."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        _, blocks = blob.get_block_list("uncommitted")
    except ResourceNotFoundError as error:
        if code_of(error) == "ContainerNotFound":
            raise
        return {}
    return {block.id: block.size for block in blocks}


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
