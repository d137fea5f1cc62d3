"""Calls to Blob storage, with its errors translated to this library's: with the fix, and without secrets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pianoroll_seq2seq._internal.redaction import redacted
from pianoroll_seq2seq.errors import NotStoredError, StoreAccessError, StoreConflictError, StoreError

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError, HttpResponseError

Answer = TypeVar("Answer")

_ACCESS = (
    "Check the account's name and key (was the key rotated? is this machine's clock right?), the rights of the "
    "signature, or that the identity has the role 'Storage Blob Data Contributor', and the account's network rules."
)
_UNFINISHED = (
    "Another program has begun to store an object there and has not finished. Finish or undo that, use another key, or "
    "wait a week: Azure then drops the unfinished object."
)


@dataclass(frozen=True)
class Endpoint:
    """The address of a container."""

    url: str
    """Of the container, without any signature."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Texts that must not be shown."""

    def call(self, key: str | None, call: Callable[[], Answer]) -> Answer:
        """Returns what the call returns.

        Args:
            key: the object that errors name; None for the container.
            call: a request to the service.

        Raises:
            StoreError: the service refuses (a subclass says why), or cannot be reached.
        """
        from azure.core.exceptions import AzureError

        try:
            return call()
        except AzureError as error:
            problem = self._translated(error, key)
        raise problem  # from here, so that the client's error, which may hold secrets, is not in its context

    def _translated(self, error: "AzureError", key: str | None) -> StoreError:
        from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

        where = redacted(f"{self.url}: {key!r}" if key is not None else self.url, *self.secrets)
        if not isinstance(error, HttpResponseError) or error.status_code is None:
            if isinstance(error, ClientAuthenticationError):
                return StoreAccessError(f"{where}: no credentials were accepted: {self._text(error)}. {_ACCESS}")
            return StoreError(
                f"{where}: the service could not be reached, or the connection was cut, also when tried again: "
                f"{self._text(error)}. Check the network and the account's name, and call again: transfers of large "
                f"files are resumed."
            )
        code = error_code_of(error)
        status = f"{where}: {error.status_code} {code}"
        problem: StoreError
        if code == "ContainerNotFound":
            problem = NotStoredError(
                f"{status}: there is no such container. Check its name, or call create_container()."
            )
        elif error.status_code in (401, 403) or isinstance(error, ClientAuthenticationError):
            problem = StoreAccessError(
                f"{status}: the service refuses the credentials, or what they ask for. {_ACCESS}"
            )
        elif error.status_code == 404:
            problem = NotStoredError(f"{status}: there is no such object. list() shows which there are.")
        elif error.status_code == 412:
            problem = StoreConflictError(f"{status}: somebody else has changed the object. Read it again.")
        elif code == "InvalidBlobOrBlock":
            problem = StoreError(f"{status}: {_UNFINISHED}")
        else:
            problem = StoreError(f"{status}: {self._text(error)}. If the service was busy, call again later.")
        return problem

    def _text(self, error: "AzureError") -> str:
        lines = redacted(str(error.message), *self.secrets).splitlines() or [""]
        return lines[0][:300].rstrip(".")


def error_code_of(error: "HttpResponseError") -> str:
    """Azure's code of an error; empty if the answer came from elsewhere, such as a proxy."""
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))
