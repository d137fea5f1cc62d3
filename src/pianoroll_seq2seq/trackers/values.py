"""Metrics and parameters as trackers store them: finite numbers, plain values, and no secrets."""

import math
import re
from collections.abc import Mapping
from typing import Any

from pianoroll_seq2seq._internal.redaction import redacted

_WORDS = re.compile(r"[^A-Za-z]+|(?<=[a-z])(?=[A-Z])")
_SECRET = re.compile(
    "(?:^|_)(?:account_?key|access_?key|api_?key|connection_?string|credentials?|password|passwd|secret|sas|token)$"
)
"""The ends of the names of parameters whose texts are secrets, in small letters with underscores."""


def finite_metrics(metrics: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """The metrics as plain floats, and the names of those that are not finite. Arrays and tensors are converted."""
    numbers = {name: float(value) for name, value in metrics.items()}
    dropped = [name for name, value in numbers.items() if not math.isfinite(value)]
    return {name: value for name, value in numbers.items() if math.isfinite(value)}, dropped


def plain_value(value: Any) -> Any:
    """A value that JSON can hold: numbers that are not finite become None, arrays lists, and other objects texts."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain_value(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_value(one) for one in value]
    if callable(numbers := getattr(value, "tolist", None)):  # of NumPy or PyTorch
        return plain_value(numbers())
    return str(value)


def public_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without secrets: keys and signatures in texts, and whatever is called a key or a password.

    Example:
        >>> public_params({"url": "https://a.blob.core.windows.net/b?sig=abc", "store.account_key": "abc", "epochs": 3})
        {'url': 'https://a.blob.core.windows.net/b?sig=***', 'store.account_key': '***', 'epochs': 3}
    """
    return {name: _public(str(name), value) for name, value in params.items()}


def _public(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return public_params(value)
    if isinstance(value, list | tuple):
        return [_public(name, one) for one in value]
    if not isinstance(value, str):
        return value
    is_secret = _SECRET.search("_".join(_WORDS.split(name)).lower())
    return "***" if is_secret and value else redacted(value)
