"""SIGTERM, as an exception, so that what a context has to deliver is delivered on the way out."""

import signal
import threading

_EXIT_STATUS = 128 + signal.SIGTERM  # what a shell reports of a process that the signal ended


class Termination:
    """A context in which SIGTERM raises ``SystemExit(143)``, where it would have ended the process on the spot.

    A handler that somebody has set stays, and so does a signal that is ignored. Outside the main thread, where Python
    handles no signals, nothing is changed.
    """

    def __init__(self) -> None:
        """Changes nothing yet."""
        self._listening = False

    def __enter__(self) -> "Termination":
        """Listens."""
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _leave)
            self._listening = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Gives the signal back."""
        if self._listening:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._listening = False


def _leave(*_: object) -> None:
    raise SystemExit(_EXIT_STATUS)
