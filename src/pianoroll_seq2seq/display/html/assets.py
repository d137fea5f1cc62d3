"""The script and the style of pages."""

from functools import cache
from importlib.resources import files

from pianoroll_seq2seq.errors import SettingsError

_ASSETS = ("pianoroll.js", "page.css")


@cache
def asset(name: str) -> str:
    """The script or the style as text: ``pianoroll.js`` or ``page.css``.

    Raises:
        SettingsError: another name.
    """
    if name not in _ASSETS:
        raise SettingsError(f"{name!r} is not an asset of a page. Choose one of {', '.join(_ASSETS)}.")
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
