"""Objects as the service describes them."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pianoroll_seq2seq.stores.azure_blob.endpoint import Endpoint, error_code_of
from pianoroll_seq2seq.stores.base import StoredObject

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobProperties

SHA256 = "sha256"
"""The metadata that holds an object's checksum."""
UPLOAD = "upload"
"""The metadata that identifies the call that stored an object."""


@dataclass(frozen=True)
class RemoteObject:
    """An object of the service."""

    stored: StoredObject
    """Its metadata."""
    md5: bytes | None
    """Checksum of an object that another program has stored; None if it has none."""
    upload: str | None
    """The call to ``put`` that stored it; None for objects of other programs."""


def remote_object(key: str, properties: "BlobProperties") -> RemoteObject:
    """The object that an answer of the service describes."""
    metadata = properties.metadata or {}
    sha256 = metadata.get(SHA256)
    if sha256 is not None and not re.fullmatch("[0-9a-f]{64}", sha256):
        sha256 = None
    md5 = properties.content_settings.content_md5
    stored = StoredObject(key, properties.size, unquoted(str(properties.etag)), sha256)
    return RemoteObject(stored, bytes(md5) if md5 else None, metadata.get(UPLOAD))


def find_object(endpoint: Endpoint, blob: "BlobClient", key: str) -> RemoteObject | None:
    """The object, or None if there is none."""
    return endpoint.call(key, lambda: _find_object(blob, key))


def _find_object(blob: "BlobClient", key: str) -> RemoteObject | None:
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return remote_object(key, blob.get_blob_properties())
    except ResourceNotFoundError as error:
        if error_code_of(error) == "ContainerNotFound":
            raise
        return None


def unquoted(etag: str) -> str:
    """An etag without the quotation marks that some answers have."""
    return etag.strip('"')


def quoted(etag: str) -> str:
    """An etag with quotation marks, for requests."""
    return f'"{unquoted(etag)}"'


def is_folder(properties: "BlobProperties") -> bool:
    """Whether it is a folder, which accounts with a hierarchical namespace list too."""
    return (properties.metadata or {}).get("hdi_isfolder") == "true"


def remove(blob: "BlobClient") -> None:
    """Removes an object, if it is there."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        blob.delete_blob()
    except ResourceNotFoundError as error:
        if error_code_of(error) == "ContainerNotFound":
            raise
