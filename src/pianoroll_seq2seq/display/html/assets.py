"""The scripts and the style of pages."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from pianoroll_seq2seq.errors import SettingsError

_ASSETS = ("player.js", "roll.js", "figure.js", "page.css")


@cache
def asset(name: str) -> str:
    """A script or the style as text: ``player.js``, ``roll.js``, ``figure.js`` or ``page.css``.

    Raises:
        SettingsError: another name.
    """
    if name not in _ASSETS:
        raise SettingsError(f"{name!r} is not an asset of a page. Choose one of {', '.join(_ASSETS)}.")
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def scripts(names: Iterable[str] = ("player.js", "roll.js", "figure.js")) -> str:
    """Several scripts, joined for one ``<script>`` element."""
    return "\n".join(asset(name) for name in names)
