"""Writing files whole or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq._internal.atomic import shortened, writing, writing_folder
from pianoroll_seq2seq.errors import OverwriteError


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@given(old=st.none() | st.binary(), parts=st.lists(st.binary(), min_size=1), fail_after=st.none() | st.integers(0, 3))
def test_whole_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, old: bytes | None, parts: list[bytes], fail_after: int | None
) -> None:
    """A failure while a file is written destroys the file that was there, or litters the folder."""
    folder = tmp_path_factory.mktemp("atomic")
    path = folder / "file.bin"
    if old is not None:
        path.write_bytes(old)
    try:
        with writing(path, overwrite=True) as temporary, temporary.open("wb") as file:
            for number, part in enumerate(parts):
                file.write(part if number != fail_after else _burn())
    except RuntimeError:
        assert _contents(folder) == ({} if old is None else {"file.bin": old})
    else:
        assert _contents(folder) == {"file.bin": b"".join(parts)}


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_interrupts_leave_nothing_behind(tmp_path: Path, error: type[BaseException]) -> None:
    """Ctrl-C while saving leaves half a file."""

    def save() -> None:
        with writing(tmp_path / "file") as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        save()
    assert _contents(tmp_path) == {}


def test_reader_sees_the_old_file_until_the_end(tmp_path: Path) -> None:
    """A program that reads while another writes gets half a file."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with writing(path, overwrite=True) as temporary:
        temporary.write_bytes(b"new")
        assert temporary.parent == path.parent  # on another file system the move would not be atomic
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_refuses_before_the_work_is_done(tmp_path: Path) -> None:
    """Hours of work are lost to a name that was taken from the start, or the file there is lost."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(OverwriteError, match="overwrite=True") as caught, writing(path):
        pytest.fail("the work was begun")
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, FileExistsError)
    assert _contents(tmp_path) == {"file": b"old"}


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "a file system without hard links"])
def test_refuses_a_file_that_appeared_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    """Two programs that write the same name at once: the slower one destroys the work of the faster."""
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    path = tmp_path / "file"

    def save() -> None:
        with writing(path) as temporary:
            temporary.write_bytes(b"slower")
            path.write_bytes(b"faster")

    with pytest.raises(OverwriteError):
        save()
    assert _contents(tmp_path) == {"file": b"faster"}


def test_works_on_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be saved on an exFAT stick or on some network drives."""
    monkeypatch.setattr(os, "link", _no_links)
    with writing(tmp_path / "file") as temporary:
        temporary.write_bytes(b"new")
    assert _contents(tmp_path) == {"file": b"new"}


def test_a_link_to_nowhere_is_not_silently_skipped(tmp_path: Path) -> None:
    """What was to be saved is dropped without a word where a broken link bears the name."""
    path = tmp_path / "file"
    path.symlink_to(tmp_path / "gone")
    with pytest.raises(OverwriteError), writing(path) as temporary:
        temporary.write_bytes(b"new")
    with writing(path, overwrite=True) as temporary:
        temporary.write_bytes(b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path: Path, mask: int, overwrite: bool) -> None:
    """Colleagues cannot read a checkpoint in a shared folder, or strangers can read a private one."""
    before = os.umask(mask)
    try:
        with writing(tmp_path / "file", overwrite=overwrite):
            pass
    finally:
        assert os.umask(before) == mask  # and the umask itself is as it was
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~mask


def test_missing_folders_are_made(tmp_path: Path) -> None:
    """Saving into a run's new folder fails."""
    with writing(tmp_path / "a" / "b" / "file") as temporary:
        temporary.write_bytes(b"new")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"new"


def test_paths_may_be_strings(tmp_path: Path) -> None:
    """save("model.safetensors") fails."""
    with writing(str(tmp_path / "file")) as temporary:
        temporary.write_bytes(b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_killed_in_the_middle_of_writing(tmp_path: Path) -> None:
    """A job that is shut down while it saves takes the last good checkpoint with it."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    script = """
import os, signal, sys
from pianoroll_seq2seq._internal.atomic import shortened, writing, writing_folder
with writing(sys.argv[1], overwrite=True) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    with writing(path, overwrite=True) as temporary:  # and what the dead one left is in nobody's way
        temporary.write_bytes(b"new")
    assert path.read_bytes() == b"new"


def _burn() -> bytes:
    raise RuntimeError("the disk caught fire")


def _no_links(*paths: object) -> None:
    raise PermissionError("this file system has no hard links")


# ---- Folders


def _write(path: Path, *files: str, replaces: tuple[str, ...] = (), fail: bool = False) -> None:
    with writing_folder(path, replaces=replaces) as temporary:
        for name in files:
            (temporary / name).write_text(name)
        if fail:
            _burn()


def test_a_folder_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """A failure while a folder is written leaves half of it, or destroys what was there."""
    path = tmp_path / "deep" / "folder"
    with pytest.raises(RuntimeError):
        _write(path, "a", fail=True)
    assert list(path.parent.iterdir()) == []
    path.mkdir()
    _write(path, "a", "b")  # an empty folder is nothing to lose
    assert _contents(path) == {"a": b"a", "b": b"b"}
    with pytest.raises(RuntimeError):
        _write(path, "c", replaces=("a", "b"), fail=True)
    assert _contents(path) == {"a": b"a", "b": b"b"}
    _write(path, "c", replaces=("a", "b"))
    assert _contents(path) == {"c": b"c"}
    assert [child.name for child in path.parent.iterdir()] == ["folder"]


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    """A mistyped path costs somebody their files; also where they appear while the folder is written."""
    path = tmp_path / "folder"
    _write(path, "a", "thesis")
    with pytest.raises(OverwriteError, match=r"folder exists already and holds a, thesis.*pass overwrite=True"):
        _write(path, "b")
    with pytest.raises(OverwriteError, match="holds thesis: "):
        _write(path, "b", replaces=("a", "b"))
    with pytest.raises(OverwriteError):
        _write(path / "thesis", "b", replaces=("thesis",))
    late = tmp_path / "late"

    def meanwhile() -> None:
        with writing_folder(late):
            _write(late, "thesis")

    with pytest.raises(OverwriteError, match="holds thesis"):
        meanwhile()
    assert _contents(path) == {"a": b"a", "thesis": b"thesis"}
    assert sorted(child.name for child in tmp_path.iterdir()) == ["folder", "late"]


def test_a_link_to_a_folder_stays_one(tmp_path: Path) -> None:
    """Whoever keeps large files on another disk finds them on the wrong one."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    _write(tmp_path / "link", "a")
    _write(tmp_path / "link", "b", replaces=("a",))
    assert (tmp_path / "link").is_symlink()
    assert _contents(tmp_path / "disk") == {"b": b"b"}


def test_the_old_folder_comes_back_when_the_new_one_cannot_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in the last step leaves a user without the old and the new."""
    path = tmp_path / "folder"
    _write(path, "a")
    rename = Path.rename

    def fails(source: Path, target: Path) -> Path:
        if source.suffix == ".tmp":
            raise OSError("the disk is gone")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(OSError, match="the disk is gone"):
        _write(path, "b", replaces=("a",))
    assert _contents(path) == {"a": b"a"}
    assert [child.name for child in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("length", [200, 201, 236, 255])
@pytest.mark.parametrize("letter", ["x", "é", "♫"])
def test_names_as_long_as_the_file_system_allows(tmp_path: Path, length: int, letter: str) -> None:
    """A file whose name is nearly too long cannot be written, since that of the temporary file is longer."""
    name = letter * (length // len(letter.encode()))
    with writing(tmp_path / name) as temporary:
        temporary.write_bytes(b"new")
    with writing_folder(tmp_path / f"{name[:-1]}d") as folder:
        (folder / name).write_bytes(b"in it")
    assert (tmp_path / name).read_bytes() == b"new"
    assert {path.name for path in tmp_path.iterdir()} == {name, f"{name[:-1]}d"}


@given(st.text(st.characters(exclude_characters="/\0"), min_size=150, max_size=255))
def test_shortened_names(name: str) -> None:
    """Two files with long names of one beginning take each other's temporary files for their own."""
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return
    short = shortened(name)
    assert len(os.fsencode(short)) <= 200
    assert (short == name) == (len(encoded) <= 200)
    assert shortened(f"{name}a") != shortened(f"{name}b")


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files as Linux does")
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_full_disk_names_the_file(tmp_path: Path, overwrite: bool) -> None:
    """'No space left on device' alone does not say which of several disks is full, nor what was not written."""
    import resource

    path = tmp_path / "large.bin"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with (
            pytest.raises(OSError, match=rf"File too large: '{path}'"),
            writing(path, overwrite=overwrite) as temporary,
        ):
            temporary.write_bytes(b"?" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert _contents(tmp_path) == {}


def test_a_name_that_is_too_long_is_named(tmp_path: Path) -> None:
    """The error of a name that is too long names a temporary file that the user does not know."""
    path = tmp_path / ("x" * 300)
    with pytest.raises(OSError, match=rf"File name too long: '{path}'"), writing(path):
        pytest.fail("the work was begun")
    assert _contents(tmp_path) == {}
