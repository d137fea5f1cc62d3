"""A studio that listens on a free port of this machine, as ``run_studio`` has it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from pianoroll_seq2seq.studio.app import Studio, studio_app
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.run import listening, server_of
from pianoroll_seq2seq.trained import TrainedModel


@dataclass(frozen=True)
class Served:
    """A studio, where it listens, and what it does inside."""

    address: str
    studio: Studio
    server: uvicorn.Server

    def idle(self, seconds: float = 5) -> bool:
        """Whether it comes to write nothing within some time."""
        return waited(lambda: not self.studio.desk.busy, seconds)


def waited(reached: Callable[[], bool], seconds: float = 5) -> bool:
    """Whether a condition comes to hold within some time."""
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@contextmanager
def served(models: Sequence[TrainedModel], limits: StudioLimits = StudioLimits()) -> Iterator[Served]:
    """A studio of some models, in a thread of its own."""
    app = studio_app(models, limits=limits)
    listener = listening(0)
    server = server_of(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert waited(lambda: server.started)
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", app.state.studio, server)
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
        assert not thread.is_alive()
