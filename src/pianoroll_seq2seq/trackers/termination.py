"""SIGTERM as an exception, so that contexts are closed properly."""

import signal
import threading

_EXIT_STATUS = 128 + signal.SIGTERM  # what a shell reports of a process that the signal ended


class Termination:
    """A context in which SIGTERM raises ``SystemExit(143)`` instead of ending the process at once.

    A handler of the program is kept, and an ignored signal stays ignored. Outside the main thread, in which Python
    handles signals, nothing changes.
    """

    def __init__(self) -> None:
        """Installs no handler yet."""
        self._installed = False

    def __enter__(self) -> "Termination":
        """Installs the handler."""
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _leave)
            self._installed = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Restores the handler from before."""
        if self._installed:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._installed = False


def _leave(*_: object) -> None:
    raise SystemExit(_EXIT_STATUS)
