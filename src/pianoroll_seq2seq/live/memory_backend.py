"""A backend of mido without devices: what is sent is kept in memory, and messages are played by a call.

mido takes it from the environment variable ``MIDO_BACKEND``, or by name, for programs that are tested without MIDI
devices::

    os.environ["MIDO_BACKEND"] = "pianoroll_seq2seq.live.memory_backend"
    memory_backend.MEMORY.play(mido.Message("note_on", note=60))
    memory_backend.MEMORY.sent
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import mido
from mido.ports import BaseInput, BaseOutput

NAME = __name__
"""The name of the backend for mido."""


class Memory:
    """The ports of a process, and what was sent to them.

    Attributes:
        inputs: names of the ports to read from, beside virtual ones.
        outputs: names of the ports to write to.
        has_virtual: whether virtual ports can be opened.
        failure: why nothing can be opened or sent; empty if it can.
        sent: the messages that were sent, with their times by ``time.perf_counter()``.
        is_open: set while an input is open.
    """

    def __init__(self) -> None:
        """Has no ports but virtual ones."""
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self.has_virtual: bool = True
        self.failure: str = ""
        self.sent: list[tuple[float, mido.Message]] = []
        self.is_open: threading.Event = threading.Event()
        self._callbacks: list[tuple[object, Callable[[mido.Message], None]]] = []

    def clear(self) -> None:
        """Forgets all ports and messages."""
        self.__init__()  # type: ignore[misc]

    def play(self, message: mido.Message) -> float:
        """A message of the player, for all open inputs; returns the time before it."""
        seconds = time.perf_counter()
        for _, callback in list(self._callbacks):
            callback(message)
        return seconds

    def check(self, name: str, names: Sequence[str], *, virtual: bool) -> None:
        """Whether a port can be opened.

        Raises:
            OSError: it cannot.
        """
        if self.failure:
            raise OSError(self.failure)
        if virtual and not self.has_virtual:
            raise OSError("virtual ports are not supported")
        if not virtual and name not in names:
            raise OSError(f"unknown port {name!r}")

    def listen(self, port: object, callback: Callable[[mido.Message], None]) -> None:
        """An input was opened."""
        self._callbacks.append((port, callback))
        self.is_open.set()

    def leave(self, port: object) -> None:
        """An input was closed."""
        self._callbacks = [pair for pair in self._callbacks if pair[0] is not port]
        if not self._callbacks:
            self.is_open.clear()


MEMORY = Memory()
"""The ports of this process."""


def get_devices(**_: Any) -> list[dict[str, Any]]:
    """The ports, as mido asks for them."""
    if MEMORY.failure:
        raise OSError(MEMORY.failure)
    names = dict.fromkeys([*MEMORY.inputs, *MEMORY.outputs])
    return [{"name": name, "is_input": name in MEMORY.inputs, "is_output": name in MEMORY.outputs} for name in names]


class _Input(BaseInput):  # type: ignore[misc]
    """An input port of mido."""

    def _open(self, virtual: bool = False, callback: Any = None, **_: Any) -> None:
        MEMORY.check(self.name, MEMORY.inputs, virtual=virtual)
        MEMORY.listen(self, callback)

    def _close(self) -> None:
        MEMORY.leave(self)


class _Output(BaseOutput):  # type: ignore[misc]
    """An output port of mido."""

    def _open(self, virtual: bool = False, **_: Any) -> None:
        MEMORY.check(self.name, MEMORY.outputs, virtual=virtual)

    def _send(self, message: mido.Message) -> None:
        if MEMORY.failure:
            raise OSError(MEMORY.failure)
        MEMORY.sent.append((time.perf_counter(), message))


Input: Callable[..., Any] = _Input
"""Opens an input port. mido has no types."""
Output: Callable[..., Any] = _Output
"""Opens an output port."""
