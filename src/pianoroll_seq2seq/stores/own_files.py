"""The hidden files that stores keep beside those of users: parts of downloads, and locks."""

import contextlib
import errno
import glob
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

LOCK_NAME = ".pianoroll_seq2seq.lock"
"""Holds whoever writes to a store in a folder."""

_OURS = re.compile(r"\..+\.[0-9a-f]{16}\.(part|tmp)", re.DOTALL)


def is_ours(name: str) -> bool:
    """Whether a file of this name belongs to the library: never part of what a store holds, nor synced."""
    return name == LOCK_NAME or _OURS.fullmatch(name) is not None


def part_of(target: Path, etag: str) -> Path:
    """Where the part of an object lies that is there already, on its way to ``target``; another for every etag."""
    return target.with_name(f".{target.name}.{hashlib.sha256(etag.encode()).hexdigest()[:16]}.part")


def remove_other_parts(part: Path, target: Path) -> None:
    """Removes what cut downloads of other versions have left, unless somebody is still at it."""
    for other in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        if other != part and is_ours(other.name):
            with alone_with(other, wait=False) as alone:
                if alone:
                    other.unlink(missing_ok=True)


@contextlib.contextmanager
def alone_with(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Keeps other threads and processes that ask for the same file waiting; makes the file where it is missing.

    The lock goes with the process, however that ends. Systems and file systems without such locks have none.

    Args:
        path: the file that stands for what is used alone.
        wait: false gives up at once where somebody else is at it.

    Returns:
        Whether the caller is alone; always true if ``wait`` is.
    """
    try:
        import fcntl
    except ImportError:
        yield True
        return
    while True:
        with path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            except OSError as error:  # a file system without locks
                if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                    raise
            if _still_there(path, file.fileno()):
                yield True
                return


def _still_there(path: Path, descriptor: int) -> bool:
    """Whoever held the lock before may have moved the file away."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
