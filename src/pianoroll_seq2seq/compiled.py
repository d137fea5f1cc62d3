"""Loops over whole numbers, compiled by numba (extra ``fast``)."""

import inspect
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

from pianoroll_seq2seq.errors import MissingExtraError


@cache
def require_numba() -> Any:
    """The package.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import numba as package
    except ImportError as error:
        raise MissingExtraError("numba", "fast", "compiled=True") from error
    return package


@cache
def compiled(function: Callable[..., Any], *calls: Callable[..., Any]) -> Callable[..., Any]:
    """A function as machine code, which is kept for the next process where Python keeps its own.

    Args:
        function: loops and arithmetic on integers and arrays.
        *calls: functions of its module that it calls, innermost first.

    Raises:
        MissingExtraError: numba is not installed.
    """
    njit = require_numba().njit
    known: dict[str, Any] = {}
    for one in (*calls, function):
        bare = inspect.unwrap(one)  # of the checks that tests put around
        with_known = FunctionType(bare.__code__, {**bare.__globals__, **known}, bare.__name__)
        try:
            known[bare.__name__] = njit(cache=True)(with_known)
        except RuntimeError:  # no place to keep it
            known[bare.__name__] = njit(with_known)
    machine_code: Callable[..., Any] = known[function.__name__]
    return machine_code
