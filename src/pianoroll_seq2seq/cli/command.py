"""What a command is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace


@runtime_checkable
class Result(Protocol):
    """What a command found out or made: text for people, JSON for programs."""

    def to_json(self) -> Any:
        """As JSON can hold it."""
        ...

    def __str__(self) -> str:
        """As people read it."""
        ...


@dataclass(frozen=True)
class Command:
    """A command of the command line.

    Args:
        run: a function with a typed signature and a docstring, which become the options and the help. What may not be
            left out is given by position, unless it is keyword-only. None is returned where there is nothing to say.
        examples: lines for the end of the help.
        groups: classes and functions whose parameters are the options, where those of ``run`` are not.
        add: adds options that no signature can say; it is given the parser and the arguments.
        call: calls the function, from the options, instantiated, and the configuration that they make, as YAML. By
            default each option is passed under its name.
        configurable: whether options may stand in YAML files (``--config``).
        own_classes: whether classes of the user's may be named, also those of modules in the working directory.
    """

    run: Callable[..., Result | None]
    examples: str
    groups: tuple[Callable[..., Any], ...] = ()
    add: "Callable[[ArgumentParser, Sequence[str]], None] | None" = None
    call: "Callable[[Namespace, str], Result | None] | None" = None
    configurable: bool = False
    own_classes: bool = False


NO_OPTIONS = frozenset({"limits", "compiled"})
"""Parameters of reading MIDI files that are for programs."""
