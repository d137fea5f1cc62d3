"""A TCP proxy on loopback that fails like a network: it cuts connections, loses answers, or is busy."""

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

UNAVAILABLE = (
    b"HTTP/1.1 503 Server Busy\r\nx-ms-error-code: ServerBusy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


class CuttingProxy:
    """Forwards to a port of this machine until a test makes it fail.

    Attributes:
        sent_bytes: how much came from clients, headers too, whether or not it arrived.
        received_bytes: how much was passed back to them.
        connections: how many connections clients have opened.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.sent_bytes = self.received_bytes = self.connections = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._down = False
        self._left: int | None = None
        self._then: Callable[[], object] = lambda: None
        self._lost: re.Pattern[bytes] | None = None
        self._answer: bytes | None = None
        self._thread(self._accept)

    def cut_after(self, count: int, then: Callable[[], object] = lambda: None) -> None:
        """Forwards ``count`` more bytes, in both directions together, then goes down and calls ``then``."""
        with self._lock:
            self._down, self._left, self._then = False, count, then

    def up(self) -> None:
        """Forwards everything again."""
        with self._lock:
            self._down, self._left, self._answer = False, None, None

    def lose_answer(self, request: str) -> None:
        """Forwards the next request whose first line matches, and cuts the connection when the answer comes."""
        self._lost = re.compile(request.encode())

    def answer(self, answer: bytes) -> None:
        """Answers every request with these bytes, and forwards none."""
        self._answer = answer

    @property
    def is_down(self) -> bool:
        return self._down

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._reset(list(self._open))
        for thread in self._threads:
            thread.join(10)
        for left in self._open:
            left.close()

    def _thread(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._server.accept()
                self.connections += 1
                if self._down:
                    _reset(client)
                    client.close()
                elif self._answer is not None:
                    self._thread(self._say, client, self._answer)
                else:
                    self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        service = socket.create_connection(("127.0.0.1", self._target))
        with self._lock:
            self._open |= {client, service}
        doomed = threading.Event()  # the answer that comes next is lost
        self._thread(self._pump, client, service, doomed, True)
        self._thread(self._pump, service, client, doomed, False)

    def _pump(self, source: socket.socket, sink: socket.socket, doomed: threading.Event, from_client: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if from_client and self._lost and self._lost.match(data.split(b"\r\n", 1)[0]):
                    self._lost = None
                    doomed.set()
                if not from_client and doomed.is_set():
                    break
                allowed, is_last = self._count(len(data), from_client)
                sink.sendall(data[:allowed])
                if is_last:
                    self._reset(list(self._open))
                    self._then()
                    break
        self._reset([source, sink])

    def _count(self, length: int, from_client: bool) -> tuple[int, bool]:
        with self._lock:
            if from_client:
                self.sent_bytes += length
            else:
                self.received_bytes += length
            if self._left is None:
                return length, False
            allowed = min(length, self._left)
            self._left -= allowed
            is_last = self._left == 0 and not self._down
            self._down = self._left == 0
            return allowed, is_last

    def _reset(self, connections: list[socket.socket]) -> None:
        with self._lock:
            for connection in connections:
                _reset(connection)

    def _say(self, client: socket.socket, answer: bytes) -> None:
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            missing = (int(length[1]) if length else 0) - len(head.partition(b"\r\n\r\n")[2])
            while missing > 0 and (data := client.recv(65536)):
                missing -= len(data)
            client.sendall(answer)
            client.shutdown(socket.SHUT_WR)


def _reset(connection: socket.socket) -> None:
    """Wakes up threads that wait for the connection, and makes closing it a reset, like a cut, not an orderly end."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting_proxy(port: int) -> Iterator[CuttingProxy]:
    """A proxy in front of the service at a port, closed at the end."""
    proxy = CuttingProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
