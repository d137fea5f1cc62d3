"""Objects as JSON: their class, and the settings to build them again."""

import importlib
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from pianoroll_seq2seq.errors import CheckpointError

_PACKAGE = "pianoroll_seq2seq"


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
    if isinstance(value, Described):
        return describe(value)
    if isinstance(value, Mapping):
        return {key: encode(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [encode(inner) for inner in value]
    return value


def build(description: Mapping[str, Any], *, classes: Iterable[type] = (), label: str = "the description") -> Any:
    """The inverse of :func:`describe`.

    Raises:
        CheckpointError: a class that is neither of this library nor in ``classes``, or whose constructor refuses the
            settings.
    """
    if not is_description(description):
        raise CheckpointError(f"{label}: damaged; expected a class and its settings, got {description}.")
    path, settings = description["class"], description["settings"]
    classes = tuple(classes)  # an iterator would be exhausted by the nested objects
    kind = {f"{kind.__module__}:{kind.__qualname__}": kind for kind in classes}.get(path) or _own_class(path)
    if kind is None:
        raise CheckpointError(
            f"{label}: needs the class {path}, which is not part of pianoroll_seq2seq. If you trust it, pass it: "
            f"open_model(path, classes=[{path.split(':')[-1]}]), or --classes {path.replace(':', '.')} on the command "
            f"line."
        )
    if settings is None:
        raise CheckpointError(
            f"{label}: {path} has no method settings() that returns its constructor's arguments, so it cannot be "
            f"built. Build the model yourself and call checkpoint.restore(path, model)."
        )
    built = {key: _decode(value, classes, label) for key, value in settings.items()}
    try:
        return kind(**built)
    except Exception as error:  # a constructor may raise anything for foreign settings
        raise CheckpointError(f"{label}: {path} cannot be built with the settings {settings} ({error}).") from error


def _decode(value: Any, classes: Iterable[type], label: str) -> Any:
    """The inverse of :func:`encode`, except that tuples become lists."""
    if is_description(value):
        return build(value, classes=classes, label=label)
    if isinstance(value, Mapping):
        return {key: _decode(inner, classes, label) for key, inner in value.items()}
    if isinstance(value, list):
        return [_decode(inner, classes, label) for inner in value]
    return value


def is_description(value: Any) -> bool:
    """Whether a value has the form that :func:`describe` gives."""
    return (
        isinstance(value, Mapping)
        and value.keys() == {"class", "settings"}
        and isinstance(value["class"], str)
        and isinstance(value["settings"], Mapping | None)
    )


def _own_class(path: str) -> type | None:
    module_name, _, name = path.partition(":")
    if module_name.split(".")[0] != _PACKAGE:
        return None
    try:
        kind = getattr(importlib.import_module(module_name), name, None)
    except ImportError:
        return None
    if not isinstance(kind, type) or kind.__module__ != module_name:
        return None
    return kind if hasattr(kind, "settings") else None  # no store or tracker, which would open files or connections
