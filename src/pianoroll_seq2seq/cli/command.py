"""What a command is, and how its arguments become a call."""

import functools
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol, runtime_checkable

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter, UnusedCliTokensError
from cyclopts.config import Dict
from rich.console import Console

from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq._internal.redaction import redacted
from pianoroll_seq2seq.cli.class_options import ClassOption, class_parameters
from pianoroll_seq2seq.cli.config_file import check_code, flat_options, read_config
from pianoroll_seq2seq.cli.help_format import HelpFormat
from pianoroll_seq2seq.cli.options import ARGUMENTS, BASIC, GENERAL, lists_of, values_of
from pianoroll_seq2seq.errors import SettingsError

PROGRAM = "pianoroll-seq2seq"
_CONFIG_KEY = re.compile(r'"?((?:\[[\w.-]+\])+)"?')


class UsageError(SettingsError):
    """Arguments that the command does not take, or of another type than it expects."""


@runtime_checkable
class Result(Protocol):
    """The result of a command: text for people, JSON for programs."""

    def to_json(self) -> Any:
        """The result as plain data."""
        ...

    def __str__(self) -> str:
        """The result as text."""
        ...


@dataclass(frozen=True)
class Command:
    """A command of the command line."""

    run: Callable[..., Result | None]
    """A typed function with a docstring. Its parameters become the options and the help."""
    examples: str
    """Lines for the end of the help."""
    class_options: tuple[ClassOption, ...] = ()
    """Options that name a class. The arguments of the class become options too, and are passed by ``**arguments``."""
    functions: tuple[str, ...] = ()
    """Options that may name a function by its import path."""
    has_config: bool = False
    """Whether ``--config FILE`` reads options from a file."""
    keeps_result: bool = False
    """Whether the result is in files, and its text is only about them. Such a command has succeeded even if the text
    cannot be written."""

    @property
    def code_names(self) -> tuple[str, ...]:
        """Options that name code: a class or a function."""
        return (*(option.name for option in self.class_options), *self.functions)


@dataclass(frozen=True)
class CommandGroup:
    """Commands under one name, such as ``submit train`` and ``submit generate``."""

    summary: str
    """One line for the top of the help."""
    commands: Mapping[str, Command]

    def help(self, name: str) -> str:
        """The help of the group, whose name is ``name``."""
        width = max(map(len, self.commands))
        lines = [f"Usage: {PROGRAM} {name} COMMAND [OPTIONS]", "", self.summary, "", "Commands:"]
        for own, command in self.commands.items():
            summary = (inspect.getdoc(command.run) or "").partition("\n")[0]
            lines.append(f"  {own:{width}}  {summary.rstrip('.')}")
        examples = [
            line for command in self.commands.values() for line in inspect.cleandoc(command.examples).split("\n")
        ]
        return "\n".join([*lines, "", "Examples:", *(f"  {line}" for line in examples)]) + "\n"


def find_command(name: str, tokens: Sequence[str]) -> tuple[str, Command, list[str]]:
    """The command of a name, or the command of a group that the first argument names.

    Returns:
        The whole name, the command, and its arguments.

    Raises:
        UsageError: the group has no such command.
    """
    found: Command | CommandGroup = importlib.import_module(f"pianoroll_seq2seq.cli.{name}").COMMAND
    if isinstance(found, Command):
        return name, found, list(tokens)
    own = tokens[0] if tokens else ""
    if own not in found.commands:
        got = f"got {own!r}" if own else "got none"
        raise UsageError(
            f"{name} expects the name of a command first, {' or '.join(found.commands)}, {got}.\n"
            f"See: {PROGRAM} {name} --help"
        )
    return f"{name} {own}", found.commands[own], list(tokens[1:])


@dataclass(frozen=True)
class Call:
    """A command with its arguments."""

    run: Callable[[], Result | None]
    as_json: bool
    """Whether ``--json`` was given."""


def parse(name: str, command: Command, tokens: Sequence[str]) -> Call:
    """Reads the arguments of a command.

    Args:
        name: the command's name.
        command: the command.
        tokens: its arguments, without its name.

    Raises:
        UsageError: unknown options, values of the wrong type, or missing arguments.
        SettingsError: a configuration file that cannot be read.
    """
    app = make_app(name, command, tokens)
    try:
        function, bound, _ = app.parse_args(list(tokens), exit_on_error=False, print_error=False, verbose=False)
    except CycloptsError as error:
        raise UsageError(f"{_readable(error, command)}\nSee: {PROGRAM} {name} --help") from error
    bound.apply_defaults()
    as_json = bool(bound.arguments.pop("json", False))
    if command.has_config:
        bound.arguments.pop("config", None)
        bound.arguments.pop("classes", None)
    return Call(functools.partial(function, *bound.args, **bound.kwargs), as_json)


def make_app(name: str, command: Command, tokens: Sequence[str]) -> App:
    """The cyclopts app of a command.

    Args:
        name: the command's name.
        command: the command.
        tokens: its arguments. The classes that they name have options, and a configuration gives values.

    Raises:
        SettingsError: a class or a configuration that cannot be found.
    """
    config, source = _config(command, tokens)
    app = App(
        name=f"{PROGRAM} {name}",
        console=Console(soft_wrap=True),
        help_formatter=HelpFormat(),
        help_format="plaintext",
        help_epilogue=f"Examples:\n{inspect.cleandoc(command.examples)}".replace("\n", "\n  "),
        group_arguments=ARGUMENTS,
        group_parameters=BASIC,
        group_commands=GENERAL,
        version_flags=(),
        config=Dict(config, source=source, use_commands_as_keys=False),
        default_parameter=Parameter(consume_multiple=1, negative_iterable=()),
    )
    app["--help"].help = "Show this help."
    extra = [*class_parameters(command.class_options, tokens, config), *_common_parameters(command)]
    app.default(_with_parameters(command.run, extra))
    return app


def flags_of(command: Command) -> set[str]:
    """The options of a command, such as ``--output``."""
    return {name for argument in make_app("", command, ()).assemble_argument_collection() for name in argument.names}


def _config(command: Command, tokens: Sequence[str]) -> tuple[dict[str, Any], str]:
    """The options of ``--config``, and the name of the file."""
    paths = values_of(tokens, "--config") if command.has_config else []
    if not paths:
        return {}, ""
    named = {option.name for option in command.class_options if values_of(tokens, option.flag)}
    config = flat_options(read_config(Path(paths[-1])), without_classes=named)
    from_file = {name: value for name, value in config.items() if not values_of(tokens, f"--{name.replace('_', '-')}")}
    check_code(from_file, command.code_names, classes=lists_of(tokens, "--classes"), label=paths[-1])
    return config, paths[-1]


def _common_parameters(command: Command) -> list[inspect.Parameter]:
    """The options that several commands share and that are not passed on."""
    as_json = Annotated[bool, Parameter(help="Print the result as one JSON document.", group=GENERAL, negative=())]
    config = Annotated[
        Path | None,
        Parameter(help="YAML file to read options from. Options on the command line win.", group=BASIC),
    ]
    classes = Annotated[
        list[str] | None,
        Parameter(
            help="Import paths of your own classes, functions or modules that the configuration may name.",
            group=GENERAL,
            metavar="CLASS...",
        ),
    ]
    parameters = [_keyword("json", as_json, default=False)]
    if not command.has_config:
        return parameters
    return [_keyword("config", config, default=None), _keyword("classes", classes, default=None), *parameters]


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _with_parameters(function: Callable[..., Any], extra: Sequence[inspect.Parameter]) -> Callable[..., Any]:
    """The function with more parameters in its signature, in place of its ``**arguments``."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    signature = inspect.signature(function)
    own = [parameter for parameter in signature.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
    call.__annotations__.pop("return", None)  # it may name a type that is imported for type checkers only
    call.__signature__ = signature.replace(parameters=[*own, *extra])  # type: ignore[attr-defined]
    return call


def _readable(error: CycloptsError, command: Command) -> str:
    """The message of an error. Keys of a configuration file, such as ``[model][hidden_size]``, are joined by dots."""
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f"Unexpected argument: {error.unused_tokens[0]}"
    if isinstance(error, MissingArgumentError) and error.argument is not None and error.keyword is None:
        name, example = error.argument.name, inspect.cleandoc(command.examples).partition("\n")[0]
        missing = str(error).replace(f"Parameter {name} requires an argument.", f"{name} is missing.")
        return f"{missing}\nExample: {example}"
    return _CONFIG_KEY.sub(lambda match: f"'{match[1][1:-1].replace('][', '.')}'", str(error))


def log(line: str) -> None:
    """Prints a line about progress to standard error. Standard output is for results."""
    print(printable(redacted(line), keep="\n"), file=sys.stderr, flush=True)
