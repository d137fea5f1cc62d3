"""Protection against other pages that are open in the same browser.

A page of another site can make the browser send requests to this machine, by its address or by a domain name that
points to it. So requests must name this machine as their host, and POST requests must come from the studio's own page.
The browser names the page in ``Origin``, and other sites cannot send the header with the page's id without a preflight
request.
"""

import re
from typing import TYPE_CHECKING

from pianoroll_seq2seq.serving.errors import RequestError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALLOWED_HOSTS = ("127.0.0.1", "localhost")
PAGE_HEADER = "x-studio-page"
"""Holds a random id that the page chooses when it opens."""
_PAGE_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class SecureHeaders:
    """Middleware that adds security headers to every response.

    Args:
        app: the wrapped application.
    """

    def __init__(self, app: "ASGIApp") -> None:
        """Wraps an application."""
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Calls the application and adds the headers to its response."""

        async def send_with_headers(message: "Message") -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self._headers]}
            await send(message)

        await self._app(scope, receive, send_with_headers)


def page_id_of(request: "Request") -> str:
    """The id of the page that sent a request.

    Raises:
        RequestError: another page sent it.
    """
    origin = request.headers.get("origin")
    own_origin = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if origin is not None and origin != own_origin:
        raise RequestError(403, "Origin", "only the studio's own page may send this request.")
    page_id = request.headers.get(PAGE_HEADER, "")
    if not _PAGE_ID.fullmatch(page_id):
        raise RequestError(403, PAGE_HEADER, "expected an id of the page: 8 to 64 letters, digits and hyphens.")
    return page_id


async def read_body(request: "Request", max_bytes: int, field: str) -> bytes:
    """Reads the body of a request.

    Args:
        request: the request.
        max_bytes: the largest body that is accepted.
        field: the name of the body in the error.

    Raises:
        RequestError: the body is larger, or ended early.
    """
    from starlette.requests import ClientDisconnect

    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                raise RequestError(413, field, f"over {max_bytes} bytes. Send a smaller one.")
    except ClientDisconnect as error:  # nobody reads this answer
        raise RequestError(400, field, "ended before all of it had been sent.") from error
    return bytes(body)
