"""Loops compiled by numba (extra ``fast``), used once they pay.

numba takes about a second to load in each process, and some four seconds to compile the loops the very first time. So a
process begins with plain Python and numpy, counts the bytes that it reads and the cells of windows that it fills, and
changes to the compiled loops when they would have saved about as much time as loading them takes. Both give the same
results. The compiled loops release Python's lock, so that a thread that prepares batches does not stop the training.
"""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from types import FunctionType
from typing import Any

PAYS_AFTER_BYTES = 16 * 2**20
"""Bytes of MIDI files after which compiled loops pay; measured: they save 0.02 to 0.1 s a megabyte."""

CAREFUL_WEIGHT = 10
"""The weight of a byte that the careful reader reads in plain Python; measured: 0.2 to 0.4 s saved a megabyte."""

CELLS_PER_BYTE = 400
"""Cells of windows that weigh as much as a byte; measured: 0.15 to 0.2 ns saved a cell."""


class _State:
    """The state of this process."""

    bytes_read: int = 0
    pays: bool = False
    forced: bool | None = None


_state = _State()


def count_bytes(num_bytes: int) -> None:
    """Counts bytes that were read without compiled loops."""
    _state.bytes_read += num_bytes


def count_cells(num_cells: int) -> None:
    """Counts cells of windows that were filled without compiled loops."""
    _state.bytes_read += num_cells // CELLS_PER_BYTE


def decide() -> None:
    """Decides how the next file is read or the next batch filled, so that none pays for loading numba halfway."""
    _state.pays = _state.bytes_read >= PAYS_AFTER_BYTES


def is_active() -> bool:
    """Whether this process uses compiled loops now: enough bytes were read before this file, and numba is installed."""
    if _state.forced is not None:
        return _state.forced
    return _state.pays and _numba() is not None


@contextlib.contextmanager
def forced(active: bool) -> Iterator[None]:
    """Uses compiled loops, or does not use them, whatever was read: for tests and measurements."""
    before, _state.forced = _state.forced, active
    try:
        yield
    finally:
        _state.forced = before


@cache
def _numba() -> Any:
    """The package, or None if it is not installed."""
    try:
        import numba
    except ImportError:
        return None
    return numba


@cache
def compiled(function: Callable[..., Any], *calls: Callable[..., Any]) -> Callable[..., Any]:
    """A function as machine code, which numba keeps on disk for the next process.

    Args:
        function: loops and arithmetic on integers and arrays.
        *calls: functions of its module that it calls, innermost first.
    """
    njit = _numba().njit
    known: dict[str, Any] = {}
    for one in (*calls, function):
        bare = inspect.unwrap(one)  # of the checks that tests put around
        with_known = FunctionType(bare.__code__, {**bare.__globals__, **known}, bare.__name__)
        try:
            known[bare.__name__] = njit(cache=True, nogil=True)(with_known)
        except RuntimeError:  # no folder to keep it in
            known[bare.__name__] = njit(nogil=True)(with_known)
    machine_code: Callable[..., Any] = known[function.__name__]
    return machine_code
