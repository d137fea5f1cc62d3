"""From a typed function to a parser, and from arguments to a call."""

import inspect
import re
import textwrap
from argparse import Action, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jsonargparse
from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter, Namespace

from pianoroll_seq2seq.cli.arguments import Shapes, normalised
from pianoroll_seq2seq.cli.command import NO_OPTIONS, Command, Result
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.midi_io.policy import Policies

PROGRAM = "pianoroll-seq2seq"
_NOISE = re.compile(
    r"^\s*(- )?(Does not validate against any of the Union subtypes|Subtypes: \[.*|Errors:|Given value type: .*"
    r"|Given value: .*|Expected a <class 'NoneType'>.*|Expected a path but .* either not accessible or invalid"
    r"|\w+\.__init__\(\) got an unexpected keyword argument.*|)$"
)
_ROLE = re.compile(r":\w+:`~?(?:[\w.]*\.)?(\w+)`")


class UsageError(SettingsError):
    """Arguments that are none of the command's, or not of the type they should be."""


@dataclass(frozen=True)
class Call:
    """A command with its arguments.

    Args:
        run: does it.
        as_json: whether the result is asked for as JSON.
    """

    run: Callable[[], Result | None]
    as_json: bool


def parse(name: str, command: Command, given: Sequence[str]) -> Call:
    """Reads the arguments of a command.

    Args:
        name: what it is called.
        command: the command.
        given: its arguments, without its name.

    Raises:
        UsageError: arguments that cannot be understood.
        SystemExit: help, or the configuration, was asked for, and has been printed.
    """
    groups = command.groups or (command.run,)
    parser = _parser(name, command)
    arguments = normalised(given, Shapes.of([_common, *groups]))
    try:
        for group in groups:
            _add(parser, group, sections=bool(command.groups))
        if command.add is not None:
            command.add(parser, arguments)
        options = parser.parse_args(arguments)
        as_json = options.pop("json")
        if command.configurable:
            options.pop("config")
        text = parser.dump(options, skip_unset=False, skip_validation=True)
        made = parser.instantiate(options, instantiators=_instantiators(command))
    except (ArgumentError, ValueError, TypeError, ImportError) as error:
        raise UsageError(f"{readable(str(error))}\nSee: {PROGRAM} {name} --help") from error
    return Call(lambda: _call(command, made, text), bool(as_json))


def readable(message: str) -> str:
    """A message of the parser without what is about the parser."""
    lines = dict.fromkeys(line for line in message.splitlines() if not _NOISE.match(line))
    return textwrap.dedent("\n".join(lines)).replace('Parser key "', 'Option "').strip().removeprefix("- ")


def _parser(name: str, command: Command) -> ArgumentParser:
    parser = ArgumentParser(
        prog=f"{PROGRAM} {name}",
        description=_description(command.run),
        epilog=f"examples:\n{textwrap.indent(textwrap.dedent(command.examples).strip(), '  ')}",
        formatter_class=_Help,
        exit_on_error=False,
        allow_abbrev=False,
    )
    if command.configurable:
        from_file = jsonargparse.ActionConfigFile  # type: ignore[attr-defined] # public, though not re-exported by name
        parser.add_argument("--config", action=from_file, help="a YAML file of options; what comes later wins")
    parser.add_function_arguments(_common, as_group=False)
    return parser


def _add(parser: ArgumentParser, group: Callable[..., object], *, sections: bool) -> None:
    """The parameters of a function or a class as options."""
    add = parser.add_class_arguments if inspect.isclass(group) else parser.add_function_arguments
    add(group, None, as_group=sections, as_positional=True, skip=set(NO_OPTIONS))


def _common(*, json: bool = False) -> None:
    """What every command knows.

    Args:
        json: prints the result as one JSON document.
    """


def _instantiators(command: Command) -> list[tuple[Callable[..., object], type, bool]] | None:
    """Models wait until their sizes are known."""
    if command.call is None:
        return None
    from pianoroll_seq2seq.cli.building import instantiators

    return instantiators()


def _call(command: Command, made: Namespace, text: str) -> Result | None:
    return command.run(**vars(made)) if command.call is None else command.call(made, text)


def _description(function: Callable[..., object]) -> str:
    """The docstring up to its sections."""
    text = inspect.cleandoc(function.__doc__ or "")
    return _plain(re.split(r"\n\n(?:Args|Returns|Raises|Example):\n", text)[0])


def _plain(text: str) -> str:
    """Without the marks that are for the documentation."""
    return _ROLE.sub(r"\1", text).replace("``", "").replace("<class 'Path'>", "path")


class _Help(DefaultHelpFormatter, RawDescriptionHelpFormatter):
    """Help whose examples keep their lines."""

    def _expand_help(self, action: Action) -> str:
        """The help of an option."""
        if action.dest in Policies.__annotations__ and not action.help:
            action.help = _policies()[action.dest]
        return _plain(super()._expand_help(action))


def _policies() -> dict[str, str]:
    """What the docstring of the policies says of each."""
    import docstring_parser  # comes along for the help; a run on another machine does without

    found = docstring_parser.parse(Policies.__doc__ or "").params
    return {one.arg_name: (one.description or "").replace("\n", " ") for one in found}
