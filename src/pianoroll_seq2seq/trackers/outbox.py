"""Calls to a service, made in the background and made again until they succeed."""

import threading
import time
from collections.abc import Callable
from typing import Any


class Outbox:
    """A thread that makes calls, so that nobody waits for a service; a call that fails is kept and made again.

    The thread never keeps a process alive: whoever cannot do without what is in here calls :meth:`deliver` first.

    Args:
        failed: told, in that thread, of each call that raised: its name and the exception. It returns whether to keep
            the call; one that will never succeed is better dropped.
        pause_seconds: how long to wait after a failure before the next try.
    """

    def __init__(self, failed: Callable[[str, Exception], bool], *, pause_seconds: float = 30.0) -> None:
        """Starts the thread."""
        self._failed = failed
        self._pause_seconds = pause_seconds
        self._changed = threading.Condition()
        self._pending: dict[str, Callable[[], Any]] = {}
        self._now: dict[str, Callable[[], Any]] = {}  # those of the round that is being made
        self._closed = self._urgent = False
        self._rounds_begun = self._rounds_ended = 0
        self._not_before = 0.0
        threading.Thread(target=self._work, name="outbox", daemon=True).start()

    def put(self, name: str, call: Callable[[], Any]) -> None:
        """Has a call made soon. It replaces one of the same name that was not made yet."""
        with self._changed:
            self._pending[name] = call
            self._changed.notify_all()

    def deliver(self, seconds: float) -> bool:
        """Waits until every call was made once more, at most for so long; returns whether all have succeeded."""
        with self._changed:
            self._urgent = True
            begun = self._rounds_begun
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_empty() or self._rounds_ended > begun, timeout=seconds)
            return self._is_empty()

    def waiting(self) -> list[str]:
        """The names of the calls that have not succeeded."""
        with self._changed:
            return list(self._now | self._pending)

    def close(self) -> None:
        """Ends the thread after the call that it is making; the others are not made."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_empty(self) -> bool:
        return not self._pending and not self._now

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
                self._now, self._pending = self._pending, {}
                self._urgent = False
                self._rounds_begun += 1
            kept = {name: call for name, call in self._now.items() if not self._is_done(name, call)}
            with self._changed:
                self._now, self._pending = {}, kept | self._pending
                self._rounds_ended = self._rounds_begun
                self._not_before = time.monotonic() + self._pause_seconds if kept else 0.0
                self._changed.notify_all()

    def _is_done(self, name: str, call: Callable[[], Any]) -> bool:
        if self._closed:
            return False
        try:
            call()
        except Exception as error:  # whatever a client library, a network or a service comes up with
            return not self._failed(name, error)
        return True
