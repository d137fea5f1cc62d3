"""Locks between processes. A lock is released when its process ends, even if it is killed."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

LOCK_NAME = ".pianoroll_seq2seq.lock"
"""Ending of the names of lock files; they are never part of what a folder holds."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


@contextmanager
def file_lock(path: Path, *, wait: bool = True, remove: bool = False) -> Iterator[bool]:
    """Excludes other threads and processes that lock the same file. On file systems without locks it does nothing.

    Args:
        path: the lock file; created if it is missing. It holds no data.
        wait: whether to wait for a lock that another process holds.
        remove: whether to remove the lock file at the end.

    Yields:
        Whether the lock is free for the caller; always true if ``wait`` is.
    """
    lock = FileLock(path, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        yield False
        return
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    try:
        yield True
    finally:
        if remove:
            with suppress(OSError):  # Windows removes no open file
                path.unlink()
        lock.release()
