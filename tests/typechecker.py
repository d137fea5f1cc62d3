"""How ``--check-types`` checks annotations: as a type checker does, it accepts an int as a float.

Only the tests of the contracts check that something is a ``FrameDistribution``: before Python 3.12 that check reads
its ``mean``, which takes some heads seconds to estimate.
"""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, FrozenDict, beartype

from pianoroll_seq2seq.models.heads.contract import FrameDistribution

check = beartype(conf=BeartypeConf(is_pep484_tower=True, hint_overrides=FrozenDict({FrameDistribution: object})))


def as_users_have_it(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function without the type check that ``--check-types`` puts before its own checks."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function
