"""Folders to and from a store."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from azurite import Azurite

from pianoroll_seq2seq.errors import OverwriteError, SettingsError, StoreConflictError
from pianoroll_seq2seq.stores.azure_blob import AzureBlobStore
from pianoroll_seq2seq.stores.base import Source, Store, StoredObject
from pianoroll_seq2seq.stores.local import LocalStore
from pianoroll_seq2seq.stores.sync import Synced, pull_folder, push_folder

FILES = {"manifest.json": 100, "shards/00.bin": 300_000, "shards/01.bin": 250_000, "ü/♪ 1.txt": 5, "empty": 0}


@pytest.fixture(params=["local", "azure"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "local":
        yield LocalStore(tmp_path / "store")
        return
    azurite: Azurite = request.getfixturevalue("azurite")
    with AzureBlobStore(azurite.new_container(), **azurite.arguments(), block_bytes=1 << 17) as azure:
        azure.create_container()
        yield azure


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chance = np.random.default_rng(0)
    for name, size in FILES.items():
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.bytes(size))
    return tmp_path / "corpus"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Watched:
    """A store that records its calls, and into which another writer can put objects."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.transfers: list[str] = []
        self.before_put: Callable[[str], object] = lambda key: None
        self.forget_checksums = False
        self.injected: list[StoredObject] = []

    def put(
        self, key: str, source: Source, *, overwrite: bool = False, etag: str | None = None, progress: bool = False
    ) -> StoredObject:
        self.transfers.append(key)
        self.before_put(key)
        return self.store.put(key, source, overwrite=overwrite, etag=etag, progress=progress)

    def get(self, key: str) -> bytes:
        self.transfers.append(key)
        return self.store.get(key)

    def download(
        self, key: str, path: str | os.PathLike[str], *, overwrite: bool = False, progress: bool = False
    ) -> StoredObject:
        self.transfers.append(key)
        return self.store.download(key, path, overwrite=overwrite, progress=progress)

    def find(self, key: str) -> StoredObject | None:
        return self.store.find(key)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        for stored in self.store.list(prefix):
            yield replace(stored, sha256=None) if self.forget_checksums else stored
        yield from self.injected

    def delete(self, key: str) -> None:
        self.store.delete(key)


@pytest.mark.parametrize("prefix", ["", "corpora/one"])
def test_push_and_pull_and_nothing_the_second_time(store: Store, folder: Path, tmp_path: Path, prefix: str) -> None:
    """A corpus of 30 GB is sent again for one new file."""
    names = tuple(sorted(FILES))
    watched = Watched(store)
    store.put("corpora/one more", b"another's")
    assert push_folder(folder, watched, prefix, progress=True) == Synced(names, (), sum(FILES.values()))
    watched.transfers.clear()
    assert push_folder(str(folder), watched, prefix) == Synced((), names, 0)
    assert watched.transfers == []
    copy = tmp_path / "copy"
    pulled = pull_folder(watched, copy, prefix, progress=True)
    if not prefix:
        (copy / "corpora" / "one more").unlink()
        assert pulled.sent == tuple(sorted([*names, "corpora/one more"]))
    else:
        assert pulled == Synced(names, (), sum(FILES.values()))
        watched.transfers.clear()
        assert pull_folder(watched, str(copy), prefix) == Synced((), names, 0)
        assert watched.transfers == []
    assert contents(copy) == contents(folder)


def test_only_changes_are_sent_and_nothing_is_deleted(store: Store, folder: Path, tmp_path: Path) -> None:
    """A change of the same size and time is missed, or files that exist on one side only are deleted."""
    push_folder(folder, store, "c")
    pull_folder(store, tmp_path / "copy", "c")
    shard = folder / "shards" / "01.bin"
    times = shard.stat()
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    os.utime(shard, ns=(times.st_atime_ns, times.st_mtime_ns))
    (folder / "new").write_bytes(b"new")
    (folder / "empty").unlink()
    (tmp_path / "copy" / "mine").write_bytes(b"mine")
    pushed = push_folder(folder, store, "c")
    assert pushed.sent == ("new", "shards/01.bin")
    assert pushed.sent_bytes == 250_003
    assert store.find("c/empty") is not None
    pulled = pull_folder(store, tmp_path / "copy", "c")
    assert (pulled.sent, pulled.sent_bytes) == (pushed.sent, pushed.sent_bytes)
    assert contents(tmp_path / "copy") == contents(folder) | {"mine": b"mine", "empty": b""}


def test_changes_of_another_writer_are_noticed(store: Store, folder: Path) -> None:
    """Two machines push the same folder, and the slower one reverts the other's changes."""
    push_folder(folder, store)
    (folder / "manifest.json").write_bytes(b"mine")
    watched = Watched(store)
    watched.before_put = lambda key: store.put(key, b"theirs", overwrite=True)
    with pytest.raises(StoreConflictError, match=r"manifest\.json"):
        push_folder(folder, watched)
    assert store.get("manifest.json") == b"theirs"
    (folder / "another").write_bytes(b"mine")
    with pytest.raises(OverwriteError, match="another"):
        push_folder(folder, watched)
    assert store.get("another") == b"theirs"


def test_objects_without_checksums_are_compared(store: Store, folder: Path, tmp_path: Path) -> None:
    """Objects of another program are sent each time, or a change of the same size is missed."""
    push_folder(folder, store)
    pull_folder(store, tmp_path / "copy")
    watched = Watched(store)
    watched.forget_checksums = True
    assert push_folder(folder, watched).sent == ()
    assert pull_folder(watched, tmp_path / "copy").sent == ()
    (folder / "manifest.json").write_bytes(b"?" * 100)
    (tmp_path / "copy" / "ü" / "♪ 1.txt").write_bytes(b"?" * 5)
    assert push_folder(folder, watched).sent == ("manifest.json",)
    assert pull_folder(watched, tmp_path / "copy").sent == ("manifest.json", "ü/♪ 1.txt")
    assert contents(tmp_path / "copy") == contents(folder)


ODD_NAMES = (
    "\u3000wide",
    "no\u00a0break",
    "private \uf028",
    "-dash",
    " spaces ",
    "A.mid",
    "a.mid",
    "\u00e9",
    "e\u0301",
    "right to \u202e left",
    "line\u2028separator",
    "𝄞",
    "x" * 240,
    "♫" * 85,
)
"""Names that are odd and legal."""


def test_odd_names(store: Store, tmp_path: Path) -> None:
    """A file name with an ideographic space, or one that is nearly too long, stops the sync of a whole folder."""
    for name in ODD_NAMES:
        (tmp_path / "odd" / "sub").mkdir(parents=True, exist_ok=True)
        (tmp_path / "odd" / "sub" / name).write_text(name)
    assert len(push_folder(tmp_path / "odd", store, "p").sent) == len(ODD_NAMES)
    assert sorted(stored.key for stored in store.list()) == sorted(f"p/sub/{name}" for name in ODD_NAMES)
    assert len(pull_folder(store, tmp_path / "copy", "p").sent) == len(ODD_NAMES)
    assert contents(tmp_path / "copy") == contents(tmp_path / "odd")
    assert pull_folder(store, tmp_path / "copy", "p").sent == push_folder(tmp_path / "odd", store, "p").sent == ()


def test_what_is_no_file_is_not_sent(store: Store, folder: Path) -> None:
    """A program's socket or pipe in a folder stops its sync, or is left out without a word."""
    os.mkfifo(folder / "pipe")
    with pytest.warns(UserWarning, match="pipe is not sent: it is a named pipe, a socket or a device"):
        assert push_folder(folder, store).sent == tuple(sorted(FILES))


def test_a_file_that_is_deleted_meanwhile(tmp_path: Path, folder: Path) -> None:
    """A training that goes on, and removes a file of its own, ends the sync of its folder with a traceback."""

    class Slow(LocalStore):
        def list(self, prefix: str = "") -> Iterator[StoredObject]:
            (folder / "manifest.json").unlink()
            return super().list(prefix)

    store = Slow(tmp_path / "store")
    with pytest.raises(SettingsError, match=r"1 of 5 files were not sent(.|\n)*'manifest.json': it cannot be read"):
        push_folder(folder, store)
    assert {stored.key for stored in LocalStore(tmp_path / "store").list()} == {*FILES} - {"manifest.json"}


def test_a_link_in_a_circle(store: Store, folder: Path) -> None:
    """It ends a sync with a traceback."""
    (folder / "circle").symlink_to("circle")
    assert push_folder(folder, store).sent == tuple(sorted(FILES))


def test_links(store: Store, folder: Path, tmp_path: Path) -> None:
    """A link in a run's folder sends the home directory to the cloud, or one to the last checkpoint stops the sync."""
    (folder / "latest").symlink_to(folder / "shards")
    (folder / "shards" / "last.bin").symlink_to("01.bin")
    (folder / ".copy.0123456789abcdef.part").write_bytes(b"half")
    assert push_folder(folder, store).sent == tuple(sorted(FILES))
    (tmp_path / "outside").mkdir()
    (folder / "away").symlink_to(tmp_path / "outside")
    (folder / "aaa").write_bytes(b"1")
    with pytest.raises(SettingsError, match="leads out of the folder"):
        push_folder(folder, store)
    assert store.find("aaa") is None


@pytest.mark.parametrize("name", ["../../evil", "/evil", "a\\..\\evil", "evil.", "a//b", ".x.0123456789abcdef.tmp"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    """Anyone who can write to the store can write any file on the machines that pull from it."""
    watched = Watched(LocalStore(tmp_path / "store"))
    watched.put("c/aaa", b"1")
    watched.injected = [StoredObject(f"c/{name}", 4, "etag", None)]
    with pytest.raises(
        SettingsError, match=r"1 of 2 objects were not downloaded(?s:.*)(key in a store|cannot be a file)"
    ):
        pull_folder(watched, tmp_path / "below" / "into", "c")
    assert contents(tmp_path / "below") == {"into/aaa": b"1"}
    assert not list(tmp_path.rglob("*evil*"))


def test_keys_that_cannot_be_files_are_refused(azurite: Azurite, tmp_path: Path) -> None:
    """One object that cannot be a file here costs the user all others."""
    with AzureBlobStore(azurite.new_container(), **azurite.arguments()) as store:
        store.create_container()
        store.put("a/b", b"1")
        store.put("0", b"1")
        store.put("a/b/c", b"2")
        store.put("n" * 300, b"1")
        with pytest.raises(SettingsError, match="2 of 4 objects were not downloaded") as caught:
            pull_folder(store, tmp_path / "into")
        assert "'a/b/c': the store holds 'a/b' too" in str(caught.value)
        assert f"'{'n' * 300}': it cannot be a file here (File name too long)" in str(caught.value)
        assert contents(tmp_path / "into") == {"0": b"1", "a/b": b"1"}
        store.delete("a/b")
        (tmp_path / "outside").mkdir()
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "a").symlink_to(tmp_path / "outside")
        with pytest.raises(SettingsError, match="is a link"):
            pull_folder(store, tmp_path / "elsewhere")
        assert list((tmp_path / "outside").iterdir()) == []
        assert (tmp_path / "elsewhere" / "0").read_bytes() == b"1"


def test_what_is_in_the_way_here(store: Store, tmp_path: Path) -> None:
    """A folder in the place of one file, or a file in that of a folder, costs the user all others."""
    for key in ("a", "b/x", "c"):
        store.put(key, b"1")
    into = tmp_path / "into"
    (into / "a").mkdir(parents=True)
    (into / "b").write_bytes(b"mine")
    with pytest.raises(SettingsError, match="2 of 3 objects were not downloaded") as caught:
        pull_folder(store, into)
    assert "a is a folder, where the store has a file" in str(caught.value)
    assert "b is a file, where the store has a folder" in str(caught.value)
    assert contents(into) == {"b": b"mine", "c": b"1"}


def test_files_that_cannot_be_keys_are_refused(store: Store, folder: Path, tmp_path: Path) -> None:
    """One file that cannot be an object keeps all others of a run from being sent."""
    for name in (b"00.", b"zz\n", b"caf\xe9"):
        (folder / os.fsdecode(name)).write_bytes(b"1")
    with pytest.raises(SettingsError, match="3 of 8 files were not sent, all others were") as caught:
        push_folder(folder, store)
    for name in (r"'00.'", r"'zz\n'", r"'caf\udce9'"):
        assert f"{name}: A key in a store" in str(caught.value)
    assert [stored.key for stored in store.list()] == sorted(FILES)
    for name in (b"00.", b"zz\n", b"caf\xe9"):
        (folder / os.fsdecode(name)).unlink()
    assert push_folder(folder, store).sent == ()
    with pytest.raises(SettingsError, match="no such folder"):
        push_folder(tmp_path / "none", store)
    for prefix in ("/", "a/", "../a"):
        with pytest.raises(SettingsError):
            push_folder(folder, store, prefix)
        with pytest.raises(SettingsError):
            pull_folder(store, tmp_path / "copy", prefix)
