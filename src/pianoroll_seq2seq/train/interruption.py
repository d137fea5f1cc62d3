"""Ctrl-C and SIGTERM during training."""

import signal
import threading
from types import FrameType
from typing import Any, NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_EXIT_STATUS = 128  # plus the signal's number: what a shell reports of a process that a signal ended


class Interrupted(Exception):  # noqa: N818 (not an error)
    """A signal came, and training has stopped between two steps."""

    def __init__(self, number: int) -> None:
        """Keeps the signal's number."""
        super().__init__(number)
        self.number = number


class Interruption:
    """A context that only notes the first Ctrl-C or SIGTERM, so that a step is finished and a run is saved.

    A second signal has its usual effect. Signals that are ignored (as in a background job) stay ignored. Outside the
    main thread, in which Python handles signals, nothing changes.
    """

    def __init__(self) -> None:
        """Installs no handler yet."""
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        """Installs the handlers."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                before = signal.getsignal(number)
                if before is not signal.SIG_IGN and before is not None:  # None: a handler that is not Python's
                    self._before[number] = before
                    signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Restores the handlers from before."""
        for number, before in self._before.items():
            signal.signal(number, before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        signal.signal(number, self._before[number])

    def reraise(self, number: int, message: str) -> NoReturn:
        """Does what the signal would have done without this context.

        SIGTERM raises ``SystemExit``, so that trackers and files are closed.

        Raises:
            KeyboardInterrupt: for Ctrl-C.
            SystemExit: for SIGTERM.
        """
        before = self._before.get(number)
        if callable(before) and before is not signal.default_int_handler:
            before(number, None)
        if number == signal.SIGINT:
            raise KeyboardInterrupt(message)
        raise SystemExit(_EXIT_STATUS + number)
