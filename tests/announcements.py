"""What a call warns of."""

import warnings
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def announced(call: Callable[[], Result]) -> tuple[Result, list[str]]:
    """The result of a call, and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        result = call()
    return result, [str(warning.message) for warning in caught]
