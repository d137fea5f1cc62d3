"""Checks of single JSON fields; each raises a :class:`~pianoroll_seq2seq.serving.RequestError` that names the field."""

import json
import math
from collections.abc import Collection, Mapping

from pianoroll_seq2seq.serving.errors import RequestError

_MAX_SHOWN = 80


def object_field(
    value: object, field: str, allowed: Collection[str], *, required: Collection[str] = ()
) -> Mapping[str, object]:
    """A JSON object with no fields but the allowed ones, and all of the required ones."""
    if not isinstance(value, Mapping):
        raise RequestError(400, field, f"must be a JSON object with {_listed(allowed)}, got {shown(value)}.")
    unknown = [str(key) for key in value if key not in allowed]
    if unknown:
        raise RequestError(400, field, f"unknown field {shown(unknown[0])}. Known fields: {_listed(allowed)}.")
    missing = [key for key in required if key not in value]
    if missing:
        raise RequestError(400, f"{field}.{missing[0]}", "missing.")
    return value


def integer_field(value: object, field: str, *, lowest: int, highest: int | None = None) -> int:
    """An integer between two bounds."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise RequestError(400, field, f"must be an integer, got {shown(value)}.")
    if value < lowest or (highest is not None and value > highest):
        bounds = f"in {lowest}..{highest}" if highest is not None else f"at least {lowest}"
        raise RequestError(422, field, f"must be {bounds}, got {shown(value)}.")
    return value


def number_field(value: object, field: str, *, lowest: float = -math.inf, highest: float = math.inf) -> float:
    """A finite number between two bounds."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RequestError(400, field, f"must be a number, got {shown(value)}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise RequestError(422, field, "must be a finite number.")
    if not lowest <= number <= highest:
        bounds = f"at least {lowest:g}" if highest == math.inf else f"in {lowest:g}..{highest:g}"
        raise RequestError(422, field, f"must be {bounds}, got {number:.6g}.")
    return number


def shown(value: object) -> str:
    """A value as JSON, shortened for an error message."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**_MAX_SHOWN:
        return "a number of very many digits"
    try:
        text = json.dumps(value[:_MAX_SHOWN] if isinstance(value, str) else value, default=repr)
    except RecursionError:  # JSON can be nested too deeply to write although it could be read
        return "lists or objects nested very deeply"
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
