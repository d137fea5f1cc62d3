"""How annotations are checked while the tests run: as a type checker would, an int passes for a float."""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))


def as_users_have_it(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function without the check of types that the tests put before its own checks."""
    assert hasattr(function, "__wrapped__"), "types are not checked, so there is nothing to take away"
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function
