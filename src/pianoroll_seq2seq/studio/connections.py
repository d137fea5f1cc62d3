"""Connections that end when the other side does nothing."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

REQUEST_SECONDS = 10.0
"""In this time a request must have arrived as a whole, from its first byte to the end of its body."""
READ_SECONDS = 20.0
"""In this time a page must have read what waits for it."""
_CLOSING_SECONDS = 0.3


class TimedConnection(H11Protocol):
    """A connection that is closed if a request does not arrive, or if its answer is not read.

    Otherwise clients that send half a request, or that never read, would keep their connections and jobs for ever.
    """

    _arriving: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A request must arrive."""
        super().connection_made(transport)
        self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        """A part of a request has arrived: the rest must follow. After the whole, nothing is waited for."""
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle  # of the latest request, if there was any
        if cycle is not None and not cycle.more_body and not cycle.response_complete:
            self._cancel_arriving()
        else:
            self._wait_for_request()

    def on_response_complete(self) -> None:
        """The next request may have begun behind the one before."""
        super().on_response_complete()
        if self.cycle.more_body:
            self._wait_for_request()

    def pause_writing(self) -> None:
        """The other side does not read: it has some time to begin."""
        super().pause_writing()
        self._unread = self.loop.call_later(READ_SECONDS, self._close)

    def resume_writing(self) -> None:
        """The other side reads."""
        super().resume_writing()
        self._cancel_unread()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._cancel_arriving()
        self._cancel_unread()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The studio closes: an answer has a moment to end, then the page is as one that has left."""
        super().shutdown()
        self.loop.call_later(_CLOSING_SECONDS, self._close)

    def _close(self) -> None:
        self.transport.abort()

    def _wait_for_request(self) -> None:
        if self._arriving is None:
            self._arriving = self.loop.call_later(REQUEST_SECONDS, self._close)

    def _cancel_arriving(self) -> None:
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def _cancel_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
