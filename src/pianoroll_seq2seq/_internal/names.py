"""Names of files and of parts, which are bytes, where text is wanted."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Control characters, separators of lines, and those that change the direction of the text around them.
_UNPRINTABLE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")


def printable(text: str, *, keep: str = "", longest: int | None = None) -> str:
    r"""A text from a file as a terminal may show it: escapes take the place of the characters that control it.

    Args:
        text: the text.
        keep: such characters that stay, such as the ends of lines.
        longest: what is longer than this many characters is cut, and ends in an ellipsis.

    Example:
        >>> print(printable("red\x1b[31m\nleft\u202e"))
        red\x1b[31m\nleft\u202e
    """
    if longest is not None and len(text) > longest:
        text = text[: longest - 1] + "…"
    return _UNPRINTABLE.sub(
        lambda found: found[0] if found[0] in keep else found[0].encode("unicode_escape").decode("ascii"), text
    )


def as_text(name: str) -> str:
    r"""A name that every encoding of Unicode can hold: bytes of a file's name that are no UTF-8 become escapes.

    Example:
        >>> print(as_text("caf\udce9"), as_text("café"))
        caf\udce9 café
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


@contextmanager
def utf8_path(path: str | os.PathLike[str]) -> Iterator[str]:
    """The path of a file for a library that takes only paths in UTF-8: a link to it, where it is none."""
    given = os.fspath(path)
    if as_text(given) == given:
        yield given
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, "link")
        link.symlink_to(os.path.abspath(given))
        yield str(link)
