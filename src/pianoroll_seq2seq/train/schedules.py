"""Learning rates that change during training."""

import math
from collections.abc import Callable

from pianoroll_seq2seq.errors import SettingsError

Schedule = Callable[[int, int], float]
"""From (step, total steps) to the factor on the learning rate. It has no state that a checkpoint would have to hold."""


def cosine_schedule(warmup: float = 0.05) -> Schedule:
    """A linear warmup, then a decay to zero along half a cosine.

    After Loshchilov and Hutter, 2017 (https://arxiv.org/abs/1608.03983), without restarts.

    Args:
        warmup: share of the steps with a rising rate, 0 <= warmup < 1.

    Raises:
        SettingsError: ``warmup`` out of range.

    Example:
        >>> schedule = cosine_schedule(warmup=0.1)
        >>> [round(schedule(step, 100), 3) for step in (0, 9, 10, 55, 99)]
        [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    if not 0 <= warmup < 1:
        raise SettingsError(f"warmup is a share of the steps, at least 0 and below 1, got {warmup}.")

    def factor(step: int, total: int) -> float:
        num_warmup = round(warmup * total)
        if step < num_warmup:
            return (step + 1) / num_warmup
        return 0.5 * (1 + math.cos(math.pi * (step - num_warmup) / max(1, total - num_warmup)))

    return factor
