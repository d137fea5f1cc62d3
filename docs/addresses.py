"""The project's addresses, from ``[project.urls]`` in ``pyproject.toml``, the one place where they are set.

``python docs/addresses.py`` refuses placeholders: ``nox -s release`` runs it before an upload.
"""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACEHOLDER = "OWNER"
"""Stands for the owner of the repository until there is one."""
_WITH_ADDRESSES = ("pyproject.toml", "CITATION.cff", "README.md", "CONTRIBUTING.md")


def addresses(root: Path = ROOT) -> dict[str, str]:
    """The addresses by their names, such as ``Repository`` and ``Documentation``."""
    with (root / "pyproject.toml").open("rb") as file:
        urls: dict[str, str] = tomllib.load(file)["project"]["urls"]
    return urls


def placeholders(root: Path = ROOT) -> list[str]:
    """The lines with addresses that are placeholders, as ``file:line: text``."""
    paths = [root / name for name in _WITH_ADDRESSES] + sorted((root / "docs").rglob("*.md"))
    return [
        f"{path.relative_to(root).as_posix()}:{number}: {line.strip()}"
        for path in paths
        if path.exists() and "_build" not in path.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if f"/{PLACEHOLDER}" in line
    ]


if __name__ == "__main__":
    found = placeholders(Path(sys.argv[1]) if sys.argv[1:] else ROOT)
    if found:
        what = f"{PLACEHOLDER} stands for the owner of the repository. Name the owner before a release:"
        sys.exit("\n".join([what, *found]))
