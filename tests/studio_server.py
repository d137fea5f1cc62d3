"""A studio on a free port of this machine, with the server of ``run_studio``."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.studio.access import AccessToken
from pianoroll_seq2seq.studio.app import Studio, studio_app
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.server import listen, make_server


@dataclass(frozen=True)
class Served:
    """A running studio, its address and its server."""

    address: str
    studio: Studio
    server: uvicorn.Server

    def idle(self, seconds: float = 5) -> bool:
        """Waits until no job runs; returns whether that happened in time."""
        return waited(lambda: not self.studio.sessions.num_jobs, seconds)


def waited(condition: Callable[[], bool], seconds: float = 5) -> bool:
    """Waits for a condition; returns whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@contextmanager
def served(
    models: Sequence[TrainedModel], limits: StudioLimits = StudioLimits(), *, token: AccessToken | None = None
) -> Iterator[Served]:
    """Serves a studio in a thread."""
    app = studio_app(models, limits=limits, token=token)
    with serve(app) as (address, server):
        yield Served(address, app.state.studio, server)


@contextmanager
def serve(app: ASGIApp) -> Iterator[tuple[str, uvicorn.Server]]:
    """Serves an application in a thread with the studio's server: its address, and the server."""
    listener = listen(0)
    server = make_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert waited(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", server
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
        assert not thread.is_alive()
