"""Azurite, Microsoft's emulator of Blob storage, on loopback: ``npm install --prefix .nox/azurite azurite@3.35.0``."""

import base64
import importlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

ACCOUNT = "pianorolls"
KEY = base64.b64encode(b"the key of the emulator's account, as long as Azure's keys are..").decode()
OTHER_KEY = base64.b64encode(b"the key of another account, or one that was rotated since then..").decode()
_START_SECONDS = 60
_OPTIONS = ["--inMemoryPersistence", "--extentMemoryLimit", "1024", "--silent", "--disableTelemetry"]


@dataclass(frozen=True)
class Azurite:
    """A running emulator, empty at first."""

    port: int
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def url(self) -> str:
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        """Of the account, behind a proxy at that port."""
        return f"http://127.0.0.1:{port}/{ACCOUNT}"

    def new_container(self) -> str:
        """A name that no test has used; whoever needs the container makes it."""
        return f"container-{next(self._numbers)}"

    def arguments(self, port: int | None = None) -> dict[str, Any]:
        """For AzureBlobStore."""
        return {"account_name": ACCOUNT, "account_key": KEY, "account_url": self.url_at(port or self.port)}

    def container_client(self, container: str) -> Any:
        """Azure's own client, to see and do what the store does not."""
        from azure.storage.blob import ContainerClient

        return ContainerClient(self.url, container, credential={"account_name": ACCOUNT, "account_key": KEY})


def missing(what: str, fix: str) -> NoReturn:
    """Skips the test; where CI is set, nothing may be skipped, so it fails."""
    reason = f"{what} is not installed: {fix}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def need_azure() -> None:
    """Skips or fails the test where the client is missing."""
    for module in ("azure.storage.blob", "azure.identity"):
        try:
            importlib.import_module(module)
        except ImportError:
            missing(module, "pip install 'pianoroll-seq2seq[azure]'")


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """The emulator, for the whole session."""
    need_azure()
    with running_azurite() as emulator:
        yield emulator


@contextmanager
def running_azurite() -> Iterator[Azurite]:
    """Starts the emulator and stops it in the end; it leaves no file."""
    default = Path(__file__).resolve().parents[1] / ".nox" / "azurite"
    folder = Path(os.environ.get("PIANOROLL_SEQ2SEQ_AZURITE") or default)
    main = folder / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    node = shutil.which("node")
    if node is None or not main.is_file():
        missing("Azurite (or Node.js)", f"npm install --prefix {default} azurite@3.35.0")
    with tempfile.TemporaryDirectory() as place:
        port, process = _started(node, main, Path(place))
        try:
            yield Azurite(port)
        finally:
            process.kill()
            process.wait()


def _started(node: str, main: Path, place: Path) -> tuple[int, "subprocess.Popen[bytes]"]:
    """A port that is free may be taken by another before the emulator takes it: then it ends, and the next is tried."""
    for attempt in range(5):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log = place / f"{attempt}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [node, main, "--blobHost", "127.0.0.1", "--blobPort", str(port), *_OPTIONS, "--skipApiVersionCheck"],
                cwd=place,
                env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        end = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < end:
            if b"successfully listens on" in log.read_bytes():
                return port, process
            time.sleep(0.05)
        process.kill()
        process.wait()
    pytest.fail(f"Azurite did not start: {log.read_text(errors='replace')[-2000:]}")
