"""Calls to a service in the background, which are retried until they succeed."""

import threading
import time
from collections.abc import Callable
from typing import Any


class RetryQueue:
    """Makes calls in a thread, so that the caller never waits for a service. A failed call is kept and made again.

    The thread does not keep the process alive: call :meth:`flush` before the end.

    Args:
        on_error: called in the thread with the name and the exception of each failed call. It returns whether to retry
            the call.
        pause_seconds: how long to wait after a failure before the next attempt.
    """

    def __init__(self, on_error: Callable[[str, Exception], bool], *, pause_seconds: float = 30.0) -> None:
        """Starts the thread."""
        self._on_error = on_error
        self._pause_seconds = pause_seconds
        self._changed = threading.Condition()
        self._pending: dict[str, Callable[[], Any]] = {}
        self._running: dict[str, Callable[[], Any]] = {}  # the calls of the current round
        self._closed = self._urgent = False
        self._rounds_begun = self._rounds_ended = 0
        self._not_before = 0.0
        threading.Thread(target=self._work, name="retry-queue", daemon=True).start()

    def put(self, name: str, call: Callable[[], Any]) -> None:
        """Adds a call. It replaces a pending call of the same name."""
        with self._changed:
            self._pending[name] = call
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Waits until every call was attempted once more, or the time is over. Returns whether all have succeeded."""
        with self._changed:
            self._urgent = True
            begun = self._rounds_begun
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_empty() or self._rounds_ended > begun, timeout=seconds)
            return self._is_empty()

    def pending(self) -> list[str]:
        """The names of the calls that have not succeeded."""
        with self._changed:
            return list(self._running | self._pending)

    def close(self) -> None:
        """Stops the thread after the current call; the other calls are not made."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_empty(self) -> bool:
        return not self._pending and not self._running

    def _is_due(self) -> bool:
        return self._closed or (bool(self._pending) and (self._urgent or time.monotonic() >= self._not_before))

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._is_due():
                    left = self._not_before - time.monotonic()
                    self._changed.wait(left if self._pending and left > 0 else None)
                if self._closed:
                    return
                self._running, self._pending = self._pending, {}
                self._urgent = False
                self._rounds_begun += 1
            failed = {name: call for name, call in self._running.items() if not self._is_done(name, call)}
            with self._changed:
                self._running, self._pending = {}, failed | self._pending
                self._rounds_ended = self._rounds_begun
                self._not_before = time.monotonic() + self._pause_seconds if failed else 0.0
                self._changed.notify_all()

    def _is_done(self, name: str, call: Callable[[], Any]) -> bool:
        if self._closed:
            return False
        try:
            call()
        except Exception as error:  # any error of a client library, a network or a service
            return not self._on_error(name, error)
        return True
