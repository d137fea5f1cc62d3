"""The scripts and the style of pages, as they lie in this package."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from pianoroll_seq2seq.errors import SettingsError

_ASSETS = ("player.js", "roll.js", "figure.js", "page.css")


@cache
def asset(name: str) -> str:
    """A script or the style, as text: ``player.js``, ``roll.js``, ``figure.js`` or ``page.css``.

    Raises:
        SettingsError: another name.
    """
    if name not in _ASSETS:
        raise SettingsError(f"{name!r}: no such part of a page. There are {', '.join(_ASSETS)}.")
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def scripts(names: Iterable[str] = ("player.js", "roll.js", "figure.js")) -> str:
    """Several scripts one after another, to stand in one ``<script>`` element."""
    return "\n".join(asset(name) for name in names)
