"""Serving the studio on this machine."""

import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pianoroll_seq2seq.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

_LOOPBACK = "127.0.0.1"
_GRACE_SECONDS = 1


def run_studio(*, models: Sequence[str] = (), port: int = 8765, open_browser: bool = True, threads: int = 1) -> None:
    """Serves the studio on this machine, and on no other, until Ctrl-C.

    On its page one draws a primer or brings a MIDI file, and hears a model go on from it while it still writes. The
    address is written to standard error.

    Args:
        models: models to choose from besides the one that comes with the library: names, folders of runs, or
            checkpoints. The first is chosen when the page opens.
        port: where to listen on 127.0.0.1; 0 for any port that is free.
        open_browser: whether to open the page in the default browser.
        threads: how many threads PyTorch uses for one piece. One is quickest for most models, since a single frame is
            little work; more wait for one another.

    Raises:
        MissingExtraError: the extra ``studio`` is not installed.
        CheckpointNotFoundError, CheckpointError: a model that cannot be opened.
        SettingsError: a port that is taken, or none; or fewer than one thread.
    """
    import torch

    from pianoroll_seq2seq.studio.app import studio_app
    from pianoroll_seq2seq.trained import DEFAULT_MODEL, open_model

    if threads < 1:
        raise SettingsError(f"threads must be at least 1, got {threads}.")
    server = server_of(studio_app([open_model(name) for name in dict.fromkeys((*models, DEFAULT_MODEL))]))
    listener = listening(port)
    address = f"http://{_LOOPBACK}:{listener.getsockname()[1]}/"
    print(f"The studio is open at {address} (Ctrl-C closes it)", file=sys.stderr, flush=True)
    if open_browser:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # as uvicorn passes on the Ctrl-C that it has heeded
        print("The studio is closed.", file=sys.stderr)
    finally:
        torch.set_num_threads(threads_before)
        listener.close()


def server_of(app: "Starlette") -> "uvicorn.Server":
    """A server of the studio, which knows only what the studio needs.

    Raises:
        MissingExtraError: the extra ``studio`` is not installed.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtraError("uvicorn", "studio", "The studio") from error
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return uvicorn.Server(config)


def listening(port: int) -> socket.socket:
    """A socket on this machine that listens: what connects from now on is answered as soon as a server runs.

    Args:
        port: which; 0 for any that is free.

    Raises:
        SettingsError: it is taken, or no port.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_LOOPBACK, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise SettingsError(
            f"The studio cannot listen on port {port} of {_LOOPBACK} ({error}). Is it open already? Choose another "
            f"port, or 0 for any that is free."
        ) from error
    return listener
