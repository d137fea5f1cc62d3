"""The files that go with a run: the folder of the script, and this library.

The library is sent as it is here. So the run does what it would here, whether this is a release or somebody's checkout,
and the environment needs to be built anew only when what the library depends on changes.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pianoroll_seq2seq.errors import MissingExtraError

_LIBRARY = Path(__file__).parents[2]
_IGNORE_FILES = (".amlignore", ".gitignore")
IGNORED = """# What is not sent with a run to Azure Machine Learning (like a .gitignore).
.git/
.nox/
.venv/
venv/
__pycache__/
*.egg-info/
.mypy_cache/
.pytest_cache/
.ruff_cache/
docs/_build/
dist/
outputs/
runs/
logs/
"""


def write_ignore_file(source: Path) -> None:
    """Says what is not to be sent, where nobody has said so."""
    if not any((source / name).exists() for name in _IGNORE_FILES):
        (source / ".amlignore").write_text(IGNORED, encoding="utf-8")


def sent_files(source: Path, *, extra: str = "azureml") -> dict[str, Path]:
    """What is sent, by its path there: what ``.amlignore`` (or else ``.gitignore``) does not name, and this library.

    Where the folder holds the library already, that one is sent.

    Args:
        source: the folder of the script.
        extra: the extra to name where pathspec is missing.

    Raises:
        MissingExtraError: pathspec is not installed.
    """
    files = {path.relative_to(source).as_posix(): path for path in _own_files(source, extra)}
    if not (source / _LIBRARY.name / "__init__.py").is_file():
        library = (path for path in sorted(_LIBRARY.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
        files |= {f"{_LIBRARY.name}/{path.relative_to(_LIBRARY).as_posix()}": path for path in library}
    return files


@contextmanager
def gathered(files: dict[str, Path]) -> Iterator[Path]:
    """A folder with copies of the files, for as long as the context lasts."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "code"  # a name that the client of SDK v2 sends along
        for place, path in files.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, folder / place)
        # All is chosen already; the rules of the source might name parts of the library.
        (folder / ".amlignore").write_text("__pycache__/\n", encoding="utf-8")
        yield folder


def _own_files(source: Path, extra: str) -> Iterable[Path]:
    try:
        import pathspec
    except ImportError as error:
        raise MissingExtraError("pathspec", extra, "submit") from error
    rules = next((path for name in _IGNORE_FILES if (path := source / name).is_file()), None)
    lines = [] if rules is None else rules.read_text(encoding="utf-8").splitlines()
    ignored = pathspec.PathSpec.from_lines("gitwildmatch", lines)
    for folder, folders, files in os.walk(source):
        inside = Path(folder).relative_to(source)
        folders[:] = [name for name in folders if not ignored.match_file(f"{(inside / name).as_posix()}/")]
        for name in files:
            path = Path(folder) / name
            if path.is_file() and not ignored.match_file((inside / name).as_posix()):  # a link may lead nowhere
                yield path
