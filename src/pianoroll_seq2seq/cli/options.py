"""What the options of all commands share: groups of the help, types of numbers, and a look at raw arguments."""

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import CoercionError, Group, Parameter, Token
from cyclopts.validators import Number

ARGUMENTS = Group("Arguments", sort_key=-1)
BASIC = Group("Options", sort_key=0)
"""The options that a newcomer needs."""
GENERAL = Group("General options", sort_key=100)


def whole_number(_hint: Any, tokens: Sequence[Token]) -> int:
    """Converts to an int. cyclopts alone would round 3.5 to 4."""
    try:
        return int(tokens[0].value)
    except ValueError as error:
        raise CoercionError(token=tokens[0], target_type=int) from error


def optional_whole_number(hint: Any, tokens: Sequence[Token]) -> int | None:
    """Converts to an int, and ``none`` to None."""
    return None if tokens[0].value.lower() == "none" else whole_number(hint, tokens)


Whole = Annotated[int, Parameter(converter=whole_number)]
"""A whole number."""
Share = Annotated[float, Parameter(validator=Number(gte=0, lt=1))]
"""A number of at least 0 and below 1."""
Count = Annotated[int, Parameter(validator=Number(gte=1), converter=whole_number)]
"""A whole number of at least 1."""
OptionalCount = Annotated[int | None, Parameter(validator=Number(gte=1), converter=optional_whole_number)]


def values_of(tokens: Sequence[str], flag: str) -> list[str]:
    """The values of an option in arguments that are not parsed yet.

    Example:
        >>> values_of(["a", "--model", "X", "--model=Y", "--model", "--json"], "--model")
        ['X', 'Y']
    """
    values = []
    for token, following in zip(tokens, [*tokens[1:], "--"], strict=True):
        if token == flag and not following.startswith("--"):
            values.append(following)
        elif token.startswith(f"{flag}="):
            values.append(token.partition("=")[2])
    return values
