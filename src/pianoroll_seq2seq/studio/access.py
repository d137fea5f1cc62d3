"""A token in the address, which keeps out the other users of the machine."""

import secrets
from typing import TYPE_CHECKING

from pianoroll_seq2seq.serving.errors import RequestError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class AccessToken:
    """The token of a studio. Its text is in the address that is printed, and afterwards in a cookie of the browser."""

    def __init__(self) -> None:
        """Draws a token that cannot be guessed."""
        self.text: str = secrets.token_urlsafe(24)
        self._tickets: set[str] = set()

    def ticket(self) -> str:
        """A token that opens the page once: other users see the addresses with which programs are started."""
        ticket = secrets.token_urlsafe(24)
        self._tickets.add(ticket)
        return ticket

    def admits(self, text: str) -> bool:
        """Whether a text is the token, or a ticket that has not been used."""
        if text in self._tickets:
            self._tickets.remove(text)
            return True
        return self.equals(text)

    def equals(self, text: str) -> bool:
        """Whether a text is the token."""
        return secrets.compare_digest(text.encode("utf-8", "surrogatepass"), self.text.encode())


class RequireToken:
    """Middleware that answers only browsers that opened the page with the token.

    ``/?token=...`` sets a cookie and leads to the page; all other requests need the cookie.

    Args:
        app: the wrapped application.
        token: the token.
    """

    def __init__(self, app: "ASGIApp", token: AccessToken) -> None:
        """Wraps an application."""
        self._app = app
        self._token = token

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Calls the application, or refuses the request."""
        from starlette.requests import Request
        from starlette.responses import JSONResponse, RedirectResponse, Response

        request, name = Request(scope), _cookie_name(scope)
        given = request.query_params.get("token", "") if scope["path"] == "/" else ""
        if given and self._token.admits(given):
            response: Response = RedirectResponse("/", 303)
            response.set_cookie(name, self._token.text, httponly=True, samesite="lax")
            await response(scope, receive, send)
        elif self._token.equals(request.cookies.get(name, "")):
            await self._app(scope, receive, send)
        else:
            problem = "open the address that the studio printed when it started, which ends with ?token=..."
            response = JSONResponse(RequestError(403, "token", problem).to_json(), status_code=403)
            await response(scope, receive, send)


def _cookie_name(scope: "Scope") -> str:
    """A name for each port: browsers send cookies to all ports of a machine."""
    return f"studio-{scope['server'][1]}"
