"""Classes and functions that options name by their import paths: which of them may be imported, and from where.

What stands on the command line is the user's own word. A configuration is a file, and may come from somebody else: it
names only what is in this library or in ``torch.optim``, and what ``--classes`` allows.
"""

import contextlib
import difflib
import importlib
import os
import sys
from collections.abc import Collection, Iterator
from typing import Any

from pianoroll_seq2seq.errors import SettingsError

_OWN = ("pianoroll_seq2seq", "torch.optim")


def import_named(path: str, flag: str) -> Any:
    """What is at an import path. Modules of the working directory are found, after those that are installed.

    Args:
        path: such as ``my_module.MyModel`` or ``my_module:MyModel``.
        flag: the option, for the error message.

    Raises:
        SettingsError: there is nothing there.
    """
    module, _, name = path.replace(":", ".").rpartition(".")
    hint = "Give its import path, such as my_module.MyModel. Modules of the working directory are found."
    if not all(part.isidentifier() for part in (*module.split("."), name)):
        raise SettingsError(f"{flag}: {path!r:.80} is not an import path. {hint}")
    own = [package for package in _OWN if _is_in(path, package)]
    try:
        with contextlib.nullcontext() if own else _working_directory_last():
            found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        near = difflib.get_close_matches(name, dir(sys.modules.get(module)), n=1)
        hint = f"Did you mean {near[0]}?" if near else hint
        raise SettingsError(f"{flag}: there is no class {path} ({error}). {hint}") from error
    if own and not _is_in(str(getattr(found, "__module__", "")), own[0]):
        raise SettingsError(f"{flag}: {path} is not of {own[0]}. Name it where it is defined.")
    return found


def check_named(path: object, name: str, classes: Collection[str]) -> None:
    """Refuses a name in a configuration that would import code which the user has not named. Imports nothing.

    Args:
        path: the import path in the configuration.
        name: its key, for the error message.
        classes: the import paths, or modules, that ``--classes`` names.

    Raises:
        SettingsError: another path, or no text.
    """
    if not isinstance(path, str):
        raise SettingsError(f"{name}: expected the import path of a class as a text, got {path!r:.80}.")
    path = path.replace(":", ".")
    if not any(_is_in(path, allowed.replace(":", ".")) for allowed in (*_OWN, *classes)):
        raise SettingsError(
            f"{name}: the configuration names {path}, which is not part of pianoroll_seq2seq or torch.optim. If you "
            f"trust it, name it on the command line: --classes {path}."
        )


@contextlib.contextmanager
def _working_directory_last() -> Iterator[None]:
    """Lets Python find modules of the working directory, but none in place of those that are installed.

    The library and PyTorch are imported before, because they try modules that may not be installed.
    """
    importlib.import_module("pianoroll_seq2seq.pretrained")
    here = os.getcwd()
    sys.path.append(here)
    try:
        yield
    finally:
        for place in range(len(sys.path) - 1, -1, -1):  # the module may have changed the list
            if sys.path[place] == here:
                del sys.path[place]
                break


def _is_in(path: str, package: str) -> bool:
    """Whether an import path is this module or class, or inside it."""
    return path == package or path.startswith(f"{package}.")
