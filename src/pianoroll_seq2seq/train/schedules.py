"""Learning rates that change during training."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pianoroll_seq2seq.errors import SettingsError

Schedule = Callable[[int, int], float]
"""From (step, total steps) to the factor on the learning rate. It has no state that a checkpoint would have to hold."""

_BLOCKS = 256
"""Blocks of steps by whose mean factors two schedules are compared."""


@dataclass(frozen=True)
class _Cosine:
    warmup: float

    def __call__(self, step: int, total: int) -> float:
        num_warmup = round(self.warmup * total)
        if step < num_warmup:
            return (step + 1) / num_warmup
        return 0.5 * (1 + math.cos(math.pi * (step - num_warmup) / max(1, total - num_warmup)))

    def __repr__(self) -> str:
        return f"cosine_schedule(warmup={self.warmup})"


def cosine_schedule(warmup: float = 0.05) -> Schedule:
    """A linear warmup, then a decay to zero along half a cosine.

    After Loshchilov and Hutter, 2017 (https://arxiv.org/abs/1608.03983), without restarts. It spans all steps of a run,
    so that a run with it cannot be extended by more epochs.

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
    return _Cosine(warmup)


def schedule_name(schedule: Schedule | None) -> str:
    """The name of a schedule for messages, such as ``cosine_schedule(warmup=0.05)`` or ``my_module.decay``."""
    if schedule is None:
        return "constant"
    qualified = getattr(schedule, "__qualname__", None)
    if qualified is not None:
        return f"{getattr(schedule, '__module__', '')}.{qualified}"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(schedule))


def sample_schedule(schedule: Schedule | None, total: int) -> dict[str, Any]:
    """A schedule's name and its mean factors in equal blocks of ``total`` steps, for JSON."""
    return {
        "name": schedule_name(schedule),
        "steps": total,
        "factors": [_mean_factor(schedule, block, total) for block in _blocks(total)],
    }


def schedule_difference(before: Mapping[str, Any], now: Mapping[str, Any], schedule: Schedule | None) -> Iterator[str]:
    """How a schedule differs from one that was sampled, over the same number of steps; nothing if it does not.

    Args:
        before: what :func:`sample_schedule` returned for the earlier run.
        now: the same for this run.
        schedule: the schedule of this run.
    """
    total, factors = before["steps"], before["factors"]
    for block, old in zip(_blocks(total), factors, strict=False):
        new = _mean_factor(schedule, block, total)
        if not _is_close(old, new):
            steps = f"step {block[0] + 1}" if len(block) == 1 else f"steps {block[0] + 1} to {block[-1] + 1}"
            yield (
                f"run.schedule was {before['name']:.300} and is now {now['name']}: its factor of {steps} was "
                f"{old:.8g} and is now {new:.8g}"
            )
            return
    if not factors:
        yield f"run.schedule was {before['name']:.300} and is now {now['name']}"


def first_change(schedule: Schedule | None, before: int, now: int, steps: int) -> int | None:
    """The first of the steps done whose learning rate depends on whether there are ``before`` or ``now`` steps in all.

    Args:
        schedule: from (step, total steps) to the factor on the learning rate.
        before: total steps of the run so far.
        now: total steps that it is to have.
        steps: steps done.

    Returns:
        The step, counted from 0; None if the run can be extended.
    """
    if schedule is None or before == now:
        return None
    for step in range(steps):
        if not _is_close(_factor(schedule, step, before), _factor(schedule, step, now)):
            return step
    return None


def _blocks(total: int) -> list[range]:
    """All steps, in blocks of equal size; of one step each if there are few."""
    count = min(total, _BLOCKS)
    return [range(index * total // count, (index + 1) * total // count) for index in range(count)]


def _mean_factor(schedule: Schedule | None, steps: range, total: int) -> float:
    return 1.0 if schedule is None else math.fsum(_factor(schedule, step, total) for step in steps) / len(steps)


def _factor(schedule: Schedule | None, step: int, total: int) -> float:
    return 1.0 if schedule is None else float(schedule(step, total))


def _is_close(one: float, other: float) -> bool:
    """Equal but for the last digits, in which machines differ."""
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
