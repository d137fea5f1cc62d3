"""A store in a container of Azure Blob storage."""

import copy
import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from pianoroll_seq2seq._internal.redaction import redacted, shown_name
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError
from pianoroll_seq2seq.stores.azure_blob.credentials import Account, AccountArguments, resolve_account
from pianoroll_seq2seq.stores.azure_blob.download import download, fetch
from pianoroll_seq2seq.stores.azure_blob.endpoint import Endpoint, error_code_of
from pianoroll_seq2seq.stores.azure_blob.http_log import redact_http_log
from pianoroll_seq2seq.stores.azure_blob.objects import find_object, is_folder, remote_object, remove
from pianoroll_seq2seq.stores.azure_blob.upload import Precondition, upload
from pianoroll_seq2seq.stores.azure_blob.urls import BlobUrl
from pianoroll_seq2seq.stores.base import Source, StoredObject, checked_key

BLOCK_BYTES = 4 * 1024 * 1024
"""Default size of a request: at most this much is sent again after an interruption."""
_MAX_BLOCK_BYTES = 100 * 1024 * 1024  # of the oldest service versions; a block is held in memory
_RETRIES = 5


class AzureBlobStore:
    """Keeps objects as block blobs of a container, below a prefix.

    Each object has a checksum (the metadata ``sha256``), which downloads check. Objects of other programs are checked
    by their Content-MD5, if they have one. Files larger than one block are sent block by block: repeating an
    interrupted ``put``, from any process, resumes it. So does repeating a download, which keeps a hidden partial file
    next to its target. Each request is tried again if the service is busy or the connection is lost.

    A store whose credentials come from the environment can be pickled, and another process finds its own. One that was
    given a secret cannot.

    Args:
        container: name of the container.
        prefix: the folder of the container that the store is confined to, such as ``runs/7``.
        account_name: of the storage account; by default the environment variable STORAGE_ACCOUNT_NAME.
        account_key: base64; by default STORAGE_ACCOUNT_KEY, if it is of the same account.
        connection_string: instead of name and key; by default AZURE_STORAGE_CONNECTION_STRING.
        credential: instead of a key: a token credential of azure-identity, or a shared access signature. With neither
            key nor credential it is azure-identity's DefaultAzureCredential.
        account_url: instead of, or with, the account's name: for other clouds, own domains, and emulators.
        block_bytes: size of a request, which also bounds the memory used. At least 1.
        retries: how often a request is tried again; the waiting time doubles each time.

    Raises:
        SettingsError: an invalid name, or arguments that contradict one another.
        StoreAccessError: no account is named.
        MissingExtraError: azure-storage-blob (or azure-identity, if it is needed) is not installed.

    Example:
        >>> def keep(path: str) -> None:
        ...     with AzureBlobStore("models", prefix="runs/7") as store:
        ...         store.create_container()
        ...         store.put("last.safetensors", path, overwrite=True, progress=True)
    """

    def __init__(
        self,
        container: str,
        *,
        prefix: str = "",
        account_name: str | None = None,
        account_key: str | None = None,
        connection_string: str | None = None,
        credential: Any = None,
        account_url: str | None = None,
        block_bytes: int = BLOCK_BYTES,
        retries: int = _RETRIES,
    ) -> None:
        """Makes the client; sends no request yet."""
        if not re.fullmatch("(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*", container):
            raise SettingsError(
                f"A container's name has 3 to 63 small letters and digits, and single hyphens between them, got "
                f"{shown_name(container)}."
            )
        if not 1 <= block_bytes <= _MAX_BLOCK_BYTES or retries < 0:
            raise SettingsError(
                f"block_bytes is from 1 to {_MAX_BLOCK_BYTES} and retries at least 0, got {block_bytes} and {retries}."
            )
        self.container = container
        self.prefix: str = checked_key(prefix) if prefix else ""
        self._arguments = AccountArguments(account_name, account_key, connection_string, credential, account_url)
        try:
            import azure.storage.blob  # noqa: F401 - before anything else is checked
        except ImportError as error:
            raise MissingExtraError("azure-storage-blob", "azure", "AzureBlobStore") from error
        account = resolve_account(self._arguments, os.environ)
        self._client = _client(container, account, block_bytes=block_bytes, retries=retries)
        self._endpoint = Endpoint(
            f"{self._client.scheme}://{self._client.primary_hostname}/{container}", account.secrets
        )
        self._account_name = self._client.account_name
        self._block_bytes = block_bytes
        self._retries = retries
        self._owned = [self._client, *([account.credential] if account.owns_credential else [])]

    @classmethod
    def from_url(cls, url: str, **options: Any) -> "AzureBlobStore":
        """The store at an address: a container, or a folder in it.

        Args:
            url: such as ``https://ACCOUNT.blob.core.windows.net/music/demo``, as the Azure portal copies it.
            **options: the other arguments of the class, such as ``credential``.

        Raises:
            SettingsError: another address, or one that contains a signature.
        """
        place = BlobUrl.parse(url)
        return cls(place.container, prefix=place.path, account_url=place.account_url, **options)

    def __repr__(self) -> str:
        if not hasattr(self, "_account_name"):
            return "AzureBlobStore(...)"  # its arguments were refused
        prefix = f", prefix={self.prefix!r}" if self.prefix else ""
        return redacted(f"AzureBlobStore({self.container!r}{prefix}, account_name={self._account_name!r})")

    def __copy__(self) -> "AzureBlobStore":
        """A store with the same connections, which stay this one's."""
        store = object.__new__(type(self))
        vars(store).update(vars(self), _owned=[])
        return store

    def __reduce__(self) -> tuple[Any, ...]:
        """How to make the store in another process, without any secret.

        Raises:
            SettingsError: a secret was given.
        """
        secret = self._arguments.secret()
        if secret:
            raise SettingsError(
                f"An AzureBlobStore with {' and '.join(secret)} cannot be pickled, because the secret would be in the "
                f"bytes. Make the store in the other process, or give the credentials by STORAGE_ACCOUNT_NAME and "
                f"STORAGE_ACCOUNT_KEY, AZURE_STORAGE_CONNECTION_STRING, or a login of azure-identity."
            )
        options: dict[str, Any] = {
            "prefix": self.prefix,
            "account_name": self._arguments.account_name,
            "account_url": self._arguments.account_url,
            "block_bytes": self._block_bytes,
            "retries": self._retries,
        }
        return partial(type(self), self.container, **options), ()

    def __enter__(self) -> "AzureBlobStore":
        """The store itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Closes the connections."""
        self.close()

    def close(self) -> None:
        """Closes the connections, also of stores made by :meth:`with_prefix`, whose own ``close`` does nothing."""
        for owned in self._owned:
            owned.close()

    def with_prefix(self, prefix: str) -> "AzureBlobStore":
        """A store in a folder of this one, with the same connections.

        Raises:
            SettingsError: an invalid prefix.
        """
        store = copy.copy(self)
        store.prefix = checked_key(f"{self.prefix}/{prefix}" if self.prefix else prefix)
        return store

    def create_container(self) -> None:
        """Makes the container, without public access, unless it exists.

        Raises:
            StoreError: the service refuses, or cannot be reached.
        """
        from azure.core.exceptions import ResourceExistsError

        def create() -> None:
            try:
                self._client.create_container()  # without public access
            except ResourceExistsError as error:
                if error_code_of(error) != "ContainerAlreadyExists":
                    raise

        self._endpoint.call(None, create)

    def put(
        self, key: str, source: Source, *, overwrite: bool = False, etag: str | None = None, progress: bool = False
    ) -> StoredObject:
        """See :meth:`Store.put <pianoroll_seq2seq.stores.base.Store.put>`."""
        return upload(
            self._endpoint,
            self._blob(key),
            key,
            source,
            condition=Precondition(overwrite, etag),
            block_bytes=self._block_bytes,
            progress=progress,
        )

    def get(self, key: str) -> bytes:
        """See :meth:`Store.get <pianoroll_seq2seq.stores.base.Store.get>`."""
        return fetch(self._endpoint, self._blob(key), key, block_bytes=self._block_bytes)

    def download(
        self, key: str, path: str | os.PathLike[str], *, overwrite: bool = False, progress: bool = False
    ) -> StoredObject:
        """See :meth:`Store.download <pianoroll_seq2seq.stores.base.Store.download>`."""
        return download(
            self._endpoint,
            self._blob(key),
            key,
            Path(path),
            overwrite=overwrite,
            block_bytes=self._block_bytes,
            progress=progress,
        )

    def find(self, key: str) -> StoredObject | None:
        """See :meth:`Store.find <pianoroll_seq2seq.stores.base.Store.find>`."""
        found = find_object(self._endpoint, self._blob(key), key)
        return None if found is None else found.stored

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """See :meth:`Store.list <pianoroll_seq2seq.stores.base.Store.list>`. Results are requested page by page."""
        root = f"{self.prefix}/" if self.prefix else ""
        blobs = iter(self._client.list_blobs(name_starts_with=(root + prefix) or None, include=["metadata"]))
        while (blob := self._endpoint.call(None, lambda: next(blobs, None))) is not None:
            if not is_folder(blob):
                yield remote_object(blob.name.removeprefix(root), blob).stored

    def delete(self, key: str) -> None:
        """See :meth:`Store.delete <pianoroll_seq2seq.stores.base.Store.delete>`."""
        blob = self._blob(key)
        self._endpoint.call(key, lambda: remove(blob))

    def _blob(self, key: str) -> Any:
        checked_key(key)
        return self._client.get_blob_client(checked_key(f"{self.prefix}/{key}" if self.prefix else key))


def _client(container: str, account: Account, *, block_bytes: int, retries: int) -> Any:
    from azure.storage.blob import ContainerClient, ExponentialRetry

    again: dict[str, Any] = {f"retry_{kind}": retries for kind in ("total", "connect", "read", "status")}
    options: dict[str, Any] = {
        "max_single_put_size": block_bytes,
        "max_single_get_size": block_bytes,
        "max_chunk_get_size": block_bytes,
        # After about 2, 4, 8, ... seconds, more or less by one.
        "retry_policy": ExponentialRetry(initial_backoff=0, increment_base=2, random_jitter_range=1, **again),
    }
    if account.is_signature:
        redact_http_log()
    try:
        if account.connection_string is not None:
            return ContainerClient.from_connection_string(account.connection_string, container, **options)
        assert account.account_url is not None
        return ContainerClient(account.account_url, container, credential=account.credential, **options)
    except (ValueError, TypeError, KeyError):  # whose messages may hold secrets
        pass
    raise SettingsError(
        f"No client can be made of the credentials given for container {container!r}. A connection string has to be "
        f"whole; a token credential needs an address with https; a signature must not come twice."
    )
