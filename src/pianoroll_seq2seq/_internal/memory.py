"""Memory that the C library keeps between two requests, instead of giving it back to the system.

Pieces differ in length, so each training step needs blocks of other sizes than the one before. By default glibc gives
large blocks back and requests them again, and the system clears every page anew: a third of the processor time of
training on long pieces.

oneDNN, which multiplies matrices in bfloat16 on a CPU, keeps a program for each of the last 1,024 shapes, about 0.7 MB
each. Pieces that differ in length have ever new shapes, so most are never used again.
"""

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
"""Parameters of mallopt (malloc.h)."""
_KEEP = {_TRIM_THRESHOLD: 2**31 - 1, _MMAP_MAX: 0}
"""All blocks are parts of the heap, and its free end stays."""
_UNDO = {_TRIM_THRESHOLD: 64 * 2**20, _MMAP_MAX: 65_536, _MMAP_THRESHOLD: 32 * 2**20, _TOP_PAD: 128 * 2**10}
"""The first mallopt ends the automatic adjustment of the thresholds for good, and nothing reads their values. These are
the largest that the adjustment reaches, and reaches in any process that has freed a block of 32 MiB."""
_MOST_FREE = 256 * 2**20
"""More free memory than this is given back by :func:`trim_memory`."""
_PROGRAMS, _MOST_PROGRAMS = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128"
"""oneDNN reads this environment variable when it is first used in a process."""
_OWN_SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_")


class _Users:
    """How many runs want memory to be kept: the first one sets the thresholds, and the last one sets them back."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    @property
    def any(self) -> bool:
        """Whether memory is kept now."""
        return self._count > 0

    def enter(self, library: ctypes.CDLL) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                _set(library, _KEEP)

    def leave(self, library: ctypes.CDLL) -> None:
        with self._lock:
            self._count -= 1
            if not self._count:
                _set(library, _UNDO)
                library.malloc_trim(ctypes.c_size_t(0))


_users = _Users()


@contextmanager
def kept_memory() -> Iterator[None]:
    """Makes glibc keep freed memory, and gives it back to the system at the end; oneDNN keeps fewer programs.

    It changes nothing without glibc (macOS, Windows, musl), or if an environment variable sets the thresholds.
    """
    library = _glibc()
    if library is None or _is_set_by_user():
        yield
        return
    _users.enter(library)
    limits_programs = _PROGRAMS not in os.environ
    if limits_programs:
        os.environ[_PROGRAMS] = _MOST_PROGRAMS
    try:
        yield
    finally:
        if limits_programs:
            os.environ.pop(_PROGRAMS, None)
        _users.leave(library)


def trim_memory() -> None:
    """Gives freed memory back to the system if memory is kept and much of it is free.

    Free blocks of many sizes lie between others, and new ones do not fit: without this, a process grows as long as it
    trains. What is given back is requested again, so call it every few seconds, not at every step.
    """
    library = _glibc()
    if library is None or not _users.any or not hasattr(library, "mallinfo2"):  # of glibc 2.33
        return
    library.mallinfo2.restype = _MallocInfo
    if library.mallinfo2().free_bytes > _MOST_FREE:
        library.malloc_trim(ctypes.c_size_t(0))


class _MallocInfo(ctypes.Structure):
    """``struct mallinfo2`` of malloc.h, of which only ``fordblks`` is read."""

    _fields_ = (("before", ctypes.c_size_t * 8), ("free_bytes", ctypes.c_size_t), ("after", ctypes.c_size_t))


def _set(library: ctypes.CDLL, values: dict[int, int]) -> None:
    for parameter, value in values.items():
        library.mallopt(parameter, value)


def _glibc() -> ctypes.CDLL | None:
    """The C library of this process if it is glibc."""
    if sys.platform != "linux":
        return None
    try:
        library = ctypes.CDLL(None)
        names = (library.gnu_get_libc_version, library.mallopt, library.malloc_trim)
    except (OSError, AttributeError):
        return None
    return library if all(names) else None


def _is_set_by_user() -> bool:
    return any(name in os.environ for name in _OWN_SETTINGS) or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
