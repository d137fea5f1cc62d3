"""Options that name a class, such as ``--model CopyingLSTM``, and take its arguments: ``--model.hidden-size 64``.

The parameters of the class's constructor become options of the command. Only plain values can be given: numbers,
texts, booleans, and tuples or lists of them.
"""

import inspect
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import docstring_parser
from cyclopts import Parameter

from pianoroll_seq2seq.cli.config_file import plain_value
from pianoroll_seq2seq.cli.options import optional_whole_number, values_of, whole_number
from pianoroll_seq2seq.cli.user_code import import_named
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError, SettingsError

_PLAIN = (int, float, bool, str, Path)
_SEPARATOR = "__"


@dataclass(frozen=True)
class ClassChoice:
    """A class and its arguments."""

    flag: str
    """The option that named it, for error messages."""
    path: str
    """The import path."""
    kind: Callable[..., Any]
    arguments: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the class."""
        return self.path.rpartition(".")[2]

    def build(self, *args: Any, **filled_in: Any) -> Any:
        """Builds an instance, from the given arguments and further ones.

        Raises:
            SettingsError: the class does not take these arguments.
        """
        try:
            return self.kind(*args, **{**self.arguments, **filled_in})
        except SettingsError as error:
            raise SettingsError(f"{self.flag} {self.name}: {error}") from error
        except PianoRollSeq2SeqError:
            raise
        except (TypeError, ValueError) as error:  # from a class of the user's, or of PyTorch
            raise SettingsError(
                f"{self.flag} {self.name}: cannot be built with {dict(self.arguments)}: {error}"
            ) from error

    def to_config(self) -> dict[str, Any]:
        """The class as a configuration holds it."""
        return {"class": self.path, **{name: plain_value(value) for name, value in self.arguments.items()}}


@dataclass(frozen=True)
class ClassOption:
    """An option that names a class."""

    name: str
    """The parameter that gets the class's import path."""
    module: str
    """The module in which names without a dot are looked up."""
    filled_in: frozenset[str] = frozenset()
    """Required parameters of the class that the command fills in."""
    hidden: frozenset[str] = frozenset()
    """Parameters that are not options."""
    methods: tuple[str, ...] = ()
    """Methods that the class must have."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """The class that is used if none is named (``class``), and its arguments."""

    @property
    def flag(self) -> str:
        """The option as it is written."""
        return f"--{self.name.replace('_', '-')}"

    def path_of(self, name: str) -> str:
        """The import path of a name. One without a dot is looked up in the option's module."""
        return name if "." in name else f"{self.module}.{name}"

    def find(self, name: str) -> type:
        """The class of a name.

        Raises:
            SettingsError: there is no such class, or it lacks a method.
        """
        found = find_class(self.path_of(name), self.flag)
        missing = [method for method in self.methods if not any(method in base.__dict__ for base in found.__mro__)]
        if missing:
            raise SettingsError(f"{self.flag} {name}: the class has no method {missing[0]}(). Name another class.")
        return found

    def choose(self, name: str | None, arguments: Mapping[str, Any]) -> ClassChoice | None:
        """The named class with its arguments, among the arguments of all classes; None without a name."""
        if name is None:
            return None
        prefix = f"{self.name}{_SEPARATOR}"
        own = {key.removeprefix(prefix): value for key, value in arguments.items() if key.startswith(prefix)}
        return ClassChoice(self.flag, self.path_of(name), self.find(name), own)

    def chosen(self, tokens: Sequence[str], config: Mapping[str, Any]) -> str | None:
        """The name in the arguments or the configuration, or None."""
        named = [*([config[self.name]] if config.get(self.name) else []), *values_of(tokens, self.flag)]
        return str(named[-1]) if named else None


def find_class(path: str, flag: str) -> type:
    """The class at an import path.

    Args:
        path: such as ``my_module.MyModel``.
        flag: the option, for the error message.

    Raises:
        SettingsError: there is no such class.
    """
    found = import_named(path, flag)
    if not isinstance(found, type):
        raise SettingsError(f"{flag}: {path} is not a class, but {found!r:.80}.")
    return found


def find_classes(paths: Iterable[str]) -> list[type]:
    """The classes that ``--classes`` names.

    Raises:
        SettingsError: there is no such class.
    """
    return [find_class(path, "--classes") for path in paths]


def class_parameters(
    options: Sequence[ClassOption], tokens: Sequence[str], config: Mapping[str, Any]
) -> list[inspect.Parameter]:
    """The arguments of the chosen classes as parameters of a command.

    Args:
        options: the options that name classes.
        tokens: the arguments of the command line.
        config: the options of a configuration, as :func:`~pianoroll_seq2seq.cli.config_file.flat_options` gives them.
    """
    named = {option.name: option.chosen(tokens, config) for option in options}
    if {"--help", "-h"} & set(tokens):  # the help is quick, and has only the arguments of classes that were named
        defaults: dict[str, str] = {}
    else:
        defaults = default_classes(options, named)
    parameters = []
    for option in options:
        name = named[option.name]
        if name is not None:
            parameters += _parameters(option, option.find(name), {})
        elif option.name in defaults:
            parameters += _parameters(option, option.find(defaults[option.name]), option.defaults)
    return parameters


def default_classes(options: Sequence[ClassOption], named: Mapping[str, str | None]) -> dict[str, str]:
    """The default classes of options that name none. A default head belongs to the default model."""
    return {
        option.name: option.defaults["class"]
        for option in options
        if option.defaults and named[option.name] is None and (option.name != "head" or named["model"] is None)
    }


def _parameters(option: ClassOption, kind: type, defaults: Mapping[str, Any]) -> list[inspect.Parameter]:
    """One keyword-only parameter for each argument of a class that can be given as text."""
    try:
        hints = get_type_hints(inspect.getattr_static(kind, "__init__"))
    except (NameError, TypeError):
        hints = {}
    documented = {one.arg_name: one.description for one in docstring_parser.parse(kind.__doc__ or "").params}
    found = []
    for name, parameter in inspect.signature(kind).parameters.items():
        default = defaults.get(name, parameter.default)
        hint = plain_type(hints.get(name, type(default) if isinstance(default, _PLAIN) else str))
        required = default is parameter.empty
        skipped = name in option.hidden or (required and name in option.filled_in)
        if skipped or hint is None or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        settings = Parameter(
            name=f"{option.flag}.{name.replace('_', '-')}",
            group=f"Arguments of {kind.__name__}",
            help=(documented.get(name) or "").replace("\n", " "),
            converter={int: whole_number, int | None: optional_whole_number}.get(hint),
        )
        found.append(
            inspect.Parameter(
                f"{option.name}{_SEPARATOR}{name}",
                inspect.Parameter.KEYWORD_ONLY,
                annotation=Annotated[hint, settings],
                default=default,
            )
        )
    return found


def plain_type(hint: Any) -> Any:
    """A type without the parts that cannot be written as text, or None if nothing is left.

    Example:
        >>> plain_type(float | type[int]), plain_type(dict[str, int])
        (<class 'float'>, None)
    """
    origin = get_origin(hint)
    if hint in _PLAIN or origin is Literal:
        return hint
    if origin in (Union, types.UnionType):
        parts = [part if part is type(None) else plain_type(part) for part in get_args(hint)]
        left = [part for part in parts if part is not None]
        return Union[tuple(left)] if set(left) - {type(None)} else None  # noqa: UP007 (made of a tuple)
    if origin in (tuple, list, Sequence):
        parts = [part if part is ... else plain_type(part) for part in get_args(hint)]
        return None if None in parts else (tuple if origin is tuple else list)[tuple(parts)]
    return None
