"""The studio started from a terminal."""

import builtins
import signal
import socket
import subprocess
import sys
from typing import Any

import httpx
import pytest

from pianoroll_seq2seq.errors import CheckpointNotFoundError, MissingExtraError, SettingsError
from pianoroll_seq2seq.pretrained import open_model, pretrained_names
from pianoroll_seq2seq.pretrained.opening import DEFAULT_MODEL
from pianoroll_seq2seq.studio import run_studio
from pianoroll_seq2seq.studio.server import listen, make_server


def test_it_opens_on_this_machine_alone_and_ends_with_ctrl_c() -> None:
    """Other machines can reach it, or Ctrl-C ends in a traceback or waits until a piece is complete."""
    command = "from pianoroll_seq2seq.studio import run_studio; run_studio(port=0, open_browser=False)"
    with subprocess.Popen([sys.executable, "-c", command], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            assert "Ctrl-C closes it" in line
            address = line.split(" at ")[1].split()[0]
            assert address.startswith("http://127.0.0.1:")
            assert httpx.get(address.partition("?")[0], trust_env=False).status_code == 403
            client = httpx.Client(trust_env=False, follow_redirects=True)
            page = client.get(address).raise_for_status()
            named = [page.text.index(f'"{name}"') for name in dict.fromkeys((DEFAULT_MODEL, *pretrained_names()))]
            assert named == sorted(named)  # the default model first, as in every command
            request: dict[str, Any] = {
                "model": DEFAULT_MODEL,
                "piece": {
                    "beats_per_minute": 300,
                    "beats_per_bar": 4,
                    "beats": 4,
                    "parts": [{"name": part.name} for part in open_model().parts],
                    "notes": [{"part": 0, "pitch": 72, "start": 0, "length": 4}],
                },
                "task": "continue",
                "beats": 450,
            }
            sent = {"json": request, "headers": {"X-Studio-Page": "page-of-the-test"}}
            with client.stream("POST", f"{page.url}fill", **sent) as answer:
                assert "begin" in next(answer.iter_lines())
                process.send_signal(signal.SIGINT)
                _, output = process.communicate(timeout=15)
        finally:
            process.kill()
    assert process.returncode == 0
    assert output.strip() == "The studio is closed."


def test_a_port_in_use_or_invalid_is_an_error() -> None:
    """A second studio ends in a traceback, or listens on another port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port} of 127.0.0.1"):
            run_studio(port=port, open_browser=False)
    with pytest.raises(SettingsError, match="70000"):
        run_studio(port=70_000, open_browser=False)
    with pytest.raises(SettingsError, match="threads"):
        run_studio(threads=0, open_browser=False)


def test_a_missing_model_is_an_error_before_the_page_opens() -> None:
    with pytest.raises(CheckpointNotFoundError, match="no/such/run"):
        run_studio(models=["no/such/run"], port=0, open_browser=False)


def test_it_listens_on_loopback() -> None:
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error does not name the extra to install."""
    real = builtins.__import__

    def without_uvicorn(name: str, *others: Any, **more: Any) -> Any:
        if name == "uvicorn":
            raise ImportError(name)
        return real(name, *others, **more)

    monkeypatch.setattr(builtins, "__import__", without_uvicorn)
    with pytest.raises(MissingExtraError, match=r"pianoroll-seq2seq\[studio\]"):
        make_server(object())  # type: ignore[arg-type]
