"""The contract of all stores."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from azurite import Azurite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pianoroll_seq2seq.errors import (
    NotStoredError,
    OverwriteError,
    SettingsError,
    StoreConflictError,
    StoreError,
)
from pianoroll_seq2seq.stores.azure_blob import AzureBlobStore
from pianoroll_seq2seq.stores.base import Store
from pianoroll_seq2seq.stores.local import LocalStore

KEYS = [
    "note.txt",
    "runs/7/last.safetensors",
    "Präludium in C/♪ 1.mid",
    "a b/50% off?#&+=;~'!.mid",
    "x" * 200,
    ".hidden/.file",
    "日本/歌",
    "a/trailing.name",
]
SIZES = [0, 1, 1023, 1024, 1025, 4096, 10_000]


@pytest.fixture(params=["local", "azure", "azure in blocks", "azure below a prefix"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store. Its block size makes the tests cover both kinds of upload."""
    if request.param == "local":
        yield LocalStore(tmp_path / "store")
        return
    azurite: Azurite = request.getfixturevalue("azurite")
    block_bytes = 1024 if request.param == "azure in blocks" else 4096
    with AzureBlobStore(azurite.new_container(), **azurite.arguments(), block_bytes=block_bytes) as azure:
        azure.create_container()
        yield azure.with_prefix("below/a prefix") if "prefix" in request.param else azure


def some_bytes(size: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def test_is_a_store_at_run_time(store: Store) -> None:
    assert isinstance(store, Store)


@pytest.mark.parametrize("key", KEYS)
def test_an_object_can_be_read_back(store: Store, key: str, tmp_path: Path) -> None:
    """Names in other scripts, with spaces, or with special characters of addresses are mixed up."""
    data = some_bytes(100)
    stored = store.put(key, data)
    assert (stored.key, stored.size, stored.sha256) == (key, 100, hashlib.sha256(data).hexdigest())
    assert store.get(key) == data
    assert store.find(key) == stored
    assert list(store.list()) == [stored]
    assert store.download(key, tmp_path / "copies" / "copy") == stored
    assert (tmp_path / "copies" / "copy").read_bytes() == data
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["copy"]
    store.delete(key)
    assert store.find(key) is None


@pytest.mark.parametrize("size", SIZES)
def test_bytes_and_files_of_all_sizes(store: Store, size: int, tmp_path: Path) -> None:
    """Empty files, and those that exactly fill a block, lose or gain a byte."""
    data = some_bytes(size)
    (tmp_path / "source").write_bytes(data)
    first = store.put("bytes", data)
    second = store.put("file", tmp_path / "source")
    third = store.put("file by name", str(tmp_path / "source"), progress=True)
    assert first.sha256 == second.sha256 == third.sha256
    for key in ("bytes", "file", "file by name"):
        assert store.get(key) == data
        store.download(key, str(tmp_path / key), progress=True)
        assert (tmp_path / key).read_bytes() == data


def test_nothing_is_overwritten_by_default(store: Store) -> None:
    """A second run with the same name overwrites the weights of the first."""
    first = store.put("weights", b"first")
    with pytest.raises(OverwriteError, match="weights"):
        store.put("weights", b"second")
    assert store.get("weights") == b"first"
    second = store.put("weights", b"second", overwrite=True)
    assert store.get("weights") == b"second"
    assert second.etag != first.etag


def test_only_the_expected_version_is_replaced(store: Store) -> None:
    """Two machines write the same key in turn, and one overwrites a version that it has not read."""
    first = store.put("weights", b"1" * 2000)
    second = store.put("weights", b"2" * 2000, etag=first.etag)
    for overwrite in (False, True):
        with pytest.raises(StoreConflictError, match="weights"):
            store.put("weights", b"3" * 2000, etag=first.etag, overwrite=overwrite)
    assert store.get("weights") == b"2" * 2000
    listed = next(iter(store.list()))
    assert listed == second
    store.put("weights", b"4", etag=listed.etag)
    store.delete("weights")
    with pytest.raises(StoreConflictError, match="weights"):
        store.put("weights", b"5" * 2000, etag=listed.etag)
    assert store.find("weights") is None


def test_an_etag_is_never_reused(store: Store) -> None:
    """A writer that has read the first version replaces the third, because both have the same etag."""
    etags = [store.put("weights", b"same", overwrite=True).etag for _ in range(30)]
    assert len(set(etags)) == 30


def test_missing_objects(store: Store, tmp_path: Path) -> None:
    """A missing object looks like a network error."""
    assert store.find("nothing/there") is None
    store.delete("nothing/there")
    with pytest.raises(NotStoredError, match="nothing/there"):
        store.get("nothing/there")
    with pytest.raises(FileNotFoundError):
        store.download("nothing/there", tmp_path / "copies" / "copy")
    assert list(store.list()) == []
    with pytest.raises(FileNotFoundError):
        store.put("key", tmp_path / "no such file")
    assert store.find("key") is None


def test_an_empty_folder_does_not_matter(store: Store) -> None:
    """A key cannot be used because a deleted object below it has left a folder."""
    store.put("run/7/x", b"1")
    store.put("run/8/y", b"1")
    for key in ("run/7/x", "run/8/y"):
        store.delete(key)
    assert list(store.list()) == []
    store.put("run", b"2")
    assert store.get("run") == b"2"


def test_a_download_overwrites_only_if_overwrite(store: Store, tmp_path: Path) -> None:
    """The weights of another run on this machine are overwritten."""
    store.put("key", b"theirs")
    copy = tmp_path / "copy"
    copy.write_bytes(b"mine")
    with pytest.raises(OverwriteError, match="copy"):
        store.download("key", copy)
    assert copy.read_bytes() == b"mine"
    store.download("key", copy, overwrite=True)
    assert copy.read_bytes() == b"theirs"


def test_list_is_sorted_and_by_prefix(store: Store) -> None:
    """Files of a folder are missed, or files of another with the same first letters are included."""
    keys = ["a", "b/1", "b/2/x", "b/2/y", "b-c", "b.c", "c d/é", "z"]
    for key in reversed(keys):
        store.put(key, key.encode())
    assert [stored.key for stored in store.list()] == sorted(keys)
    assert [stored.key for stored in store.list("b/")] == ["b/1", "b/2/x", "b/2/y"]
    assert [stored.key for stored in store.list("b/2/")] == ["b/2/x", "b/2/y"]
    assert [stored.key for stored in store.list("b")] == ["b-c", "b.c", "b/1", "b/2/x", "b/2/y"]
    assert list(store.list("none")) == []
    for stored in store.list():
        assert stored == store.find(stored.key)


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", ".", "..", "a./b", "../a", "a/../../b", "a/./b", "a\\b", "a\nb", "a\0"]
)
def test_invalid_keys(store: Store, key: str, tmp_path: Path) -> None:
    """A key leads out of the store, to other files."""
    calls: list[Callable[[], object]] = [
        lambda: store.put(key, b""),
        lambda: store.get(key),
        lambda: store.find(key),
        lambda: store.delete(key),
        lambda: store.download(key, tmp_path / "copy"),
    ]
    for call in calls:
        with pytest.raises(SettingsError, match="key"):
            call()


def test_a_large_file_that_changes_meanwhile_is_not_stored(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Halves of two versions become one object."""
    path = tmp_path / "growing"
    path.write_bytes(some_bytes(5000))
    real, size = hashlib.sha256, path.stat().st_size

    def write_to_it_then(data: bytes = b"") -> object:
        if path.stat().st_size == size:
            with path.open("ab") as file:
                file.write(b"more")
        return real(data)

    monkeypatch.setattr(hashlib, "sha256", write_to_it_then)
    with pytest.raises(StoreError, match="was written to while"):
        store.put("growing", path)
    monkeypatch.undo()
    assert store.find("growing") is None
    store.put("growing", path)


@pytest.mark.parametrize("size", [100, 8000])
def test_one_of_many_writers_wins(store: Store, size: int) -> None:
    """Two writers report that theirs is stored, or the stored object is that of neither."""
    writers = 6
    etag: str | None = None
    refusals: set[type[Exception]] = set()
    for round_ in range(3):
        barrier = threading.Barrier(writers)

        def write(
            number: int, etag: str | None = etag, round_: int = round_, barrier: threading.Barrier = barrier
        ) -> int:
            data = some_bytes(size, seed=round_ * 100 + number)
            barrier.wait()
            try:
                store.put("wanted", data, etag=etag)
            except (OverwriteError, StoreConflictError) as error:
                refusals.add(type(error))
                return 0
            return 1

        with ThreadPoolExecutor(writers) as pool:
            won = list(pool.map(write, range(writers)))
        assert sum(won) == 1
        assert refusals == {StoreConflictError if etag else OverwriteError}
        refusals.clear()
        assert store.get("wanted") == some_bytes(size, seed=round_ * 100 + won.index(1))
        found = store.find("wanted")
        assert found is not None
        etag = found.etag


def test_concurrent_overwrites_leave_one_complete_object(store: Store) -> None:
    """Blocks of several writers are mixed up into one object."""
    contents = [some_bytes(8000, seed) for seed in range(4)]

    def write(data: bytes) -> bool:
        try:
            store.put("wanted", data, overwrite=True)
        except StoreConflictError:  # each undid what the others had begun
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert any(pool.map(write, contents * 3))
    assert store.get("wanted") in contents


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    key=st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), min_size=1, max_size=3).map("/".join),
    data=st.binary(max_size=5000),
)
def test_any_key_is_stored_or_refused(store: Store, key: str, data: bytes) -> None:
    """A key passes the check and then fails in the service, or comes back as another."""
    try:
        store.put(key, data, overwrite=True)
    except SettingsError:
        return
    assert store.get(key) == data
    assert [stored.key for stored in store.list(key) if stored.key == key] == [key]
    store.delete(key)
