"""Ctrl-C and SIGTERM, heeded between two steps."""

import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_EXIT_STATUS = 128  # and the signal's number: what a shell reports of a process that a signal ended


class Interruption:
    """A context in which the first Ctrl-C or SIGTERM is only noted, so that a step is finished and a run is saved.

    The second does what it did before. Signals that are ignored (as those of a background job are) stay so, and
    outside the main thread, where Python handles none, nothing is changed.
    """

    def __init__(self) -> None:
        """Nothing is noted yet."""
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        """Listens."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                before = signal.getsignal(number)
                if before is not signal.SIG_IGN and before is not None:  # None: a handler that is not Python's
                    self._before[number] = before
                    signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Gives the signals back."""
        for number, before in self._before.items():
            signal.signal(number, before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        signal.signal(number, self._before[number])

    def leave(self, number: int, message: str) -> None:
        """Does what the signal would have done at once: KeyboardInterrupt, or the way out of the program.

        SIGTERM leaves by ``SystemExit``, so that trackers and files are closed on the way.
        """
        before = self._before.get(number)
        if callable(before) and before is not signal.default_int_handler:
            before(number, None)
        if number == signal.SIGINT:
            raise KeyboardInterrupt(message)
        raise SystemExit(_EXIT_STATUS + number)
