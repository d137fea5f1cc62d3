"""What the service tells of an object."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pianoroll_seq2seq.stores.azure_blob.failures import Place, code_of
from pianoroll_seq2seq.stores.base import StoredObject

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobProperties

SHA256 = "sha256"
"""The metadata that holds an object's checksum."""
UPLOAD = "upload"
"""The metadata that tells by which call an object was stored."""


@dataclass(frozen=True)
class Seen:
    """An object as it was seen."""

    told: StoredObject
    md5: bytes | None
    """Of its bytes, where there is no better checksum."""
    upload: str | None
    """Of which call to ``put`` it is; None for objects of other programs."""


def seen(key: str, properties: "BlobProperties") -> Seen:
    """What is to be told of an object, from the answer of the service."""
    metadata = properties.metadata or {}
    sha256 = metadata.get(SHA256)
    if sha256 is not None and not re.fullmatch("[0-9a-f]{64}", sha256):
        sha256 = None
    md5 = properties.content_settings.content_md5
    told = StoredObject(key, properties.size, bare(str(properties.etag)), sha256)
    return Seen(told, bytes(md5) if md5 else None, metadata.get(UPLOAD))


def look(place: Place, blob: "BlobClient", key: str) -> Seen | None:
    """The object there is now, or None."""
    return place.ask(key, lambda: _look(blob, key))


def _look(blob: "BlobClient", key: str) -> Seen | None:
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return seen(key, blob.get_blob_properties())
    except ResourceNotFoundError as error:
        if code_of(error) == "ContainerNotFound":
            raise
        return None


def bare(etag: str) -> str:
    """Without the quotation marks that some answers have and others have not."""
    return etag.strip('"')


def quoted(etag: str) -> str:
    """As requests want it."""
    return f'"{bare(etag)}"'


def is_folder(properties: "BlobProperties") -> bool:
    """Accounts with a hierarchical namespace list folders, too."""
    return (properties.metadata or {}).get("hdi_isfolder") == "true"


def remove(blob: "BlobClient") -> None:
    """Removes an object, if it is there."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        blob.delete_blob()
    except ResourceNotFoundError as error:
        if code_of(error) == "ContainerNotFound":
            raise
