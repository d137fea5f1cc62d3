"""Figures as tracking services take them."""

import math
from collections.abc import Mapping


def finite(metrics: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """The figures as plain floats, whatever kind of number they were, and the names of those that are not finite."""
    numbers = {name: float(value) for name, value in metrics.items()}
    dropped = [name for name, value in numbers.items() if not math.isfinite(value)]
    return {name: value for name, value in numbers.items() if math.isfinite(value)}, dropped
