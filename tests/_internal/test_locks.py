"""Locks between processes."""

import errno
import fcntl
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pianoroll_seq2seq._internal.locks import file_lock


def test_only_one_holds_a_lock(tmp_path: Path) -> None:
    """Two processes believe that they are the only one."""
    path = tmp_path / "lock"
    with file_lock(path) as is_free:
        assert is_free
        with file_lock(path, wait=False) as is_free_again:
            assert not is_free_again
    with file_lock(path, wait=False) as is_free:
        assert is_free


def test_the_others_wait(tmp_path: Path) -> None:
    """Two threads change the same file at the same time."""
    path, counter = tmp_path / "lock", tmp_path / "counter"
    counter.write_text("0")

    def count(_: int) -> None:
        with file_lock(path, remove=True):
            number = int(counter.read_text())
            counter.write_text(str(number + 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(20)))
    assert counter.read_text() == "20"


def test_a_lock_is_released_with_its_process(tmp_path: Path) -> None:
    """After a kill, a file stays locked until somebody removes the lock by hand."""
    script = """
import sys
from pathlib import Path
from pianoroll_seq2seq._internal.locks import file_lock
with file_lock(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.readline()
"""
    command = [sys.executable, "-c", script, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with file_lock(tmp_path / "lock", wait=False) as is_free:
            assert not is_free
        holder.kill()
    with file_lock(tmp_path / "lock", wait=False) as is_free:
        assert is_free


@pytest.mark.parametrize("remove", [True, False])
def test_a_lock_file_may_be_removed(tmp_path: Path, remove: bool) -> None:
    """Folders fill with lock files."""
    with file_lock(tmp_path / "lock", remove=remove):
        assert (tmp_path / "lock").exists()
    assert (tmp_path / "lock").exists() is not remove


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS], ids=errno.errorcode.get)
def test_a_file_system_without_locks_lets_everybody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Nothing works on a network drive without locks."""

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with file_lock(tmp_path / "lock") as is_free, file_lock(tmp_path / "lock", wait=False) as is_free_again:
        assert is_free
        assert is_free_again


def test_other_errors_are_raised(tmp_path: Path) -> None:
    """A folder that cannot be written passes for a file system without locks."""
    with pytest.raises(OSError, match="directory"), file_lock(tmp_path):
        pytest.fail("locked")
