"""What the client of Azure ML takes without a word, and the service, minutes later, does not.

Everything here is looked at before anything is sent.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pianoroll_seq2seq.backends.azureml.data import StoredFolder, input_name
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.redaction import redacted

MOST_FILES = 2000
MOST_BYTES = 300_000_000
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


def check_environment(environment: object) -> None:
    """A conda environment file, where one is named, is there.

    Raises:
        SettingsError: it is not.
    """
    if isinstance(environment, str | os.PathLike) and not Path(environment).is_file():
        raise SettingsError(f"environment: there is no conda environment file {os.fspath(environment)}.")


def image_of(environment: Any) -> str | None:
    """The image of an environment of either client; None where that is not known."""
    if environment is None or isinstance(environment, str | os.PathLike):
        return None
    docker = getattr(environment, "docker", None)  # that of SDK v1
    return getattr(environment, "image", None) if docker is None else docker.base_image


def check_secrets(arguments: Sequence[str], variables: Mapping[str, str], tags: Mapping[str, str]) -> None:
    """No secret is among what everyone who sees the run can read.

    Raises:
        SettingsError: one is; it is not shown.
    """
    known = os.environ.get("STORAGE_ACCOUNT_KEY")
    for place, text in [
        *((f"argument {number}", argument) for number, argument in enumerate(arguments, start=1)),
        *((f"the environment variable {name}", value) for name, value in variables.items()),
        *((f"the tag {name}", value) for name, value in tags.items()),
    ]:
        if redacted(text, known) != text:
            raise SettingsError(
                f"{place} holds what looks like a key or a signature, and would stand in the run for all to see. Let "
                f"the compute target's identity reach the storage, or keep it in the workspace's key vault."
            )


def check_data(data: Mapping[str, object], arguments: Sequence[str], compute: str) -> None:
    """Each stored folder is handed to the script by an option of its own, on a machine that can reach it.

    Raises:
        SettingsError: it is not.
    """
    names: dict[str, str] = {}
    for option, folder in data.items():
        if not re.fullmatch(r"--[A-Za-z][A-Za-z0-9_-]*", option):
            raise SettingsError(f"data: expected an option of the script, such as --midi-dir, got {option!r}.")
        if not isinstance(folder, StoredFolder):
            raise SettingsError(
                f"data: {option} needs a StoredFolder, got {folder!r}. Use StoredFolder(datastore, path)."
            )
        if any(argument.partition("=")[0] == option for argument in arguments):
            raise SettingsError(f"{option} is among the arguments and in data. Leave one of them out.")
        other = names.setdefault(input_name(option), option)
        if other != option:
            raise SettingsError(f"data: {other} and {option} have the same name to Azure ML. Rename one of them.")
    if data and compute == "local":
        raise SettingsError(
            f"compute='local' mounts nothing: {', '.join(data)} cannot be a folder of a datastore. Name a folder of "
            f"this machine among the arguments, or a cluster as compute."
        )


def check_shared_memory(shared_memory: str) -> None:
    """A size as containers take it.

    Raises:
        SettingsError: another text.
    """
    if not re.fullmatch(r"[1-9]\d*[bkmg]", shared_memory):
        raise SettingsError(f"shared_memory must be a number and one of b, k, m, g, such as 2g, got {shared_memory!r}.")


def check_size(source: Path, files: Mapping[str, Path]) -> None:
    """The files are not more than what Azure ML takes with a run.

    Args:
        source: the folder of the script.
        files: all that are sent, by their paths there.

    Raises:
        SettingsError: they are; names what takes the most room.
    """
    sizes: dict[str, int] = {}
    for place, path in files.items():
        top = place.partition("/")[0]
        sizes[top] = sizes.get(top, 0) + path.stat().st_size
    total = sum(sizes.values())
    if len(files) > MOST_FILES or total > MOST_BYTES:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:_SHOWN]
        told = ", ".join(f"{name} ({sizes[name] / 1e6:.1f} MB)" for name in largest)
        raise SettingsError(
            f"{source} makes {len(files)} files of {total / 1e6:.1f} MB to send; Azure ML takes {MOST_FILES} files of "
            f"{MOST_BYTES / 1e6:.0f} MB. The largest: {told}. Name what is not needed in {source / '.amlignore'}."
        )
