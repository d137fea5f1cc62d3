"""The files that are sent with a run: the folder of the script, and this library.

The library is sent as it is installed here. So a run behaves as it would here, with a release or with a checkout, and
its environment is rebuilt only when the library's requirements change.
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
    """Writes a ``.amlignore``, unless the folder has one or a ``.gitignore``."""
    if not any((source / name).exists() for name in _IGNORE_FILES):
        (source / ".amlignore").write_text(IGNORED, encoding="utf-8")


def sent_files(source: Path, *, extra: str = "azureml") -> dict[str, Path]:
    """The files to send, by their paths in the run: what ``.amlignore`` (or else ``.gitignore``) does not exclude.

    They include this library. A copy of it in the folder takes precedence.

    Args:
        source: the folder of the script.
        extra: the extra that an error names if pathspec is missing.

    Raises:
        MissingExtraError: pathspec is not installed.
    """
    files = {path.relative_to(source).as_posix(): path for path in _source_files(source, extra)}
    if not (source / _LIBRARY.name / "__init__.py").is_file():
        library = (path for path in sorted(_LIBRARY.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
        files |= {f"{_LIBRARY.name}/{path.relative_to(_LIBRARY).as_posix()}": path for path in library}
    return files


@contextmanager
def gathered(files: dict[str, Path]) -> Iterator[Path]:
    """A temporary folder with copies of the files."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "code"  # the client of SDK v2 sends the name too
        for name, path in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, folder / name)
        # The files are chosen already; the rules of the source might exclude parts of the library.
        (folder / ".amlignore").write_text("__pycache__/\n", encoding="utf-8")
        yield folder


def _source_files(source: Path, extra: str) -> Iterable[Path]:
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
            if path.is_file() and not ignored.match_file((inside / name).as_posix()):  # a link may be broken
                yield path
