"""A run's files, downloaded into a folder."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from pianoroll_seq2seq.errors import SettingsError


def fetch_files(
    names: Iterable[str], folder: str | os.PathLike[str], prefix: str, download: Callable[[str, Path], object]
) -> list[Path]:
    """Downloads the files whose names begin with a prefix, each completely or not at all. Returns their paths.

    Files that exist already are not downloaded again.

    Args:
        names: the names of the run's files.
        folder: the folder to write to, under the names without the prefix; created if it is missing.
        prefix: such as ``outputs/``.
        download: downloads the file of a name to a path.

    Raises:
        SettingsError: a file would be outside the folder.
    """
    fetched = []
    for name in sorted(names):
        if name.startswith(prefix):
            target = Path(folder) / name.removeprefix(prefix)
            if not target.resolve().is_relative_to(Path(folder).resolve()):
                raise SettingsError(f"The run's file {name!r} would be written outside {folder}.")
            if not target.exists():
                partial = target.with_name(f".{target.name}.part")
                partial.parent.mkdir(parents=True, exist_ok=True)
                download(name, partial)
                partial.replace(target)
            fetched.append(target)
    return fetched
