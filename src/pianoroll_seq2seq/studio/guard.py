"""What stands between the studio and other pages that a browser has open.

A page of another site can make a browser send requests to this machine, by its address or by a name of its own that
points there. So requests must name this machine as their host, and what is sent must come from the studio's own page:
a browser says so in ``Origin``, and the header that names the page cannot be sent from elsewhere without asking.
"""

import re
from typing import TYPE_CHECKING

from pianoroll_seq2seq.serving.requests import RequestError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost")
"""The names by which the studio may be asked for."""
PAGE_HEADER = "x-studio-page"
"""Names the page that asks: a word of its own choice."""
_WORD = re.compile(r"[A-Za-z0-9-]{8,64}")
_HEADERS = {
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
    """Adds to every answer that it is for the studio's own page, which loads nothing from elsewhere.

    Args:
        app: what answers.
    """

    def __init__(self, app: "ASGIApp") -> None:
        """Stands in front of an application."""
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answers, with the headers."""

        async def with_headers(message: "Message") -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self._headers]}
            await send(message)

        await self._app(scope, receive, with_headers)


def page_of(request: "Request") -> str:
    """The page that sent a request.

    Raises:
        RequestError: the studio's own page did not.
    """
    origin = request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if origin is not None and origin != own:
        raise RequestError(403, "Origin", "only the studio's own page may ask for this.")
    page = request.headers.get(PAGE_HEADER, "")
    if not _WORD.fullmatch(page):
        raise RequestError(
            403, PAGE_HEADER, "missing: a word of 8 to 64 letters, digits and hyphens that names the page."
        )
    return page


async def body_of(request: "Request", most_bytes: int, field: str) -> bytes:
    """The body of a request.

    Args:
        request: it.
        most_bytes: how much of it is read at most.
        field: what to call it in the error.

    Raises:
        RequestError: there is more.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most_bytes:
            raise RequestError(413, field, f"over {most_bytes} bytes. Send a smaller one.")
    return bytes(body)
