"""Arguments as people write them, brought to the form that the parser reads.

``--batch-size 4`` is ``--batch_size=4``, ``--overwrite`` is ``--overwrite=true``, and ``--output a.mid b.wav`` (or each
with an ``--output`` of its own) is ``--output=["a.mid", "b.wav"]``.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Unpack, get_args, get_origin, get_type_hints

_TRUTHS = ("true", "false")
_ALIAS = re.compile(r"^model\.head(?=$|\.)")  # a head is an option of its own, and may be written as one of the model


@dataclass(frozen=True)
class Shapes:
    """How many values options take; all others take one.

    Args:
        switches: options that are true or false.
        lists: options of several values.
        rest: whether what is given by position is a list, too, from the place of this number on.
    """

    switches: frozenset[str]
    lists: frozenset[str]
    rest: int | None

    @classmethod
    def of(cls, functions: Sequence[Callable[..., Any]]) -> "Shapes":
        """Those of the parameters of functions (or of classes)."""
        switches, lists, rest = set(), set(), None
        for function in functions:
            required = 0
            for name, hint, by_position in _parameters(function):
                if hint is bool:
                    switches.add(name)
                elif _is_list(hint):
                    lists.add(name)
                    rest = required if by_position else rest
                required += by_position
        return cls(frozenset(switches), frozenset(lists), rest)


def _parameters(function: Callable[..., Any]) -> Iterator[tuple[str, Any, bool]]:
    """Name and type of each parameter, and whether it is given by position; those of keyword arguments one by one."""
    hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints.get(name)
        if get_origin(hint) is Unpack:
            yield from ((key, inner, False) for key, inner in get_type_hints(get_args(hint)[0]).items())
        else:
            yield name, hint, parameter.default is parameter.empty and parameter.kind is not parameter.KEYWORD_ONLY


def _is_list(hint: object) -> bool:
    """Whether it is a list of plain values; those of classes are left to the parser."""
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return any(get_origin(kind) is list and get_args(kind)[0] in (str, int, float) for kind in kinds)


def normalised(given: Sequence[str], shapes: Shapes) -> list[str]:
    """The arguments in the parser's form.

    Args:
        given: as they were written.
        shapes: of the options.
    """
    options: list[str] = []
    places: list[str] = []
    several: dict[str, list[str]] = {}
    waiting = iter(_grouped(given))
    for name, values, joined in waiting:
        if name is None:
            places += values
        elif name in shapes.lists:
            several.setdefault(name, []).extend(values)
        elif name in shapes.switches and not joined and values[:1] not in ([truth] for truth in _TRUTHS):
            options.append(f"--{name}=true")
            places += values
        elif values:
            options.append(f"--{name}={values[0]}")
            places += values[1:]
        else:
            options.append(f"--{name}")
    options += [f"--{name}={json.dumps(values)}" for name, values in several.items()]
    if shapes.rest is not None and len(places) > shapes.rest:
        places = [*places[: shapes.rest], json.dumps(places[shapes.rest :])]
    return [*options, *places]


def _grouped(given: Sequence[str]) -> Iterator[tuple[str | None, list[str], bool]]:
    """Each option with the values up to the next, and whether the first was joined to it by ``=``."""
    name: str | None = None
    values: list[str] = []
    joined = False
    for argument in given:
        if argument.startswith("--") and len(argument) > 2:
            yield name, values, joined
            key, equals, value = argument[2:].partition("=")
            name, values, joined = _ALIAS.sub("head", key.replace("-", "_")), [value] if equals else [], bool(equals)
        elif argument == "-h":
            yield name, values, joined
            name, values, joined = "help", [], False
        else:
            values.append(argument)
    yield name, values, joined
