"""Objects as JSON: their class, and the settings to build them again."""

import importlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pianoroll_seq2seq.checkpoint.budget import Budget
from pianoroll_seq2seq.checkpoint.settings import check_settings
from pianoroll_seq2seq.errors import CheckpointError

_OWN = re.compile(
    r"(pianoroll_seq2seq\.(?:grid|layout|parts|pitches|data\.condition_sources|models(?:\.\w+)+)):(\w+)", re.ASCII
)
"""The classes of this library that a file may name. No store or tracker: they would open files or connections."""
_MAX_DEPTH = 16
_SHOWN = 500


@runtime_checkable
class Described(Protocol):
    """Anything with a method ``settings()`` that returns its constructor's arguments."""

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        ...


def describe(value: Described | object) -> dict[str, Any]:
    """The class of an object and its settings, which may hold such objects too."""
    settings = value.settings() if isinstance(value, Described) else None
    kind = type(value)
    return {"class": f"{kind.__module__}:{kind.__qualname__}", "settings": encode(settings)}


def encode(value: Any) -> Any:
    """A value as JSON. Objects with ``settings()`` become descriptions, also in lists and mappings."""
    if value is None or isinstance(value, str | int | float):  # most of them; a look for a method takes longer
        return value
    if isinstance(value, Described):
        return describe(value)
    if isinstance(value, Mapping):
        return {key: encode(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [encode(inner) for inner in value]
    return value


def build(
    description: Mapping[str, Any],
    *,
    classes: Iterable[type] = (),
    label: str = "the description",
    budget: Budget | None = None,
) -> Any:
    """The inverse of :func:`describe`.

    Settings are data: they build only classes of this library and those in ``classes``, take the types of the
    constructor's annotations, and cost no more than the budget.

    Args:
        description: what :func:`describe` returned.
        classes: classes that are not of this library.
        label: where the description is from, for errors.
        budget: how much modules may be built; by default 1,000 tensors with 10 million numbers.

    Raises:
        CheckpointError: a class that is neither of this library nor in ``classes``, whose constructor refuses the
            settings, or that would build more than the budget.
    """
    builder = _Builder(tuple(classes), label, budget or Budget())
    with builder.budget.limits_modules():
        return builder.build(description)


@dataclass(frozen=True)
class _Builder:
    classes: tuple[type, ...]
    label: str
    budget: Budget

    def build(self, description: Mapping[str, Any], depth: int = 0) -> Any:
        if not is_description(description):
            raise CheckpointError(
                f"{self.label}: damaged; expected a class and its settings, got {_short(description)}."
            )
        path, settings = description["class"], description["settings"]
        passed = {f"{kind.__module__}:{kind.__qualname__}": kind for kind in self.classes}.get(path)
        kind = passed or _own_class(path)
        if kind is None:
            raise CheckpointError(
                f"{self.label}: needs the class {path}, which is not part of pianoroll_seq2seq. If you trust it, pass "
                f"it: open_model(path, classes=[{path.split(':')[-1]}]), or --classes {path.replace(':', '.')} on the "
                f"command line."
            )
        if settings is None:
            raise CheckpointError(
                f"{self.label}: {path} has no method settings() that returns its constructor's arguments, so it cannot "
                f"be built. Build the model yourself and call checkpoint.restore(path, model)."
            )
        arguments = {key: self._decode(value, depth + 1) for key, value in settings.items()}
        try:
            if passed is None:
                check_settings(kind, arguments)
            return kind(**arguments)
        except Exception as error:  # a constructor may raise anything for foreign settings
            raise CheckpointError(
                f"{self.label}: {path} cannot be built with the settings {_short(settings)} ({error}). Use another "
                f"copy of the file."
            ) from error

    def _decode(self, value: Any, depth: int) -> Any:
        """The inverse of :func:`encode`, except that tuples become lists."""
        if depth > _MAX_DEPTH:
            raise CheckpointError(f"{self.label}: damaged; its settings are nested more than {_MAX_DEPTH} deep.")
        if is_description(value):
            return self.build(value, depth)
        if isinstance(value, Mapping):
            return {key: self._decode(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._decode(inner, depth + 1) for inner in value]
        return value


def _short(value: Any) -> str:
    """A value in an error message."""
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def is_description(value: Any) -> bool:
    """Whether a value has the form that :func:`describe` gives."""
    return (
        isinstance(value, Mapping)
        and value.keys() == {"class", "settings"}
        and isinstance(value["class"], str)
        and isinstance(value["settings"], Mapping | None)
    )


def _own_class(path: str) -> type | None:
    """A class of this library whose objects are values or models; nothing is imported for any other name."""
    match = _OWN.fullmatch(path)
    if match is None:
        return None
    try:
        kind = getattr(importlib.import_module(match[1]), match[2], None)
    except ImportError:
        return None
    if not isinstance(kind, type) or kind.__module__ != match[1]:
        return None
    return kind if hasattr(kind, "settings") else None
