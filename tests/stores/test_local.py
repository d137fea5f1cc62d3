"""The store in a folder: behavior that is specific to files."""

import errno
import fcntl
import os
from pathlib import Path

import pytest
from stores.racing import race

from pianoroll_seq2seq.errors import OverwriteError, SettingsError, StoreAccessError, StoreConflictError, StoreError
from pianoroll_seq2seq.stores.local import LocalStore


def test_objects_are_plain_files(tmp_path: Path) -> None:
    """Other programs cannot read the objects, or add some."""
    store = LocalStore(tmp_path / "store")
    store.put("runs/7/note", b"C")
    assert (tmp_path / "store" / "runs" / "7" / "note").read_bytes() == b"C"
    (tmp_path / "store" / "theirs").write_bytes(b"D")
    assert store.get("theirs") == b"D"
    assert repr(store) == f"LocalStore({str(tmp_path / 'store')!r})"


def test_constructing_a_store_creates_no_folder(tmp_path: Path) -> None:
    """A mistyped path creates a folder."""
    store = LocalStore(tmp_path / "store")
    assert list(store.list()) == []
    assert store.find("key") is None
    store.delete("key")
    assert not (tmp_path / "store").exists()


def test_a_change_by_another_program_is_seen(tmp_path: Path) -> None:
    """A remembered checksum or etag outlives the bytes it belongs to."""
    store = LocalStore(tmp_path)
    first = store.put("key", b"same size")
    (tmp_path / "key").write_bytes(b"SAME SIZE")
    os.utime(tmp_path / "key", (1_700_000_000, 1_700_000_000))
    second = store.find("key")
    assert second is not None
    assert (second.etag, second.sha256) != (first.etag, first.sha256)
    assert second.sha256 != first.sha256
    with pytest.raises(StoreConflictError, match="was changed meanwhile"):
        store.put("key", b"third", etag=first.etag)


def test_internal_files_are_not_objects(tmp_path: Path) -> None:
    """Locks and partial files are listed, and synced to the cloud."""
    store = LocalStore(tmp_path)
    store.put("key", b"1")
    (tmp_path / ".copy.0123456789abcdef.part").write_bytes(b"half")
    (tmp_path / ".copy.0123456789abcdef.tmp").write_bytes(b"half")
    (tmp_path / ".gitignore").write_bytes(b"*")
    assert [stored.key for stored in store.list()] == [".gitignore", "key"]
    for key in (".pianoroll_seq2seq.lock", "runs/.copy.0123456789abcdef.part"):
        with pytest.raises(SettingsError, match="own files"):
            store.put(key, b"1")


def test_links_are_not_followed(tmp_path: Path) -> None:
    """Through a link in the folder, a key reads or replaces any file of the machine."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    store = LocalStore(tmp_path / "store")
    store.put("key", b"1")
    (tmp_path / "store" / "folder").symlink_to(outside)
    (tmp_path / "store" / "file").symlink_to(outside / "secret")
    for call in (
        lambda: store.get("folder/secret"),
        lambda: store.find("folder/secret"),
        lambda: store.put("folder/new", b"1"),
        lambda: store.delete("folder/secret"),
    ):
        with pytest.raises(SettingsError, match="leads through the link"):
            call()
    assert store.find("file") is None
    store.delete("file")
    with pytest.raises(OverwriteError):
        store.put("file", b"1")
    store.put("file", b"1", overwrite=True)
    assert (outside / "secret").read_bytes() == b"secret"
    assert [stored.key for stored in store.list()] == ["file", "key"]


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    """The caller gets an error of the operating system, not one of the store."""
    store = LocalStore(tmp_path)
    store.put("a", b"1")
    with pytest.raises(StoreError, match="'a/b'"):
        store.put("a/b", b"1")
    assert store.find("a/b") is None
    store.put("c/d", b"1")
    with pytest.raises(OverwriteError):
        store.put("c", b"1")
    with pytest.raises(StoreError, match="'c'"):
        store.put("c", b"1", overwrite=True)
    assert store.get("c/d") == b"1"
    with pytest.raises(StoreError):
        store.put("x" * 300, b"1")


def test_the_error_names_a_missing_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)
    store.put("key", b"1")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(StoreAccessError, match="Permission denied"):
        store.get("key")


@pytest.mark.parametrize("condition", ["nothing there", "etag"])
def test_one_of_two_processes_wins(tmp_path: Path, condition: str) -> None:
    """Two processes both report that their object is stored."""
    store = LocalStore(tmp_path)
    script = """
        import sys
        from pianoroll_seq2seq.errors import OverwriteError, StoreConflictError
        from pianoroll_seq2seq.stores.local import LocalStore
        folder, text, *etags = sys.argv[1:]
        print("ready", flush=True)
        sys.stdin.readline()
        won = 0
        for round in range(10):
            try:
                LocalStore(folder).put(f"wanted {round}", text.encode() * 1000, etag=etags[round] if etags else None)
                won += 1
            except (OverwriteError, StoreConflictError):
                pass
        print(won)
    """
    etags = [] if condition == "nothing there" else [store.put(f"wanted {n}", b"first").etag for n in range(10)]
    won = [int(said) for said in race(script, *([str(tmp_path), text, *etags] for text in "AB"))]
    assert sum(won) == 10
    contents = [store.get(f"wanted {n}") for n in range(10)]
    assert [contents.count(text * 1000) for text in (b"A", b"B")] == won


def test_file_systems_without_locks_still_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store does not work on a network drive without locks."""

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    store = LocalStore(tmp_path)
    etag = store.put("key", b"1").etag
    store.put("key", b"2", etag=etag)
    assert store.get("key") == b"2"
