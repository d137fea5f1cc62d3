"""The address of a blob, of a folder of blobs, or of a container."""

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from pianoroll_seq2seq._internal.redaction import redacted
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.stores.azure_blob.credentials import LOOPBACK


@dataclass(frozen=True)
class BlobUrl:
    """An address in Azure Blob storage, as the Azure portal copies it."""

    account_url: str
    """``https://ACCOUNT.blob.core.windows.net`` or, for an emulator, ``http://127.0.0.1:PORT/ACCOUNT``."""
    container: str
    path: str = ""
    """Of the blob or folder in the container; empty for the container."""

    @classmethod
    def parse(cls, url: str) -> "BlobUrl":
        """Reads ``https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH``.

        Raises:
            SettingsError: another address, or one that contains a signature or a password.

        Example:
            >>> BlobUrl.parse("https://acme.blob.core.windows.net/music/demo/").path
            'demo'
        """
        try:
            parts = urlsplit(url)
            _ = parts.port  # raises for what is no number
        except ValueError:
            raise SettingsError(_expected(url)) from None
        if parts.query or parts.fragment or "@" in parts.netloc:
            got = redacted(f"{parts.scheme}://{parts.hostname or ''}{parts.path}")
            raise SettingsError(
                f"An address in Azure Storage must not contain a signature or a password, because the address is shown "
                f"and logged; got {got} with one. Leave out everything from the question mark on. Give access by a "
                f"login, a managed identity, or STORAGE_ACCOUNT_NAME and STORAGE_ACCOUNT_KEY."
            )
        is_local = parts.scheme in ("http", "https") and parts.hostname in LOOPBACK
        names = [unquote(name) for name in parts.path.strip("/").split("/")]
        account = names.pop(0) if is_local else ""
        is_remote = parts.scheme == "https" and parts.hostname
        if not (is_local or is_remote) or not names or not all(names) or {".", ".."} & set(names):
            raise SettingsError(_expected(url))
        root = f"{parts.scheme}://{parts.netloc}"
        return cls(f"{root}/{account}" if is_local else root, names[0], "/".join(names[1:]))

    def __str__(self) -> str:
        """The address."""
        return "/".join([self.account_url, *map(quote, (self.container, *([self.path] if self.path else [])))])


def _expected(url: str) -> str:
    return (
        f"Expected an address in Azure Storage, https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH, got "
        f"{redacted(url)!r}."
    )
