"""What the client of Azure ML takes without a word, and the service, minutes later, does not.

Everything here is looked at before anything is sent.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pianoroll_seq2seq.errors import MissingExtraError, SettingsError
from pianoroll_seq2seq.redaction import redacted

MOST_FILES = 2000
MOST_BYTES = 300_000_000
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
_SHOWN = 5


def check_script(source: Path, script: str) -> None:
    """The script lies in the folder that is sent.

    Raises:
        SettingsError: it does not, or there is no such folder.
    """
    if not source.is_dir():
        raise SettingsError(f"source_directory must be the folder that holds the script: {source} is none.")
    path = (source / script).resolve()
    if not path.is_relative_to(source.resolve()):
        raise SettingsError(
            f"script must lie in the folder that is sent: {script} does not lie in {source}. Give its path within "
            f"source_directory."
        )
    if not path.is_file():
        raise SettingsError(f"script: there is no file {script} in {source}. Give its path within source_directory.")


def check_counts(compute: str, nodes: int, processes_per_node: int) -> None:
    """Nodes and processes that can be.

    Raises:
        SettingsError: they cannot.
    """
    for name, count in (("nodes", nodes), ("processes_per_node", processes_per_node)):
        if count < 1:
            raise SettingsError(
                f"{name} must be a whole number from 1 on, got {count!r}. Azure ML's own process_count is nodes times "
                f"processes_per_node."
            )
    if compute == "local" and nodes > 1:
        raise SettingsError(f"compute='local' is this one machine, got nodes={nodes}. Name a cluster as compute.")


def check_gpu(gpu: bool, arguments: Sequence[str], image: str | None) -> None:
    """A run that wants a GPU asks for one, and its image has the drivers' counterpart.

    Raises:
        SettingsError: one without the other.
    """
    if not gpu and any(re.search(r"\bcuda\b", argument) for argument in arguments):
        raise SettingsError("The arguments ask for CUDA, and the run for no GPU: pass gpu=True, or another device.")
    if gpu and image is not None and "cuda" not in image:
        raise SettingsError(f"gpu=True needs an image with CUDA, and the environment's is {image}. Choose another.")


def check_secrets(arguments: Sequence[str], variables: Mapping[str, str]) -> None:
    """No secret is among what everyone who sees the run can read.

    Raises:
        SettingsError: one is; it is not shown.
    """
    known = os.environ.get("STORAGE_ACCOUNT_KEY")
    for place, text in [
        *((f"argument {number}", argument) for number, argument in enumerate(arguments, start=1)),
        *((f"the environment variable {name}", value) for name, value in variables.items()),
    ]:
        if redacted(text, known) != text:
            raise SettingsError(
                f"{place} holds what looks like a key or a signature, and would stand in the run for all to see. Let "
                f"the compute target's identity reach the storage, or keep it in the workspace's key vault."
            )


def check_snapshot(source: Path) -> None:
    """The folder is not larger than what Azure ML takes with a run.

    Raises:
        SettingsError: it is; names what takes the most room.
        MissingExtraError: pathspec is not installed.
    """
    sizes: dict[str, int] = {}
    number = 0
    for path in _sent(source):
        number += 1
        top = path.relative_to(source).parts[0]
        sizes[top] = sizes.get(top, 0) + path.lstat().st_size  # of a link, not of what it points to
    total = sum(sizes.values())
    if number > MOST_FILES or total > MOST_BYTES:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:_SHOWN]
        told = ", ".join(f"{name} ({sizes[name] / 1e6:.1f} MB)" for name in largest)
        raise SettingsError(
            f"{source} has {number} files of {total / 1e6:.1f} MB to send; Azure ML takes {MOST_FILES} files of "
            f"{MOST_BYTES / 1e6:.0f} MB. The largest: {told}. Name what is not needed in {source / '.amlignore'}."
        )


def write_ignore_file(source: Path) -> None:
    """Says what is not to be sent, where nobody has said so."""
    if not any((source / name).exists() for name in (".amlignore", ".gitignore")):
        (source / ".amlignore").write_text(IGNORED, encoding="utf-8")


def _sent(source: Path) -> Iterable[Path]:
    """The files that the client will send: all but those that ``.amlignore``, or else ``.gitignore``, names."""
    try:
        import pathspec
    except ImportError as error:
        raise MissingExtraError("pathspec", "azureml", "submit") from error
    rules = next((path for name in (".amlignore", ".gitignore") if (path := source / name).is_file()), None)
    lines = [] if rules is None else rules.read_text(encoding="utf-8").splitlines()
    ignored = pathspec.PathSpec.from_lines("gitwildmatch", lines)
    for folder, folders, files in os.walk(source):
        inside = Path(folder).relative_to(source)
        folders[:] = [name for name in folders if not ignored.match_file(f"{(inside / name).as_posix()}/")]
        yield from (Path(folder) / name for name in files if not ignored.match_file((inside / name).as_posix()))
