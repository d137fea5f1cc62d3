"""How annotations are checked while the tests run: as a type checker would, an int passes for a float.

Whether something is a ``FrameDistribution`` only the tests of its contract ask: before Python 3.12 asking reads its
``mean``, and that of some heads is an estimate that takes seconds.
"""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, FrozenDict, beartype

from pianoroll_seq2seq.heads.base import FrameDistribution

check = beartype(conf=BeartypeConf(is_pep484_tower=True, hint_overrides=FrozenDict({FrameDistribution: object})))


def as_users_have_it(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function without the check of types that the tests put before its own checks."""
    assert hasattr(function, "__wrapped__"), "types are not checked, so there is nothing to take away"
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function
