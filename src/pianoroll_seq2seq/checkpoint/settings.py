"""Settings from a file, held against the types of the constructor that they are passed to."""

import inspect
import types
from collections.abc import Mapping
from itertools import repeat
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pianoroll_seq2seq.errors import SettingsError

_PLAIN = (bool, int, float, str, types.NoneType)


def check_settings(kind: type, settings: Mapping[str, Any]) -> None:
    """Refuses numbers, texts and lists where the constructor's annotations want something else.

    Constructors check ranges, but 8.5 layers, or the size "8", may only fail when the object is used.

    Raises:
        SettingsError: names the argument and what it takes.
    """
    hints = get_type_hints(inspect.getattr_static(kind, "__init__"))
    for name, value in settings.items():
        if name in hints and not _fits(value, hints[name]):
            expected = getattr(hints[name], "__name__", str(hints[name]))
            raise SettingsError(f"{name} must be {expected}, got {value!r:.80}")


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value may be of a type. Objects are left to the constructor."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return value in inner
    if origin in (list, tuple):
        is_open = origin is list or inner[-1] is ...
        items = repeat(inner[0]) if is_open else inner
        return isinstance(value, list) and (is_open or len(value) == len(inner)) and all(map(_fits, value, items))
    if hint is float:
        return type(value) in (int, float)
    return type(value) is hint if hint in _PLAIN else hint is Any or type(value) not in (*_PLAIN, list, dict)
