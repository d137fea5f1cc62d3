"""Names of files, which are bytes, where text is wanted."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
