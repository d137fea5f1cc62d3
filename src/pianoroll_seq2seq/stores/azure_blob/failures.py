"""What goes wrong in Blob storage, in this library's errors: named, with the fix, and without secrets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pianoroll_seq2seq.errors import (
    NotStoredError,
    StoreAccessError,
    StoreConflictError,
    StoreError,
)
from pianoroll_seq2seq.redaction import redacted

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError, HttpResponseError

Answer = TypeVar("Answer")

_ACCESS = (
    "Check the account's name and key (was the key rotated? is this machine's clock right?), the rights of the "
    "signature, or that the identity has the role 'Storage Blob Data Contributor', and the account's network rules."
)
_UNFINISHED = (
    "Another program has begun to store an object there and has not finished. Finish or undo that, use another key, or "
    "wait a week: Azure then drops what was begun."
)


@dataclass(frozen=True)
class Place:
    """Whom the requests ask."""

    url: str
    """Of the container, without any signature."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What must not be shown."""

    def ask(self, key: str | None, call: Callable[[], Answer]) -> Answer:
        """What the call returns.

        Args:
            key: which object it is about; None for the container.
            call: asks the service.

        Raises:
            StoreError: or one of its kinds: the service refuses, or is out of reach.
        """
        from azure.core.exceptions import AzureError

        try:
            return call()
        except AzureError as error:
            problem = self._explained(error, key)
        raise problem  # from here, so that the client's error, which may hold secrets, is not in its context

    def _explained(self, error: "AzureError", key: str | None) -> StoreError:
        from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

        where = f"{self.url}: {key!r}" if key is not None else self.url
        if not isinstance(error, HttpResponseError) or error.status_code is None:
            if isinstance(error, ClientAuthenticationError):
                return StoreAccessError(f"{where}: no credentials were accepted: {self._text(error)}. {_ACCESS}")
            return StoreError(
                f"{where}: the service could not be reached, or the connection was cut, also when tried again: "
                f"{self._text(error)}. Check the network and the account's name, and call again: large files go on "
                f"where they were cut."
            )
        code = code_of(error)
        told = f"{where}: {error.status_code} {code}"
        problem: StoreError
        if code == "ContainerNotFound":
            problem = NotStoredError(f"{told}: there is no such container. Check its name, or call create_container().")
        elif error.status_code in (401, 403) or isinstance(error, ClientAuthenticationError):
            problem = StoreAccessError(f"{told}: the service refuses the credentials, or what they ask for. {_ACCESS}")
        elif error.status_code == 404:
            problem = NotStoredError(f"{told}: there is no such object. See which there are with list().")
        elif error.status_code == 412:
            problem = StoreConflictError(f"{told}: somebody else has changed the object meanwhile. Read it again.")
        elif code == "InvalidBlobOrBlock":
            problem = StoreError(f"{told}: {_UNFINISHED}")
        else:
            problem = StoreError(f"{told}: {self._text(error)}. If the service was busy, call again later.")
        return problem

    def _text(self, error: "AzureError") -> str:
        lines = redacted(str(error.message), *self.secrets).splitlines() or [""]
        return lines[0][:300].rstrip(".")


def code_of(error: "HttpResponseError") -> str:
    """Azure's name for what went wrong; empty where the answer came from elsewhere, such as a proxy."""
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))
