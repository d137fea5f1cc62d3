"""Metrics for tracking services, which accept finite floats only."""

import math
from collections.abc import Mapping


def finite_metrics(metrics: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """The metrics as plain floats, and the names of those that are not finite. Arrays and tensors are converted."""
    numbers = {name: float(value) for name, value in metrics.items()}
    dropped = [name for name, value in numbers.items() if not math.isfinite(value)]
    return {name: value for name, value in numbers.items() if math.isfinite(value)}, dropped
