"""Learning rates that change as training goes on."""

import math
from collections.abc import Callable

from pianoroll_seq2seq.errors import SettingsError

Schedule = Callable[[int, int], float]
"""(step, total steps) to the factor on the learning rate, a plain function, so resuming needs no state."""


def cosine_schedule(warmup: float = 0.05) -> Schedule:
    """Up in a straight line, then down to nothing along half a cosine.

    After Loshchilov and Hutter, 2017 (https://arxiv.org/abs/1608.03983), without restarts.

    Args:
        warmup: share of the steps on the way up, 0 <= warmup < 1.

    Example:
        >>> schedule = cosine_schedule(warmup=0.1)
        >>> [round(schedule(step, 100), 3) for step in (0, 9, 10, 55, 99)]
        [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    if not 0 <= warmup < 1:
        raise SettingsError(f"warmup must lie in [0, 1), got {warmup}.")

    def factor(step: int, total: int) -> float:
        up = round(warmup * total)
        if step < up:
            return (step + 1) / up
        return 0.5 * (1 + math.cos(math.pi * (step - up) / max(1, total - up)))

    return factor
