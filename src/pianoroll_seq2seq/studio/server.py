"""The studio's server, which listens on this machine only."""

import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pianoroll_seq2seq.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

_LOOPBACK = "127.0.0.1"
_SHUTDOWN_SECONDS = 10
"""Longest wait for what models and files are being computed; connections end sooner."""


def run_studio(
    *, models: Sequence[str] = (), port: int = 8765, open_browser: bool = True, threads: int = 1, token: bool = True
) -> None:
    """Serves the studio on this machine only, until Ctrl-C.

    On its page you draw notes or open a file, and listen to what a model adds while it still writes. The address is
    printed to standard error. It has a token, so that other users of the machine cannot open the page.

    Args:
        models: models to offer beside those that come with the library: names, folders of runs, or checkpoints. The
            first one is selected when the page opens; ``bach-chorales`` by default.
        port: the port on 127.0.0.1; 0 for any free port.
        open_browser: whether to open the page in the default browser.
        threads: PyTorch's threads for one piece. One is fastest for most models, since a single frame is little work.
        token: whether the address has a token; without one every user of this machine can use the studio.

    Raises:
        MissingExtraError: the extra ``studio`` is not installed.
        CheckpointNotFoundError, CheckpointError: a model that cannot be opened.
        SettingsError: a port that is in use or invalid, or fewer than one thread.
    """
    import torch

    from pianoroll_seq2seq.pretrained.opening import DEFAULT_MODEL, open_model
    from pianoroll_seq2seq.pretrained.shipped import pretrained_names
    from pianoroll_seq2seq.studio.access import AccessToken
    from pianoroll_seq2seq.studio.app import studio_app

    if threads < 1:
        raise SettingsError(f"threads must be at least 1, got {threads}.")
    access = AccessToken() if token else None
    opened = [open_model(name) for name in dict.fromkeys((*models, DEFAULT_MODEL, *pretrained_names()))]
    server = make_server(studio_app(opened, token=access))
    listener = listen(port)
    page = f"http://{_LOOPBACK}:{listener.getsockname()[1]}/"
    address = page if access is None else f"{page}?token={access.text}"
    print(f"The studio is open at {address} (Ctrl-C closes it)", file=sys.stderr, flush=True)
    if open_browser:
        address = page if access is None else f"{page}?token={access.ticket()}"
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn handles Ctrl-C and raises it again
        print("The studio is closed.", file=sys.stderr)
    finally:
        torch.set_num_threads(threads_before)
        listener.close()


def make_server(app: "ASGIApp") -> "uvicorn.Server":
    """A uvicorn server with only the features that the studio needs.

    Raises:
        MissingExtraError: the extra ``studio`` is not installed.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtraError("uvicorn", "studio", "The studio") from error
    from pianoroll_seq2seq.studio.connections import TimedConnection

    config = uvicorn.Config(
        app,
        http=TimedConnection,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    return uvicorn.Server(config)


def listen(port: int) -> socket.socket:
    """A listening socket on this machine.

    Args:
        port: the port; 0 for any free port.

    Raises:
        SettingsError: the port is in use, or invalid.
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
            f"port, or 0 for any free port."
        ) from error
    return listener
