"""Models, heads and optimizers that are named by their class, and get what the data says when it is known."""

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from pianoroll_seq2seq.errors import PianoRollSeq2SeqError, SettingsError
from pianoroll_seq2seq.models.base import SequenceModel


class Model(Protocol):
    """What a class needs to be taken for a sequence model (:class:`~pianoroll_seq2seq.models.base.SequenceModel`)."""

    def start(self, primer: Any) -> Any:
        """Hears a primer."""
        ...

    def advance(self, frame: Any, state: Any) -> Any:
        """Hears one more frame."""
        ...


class Head(Protocol):
    """What a class needs to be taken for an output head (:class:`~pianoroll_seq2seq.heads.base.OutputHead`)."""

    def forward(self, features: Any, past: Any) -> Any:
        """The distributions of frames."""
        ...


class Logs(Protocol):
    """What a class needs to be taken for a tracker (:class:`~pianoroll_seq2seq.trackers.base.Tracker`)."""

    def log_params(self, params: Any) -> Any:
        """What the run was started with."""
        ...

    def log_metrics(self, metrics: Any, *, step: Any) -> Any:
        """Figures."""
        ...


@dataclass(frozen=True)
class Recipe:
    """A class, and those of its arguments that are known.

    Args:
        kind: the class.
        arguments: by name.
    """

    kind: Callable[..., Any]
    arguments: Mapping[str, Any]

    def build(self, **sizes: Any) -> Any:
        """An instance, with the rest of the arguments.

        Raises:
            SettingsError: arguments that the class does not want, or has none for.
        """
        try:
            return self.kind(**{**self.arguments, **sizes})
        except PianoRollSeq2SeqError:
            raise
        except (TypeError, ValueError) as error:  # of a class of the user's
            name = getattr(self.kind, "__qualname__", repr(self.kind))
            raise SettingsError(f"{name} cannot be built with {dict(self.arguments)} and {sizes}: {error}") from error

    def takes(self, name: str) -> bool:
        """Whether the class has a parameter of a name."""
        return name in inspect.signature(self.kind).parameters


def instantiators() -> list[tuple[Callable[..., object], type, bool]]:
    """For the parser: what still lacks arguments becomes a :class:`Recipe`."""

    def waiting(kind: type, *positional: Any, **arguments: Any) -> Any:
        signature = inspect.signature(kind)
        model = hasattr(kind, "advance")
        head = "features" in signature.parameters and "features" not in arguments
        try:
            signature.bind(*positional, **arguments)
        except TypeError:
            return Recipe(kind, arguments)
        return Recipe(kind, arguments) if model or head else kind(*positional, **arguments)

    return [(waiting, nn.Module, True)]


def build_model(model: Recipe, head: Recipe | None, *, sizes: Mapping[str, Any], seed: int) -> SequenceModel:
    """A model of the sizes of its data, with a head of the sizes of the model.

    How many features a head reads is what the model's own head reads, so the model is built without the head first.

    Args:
        model: the model.
        head: its head; the model's own by default.
        sizes: what the data says, of which each class is given what it has parameters for.
        seed: of the weights.

    Raises:
        SettingsError: a head for a model that takes none, or arguments that make no sense.
    """
    given = {name: value for name, value in sizes.items() if model.takes(name)}
    writes_blocks = not model.takes("decoder") or model.arguments.get("decoder") == "parallel"
    if not writes_blocks or model.arguments.get("block_frames") is not None:
        given.pop("block_frames", None)
    if head is not None:
        if not model.takes("head"):
            raise SettingsError(f"{_name(model)} has no parameter 'head'. Leave out --head.")
        own = getattr(model.build(**given), "head", None)
        if own is None or not hasattr(own, "features"):
            raise SettingsError(f"{_name(model)} does not say how many features its head reads (head.features).")
        own_sizes = {"features": own.features, "pitches": own.pitches}
        torch.manual_seed(seed)
        given["head"] = head.build(**own_sizes)
    else:
        torch.manual_seed(seed)
    built = model.build(**given)
    if not isinstance(built, SequenceModel):
        raise SettingsError(f"{_name(model)} is no sequence model: see SequenceModel for what one needs.")
    return built


def _name(recipe: Recipe) -> str:
    return str(getattr(recipe.kind, "__qualname__", recipe.kind))


def classes_named(paths: Iterable[str]) -> list[type]:
    """The classes of some import paths, such as ``my_module.MyModel``.

    Raises:
        SettingsError: there is no such class.
    """
    return [_class_named(path) for path in paths]


def _class_named(path: str) -> type:
    module, _, name = path.replace(":", ".").rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(
            f"--classes: there is no class {path} ({error}). Give its import path, such as my_module.MyModel; modules "
            f"of the working directory are found."
        ) from error
    if not isinstance(found, type):
        raise SettingsError(f"--classes: {path} is no class but {found!r}.")
    return found
