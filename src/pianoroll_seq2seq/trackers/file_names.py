"""Names of files in a service that has one folder for all of them."""

import os
from pathlib import Path


class FileNames:
    """Gives each file a name of its own, and the same file always the same.

    Example:
        >>> names = FileNames()
        >>> [names.name_of(Path(path)) for path in ("a/scores.json", "b/scores.json", "a/scores.json")]
        ['scores.json', 'scores-2.json', 'scores.json']
    """

    def __init__(self) -> None:
        """Knows no file."""
        self._names: dict[str, str] = {}

    def name_of(self, path: Path) -> str:
        """The name of a file: its own, with a number if another file has it."""
        known = os.path.realpath(path)
        taken, name, number = set(self._names.values()), path.name, 1
        while known not in self._names:
            if name not in taken:
                self._names[known] = name
            number += 1
            name = f"{path.stem}-{number}{path.suffix}"
        return self._names[known]
