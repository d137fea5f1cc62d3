"""Large files over a connection that is cut again and again."""

import hashlib
import random
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from azurite import ACCOUNT, KEY, Azurite
from stores.cutting_proxy import CuttingProxy, cutting_proxy

from pianoroll_seq2seq.errors import StoreError
from pianoroll_seq2seq.stores.azure_blob import AzureBlobStore

BLOCK = 1 << 20
QUICK, THOROUGH = (20_000_000, 5), (100_000_000, 20)
"""The size of a file in bytes, and the number of cuts."""


@pytest.fixture(params=[QUICK, pytest.param(THOROUGH, marks=pytest.mark.slow)], ids=["quick", "thorough"])
def sized(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, int]:
    """A large file, and the number of cuts."""
    size, cuts = request.param
    path = tmp_path / "large" / "shard.bin"
    path.parent.mkdir()
    path.write_bytes(np.random.default_rng(7).bytes(size))
    return path, cuts


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[CuttingProxy]:
    with cutting_proxy(azurite.port) as proxy:
        yield proxy


@pytest.fixture
def container(azurite: Azurite) -> Iterator[str]:
    """A container that is emptied at the end, because the emulator keeps it in memory."""
    name = azurite.new_container()
    with AzureBlobStore(name, **azurite.arguments()) as store:
        store.create_container()
        yield name
        for stored in store.list():
            store.delete(stored.key)


@pytest.fixture
def open_store(azurite: Azurite, proxy: CuttingProxy, container: str) -> Callable[[], AzureBlobStore]:
    """Opens a new store behind the proxy, whose client does not retry failed requests."""
    return lambda: AzureBlobStore(container, **azurite.arguments(proxy.port), block_bytes=BLOCK, retries=0)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cut_again_and_again(
    proxy: CuttingProxy, transfer: Callable[[], None], sized: tuple[Path, int], *, seed: int
) -> None:
    """Repeats a transfer, which is cut each time after at most the size of the file divided by the number of cuts."""
    chance = random.Random(seed)
    path, cuts = sized
    for _ in range(cuts):
        proxy.cut_after(chance.randrange(1, path.stat().st_size // cuts))
        with pytest.raises(StoreError, match=r"shard\.bin"):
            transfer()
        assert proxy.is_down
    proxy.up()
    transfer()


def test_an_upload_that_is_cut_again_and_again(
    proxy: CuttingProxy, open_store: Callable[[], AzureBlobStore], sized: tuple[Path, int]
) -> None:
    """A long upload starts again with every cut, and never ends."""
    large_file, _ = sized
    size = large_file.stat().st_size

    def transfer() -> None:
        with open_store() as store:
            store.put("shard.bin", large_file)

    cut_again_and_again(proxy, transfer, sized, seed=1)
    assert proxy.sent_bytes < 1.5 * size
    with open_store() as store:
        found = store.find("shard.bin")
        assert found is not None
        assert (found.size, found.sha256) == (size, sha256(large_file))
        assert hashlib.sha256(store.get("shard.bin")).hexdigest() == found.sha256
    print(f"sent {proxy.sent_bytes / size:.3f} times the file")  # seen with pytest -rP


def test_a_download_that_is_cut_again_and_again(
    proxy: CuttingProxy,
    open_store: Callable[[], AzureBlobStore],
    sized: tuple[Path, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A long download starts again with every cut, and never ends."""
    large_file, _ = sized
    size = large_file.stat().st_size
    # The client would wait a second before it requests a range again; here the connection stays cut.
    monkeypatch.setattr("azure.storage.blob._download.time", types.SimpleNamespace(sleep=lambda seconds: None))
    with open_store() as store:
        store.put("shard.bin", large_file)

    def transfer() -> None:
        assert not (tmp_path / "copy").exists()
        with open_store() as store:
            store.download("shard.bin", tmp_path / "copy")

    proxy.received_bytes = 0
    cut_again_and_again(proxy, transfer, sized, seed=2)
    assert proxy.received_bytes < 1.5 * size
    assert sha256(tmp_path / "copy") == sha256(large_file)
    assert {path.name for path in tmp_path.iterdir()} == {"copy", "large"}
    print(f"received {proxy.received_bytes / size:.3f} times the file")


@pytest.mark.parametrize("direction", ["put", "download"])
def test_the_transfer_of_a_killed_process_is_resumed(
    azurite: Azurite, proxy: CuttingProxy, container: str, tmp_path: Path, direction: str
) -> None:
    """A job that is killed during a transfer starts it again from the beginning."""
    size, copy = 12 * BLOCK, tmp_path / "copy"
    source = tmp_path / "source"
    source.write_bytes(np.random.default_rng(5).bytes(size))
    if direction == "download":
        with AzureBlobStore(container, **azurite.arguments()) as store:
            store.put("shard.bin", source)
    script = """
        import sys
        from pianoroll_seq2seq.stores.azure_blob import AzureBlobStore
        direction, container, name, key, url, source, copy = sys.argv[1:]
        access = {"account_name": name, "account_key": key, "account_url": url}
        with AzureBlobStore(container, **access, block_bytes=1 << 20) as store:
            if direction == "put":
                store.put("shard.bin", source)
            else:
                store.download("shard.bin", copy)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), direction, container, ACCOUNT, KEY]
    arguments = [azurite.url_at(proxy.port), str(source), str(copy)]
    running = subprocess.Popen([*command, *arguments])
    proxy.cut_after(8 * BLOCK, then=running.kill)
    running.wait(60)
    assert not copy.exists()
    proxy.up()
    before = proxy.sent_bytes + proxy.received_bytes
    subprocess.run([*command, *arguments], check=True, timeout=60)
    assert proxy.sent_bytes + proxy.received_bytes - before < 7 * BLOCK
    with AzureBlobStore(container, **azurite.arguments()) as store:
        found = store.find("shard.bin")
        assert found is not None
        assert found.sha256 == sha256(source if direction == "put" else copy)


@pytest.mark.parametrize("size", [BLOCK // 2, 3 * BLOCK])
def test_a_lost_answer_is_not_a_conflict(
    azurite: Azurite, proxy: CuttingProxy, container: str, size: int, no_waiting: list[float]
) -> None:
    """The object is stored, the answer is lost, and the repeated request fails because the object exists."""
    with AzureBlobStore(container, **azurite.arguments(proxy.port), block_bytes=BLOCK) as store:
        data = np.random.default_rng(3).bytes(size)
        proxy.lose_answer("PUT [^ ]*(comp=blocklist|/weights) ")
        stored = store.put("weights", data)
        assert store.find("weights") == stored
        assert len(no_waiting) == 1
        proxy.lose_answer("PUT [^ ]*(comp=blocklist|/weights) ")
        again = store.put("weights", data, etag=stored.etag)
        assert store.find("weights") == again
        assert len(no_waiting) == 2
