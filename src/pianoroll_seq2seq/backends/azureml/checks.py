"""Checks of a job before anything is sent.

They find mistakes that Azure ML's clients accept, and its service refuses minutes later.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pianoroll_seq2seq._internal.redaction import redacted
from pianoroll_seq2seq.backends.azureml.data import JobInput, StoredFolder, input_name
from pianoroll_seq2seq.errors import SettingsError

MAX_FILES = 2000
MAX_BYTES = 300_000_000
_SHOWN = 5
_EXPRESSION = "${{"


def check_script(source: Path, script: str) -> None:
    """Checks that the script is in the folder that is sent.

    Raises:
        SettingsError: it is not, or there is no such folder.
    """
    if not source.is_dir():
        raise SettingsError(f"source_directory must be the folder of the script; {source} is no folder.")
    path = (source / script).resolve()
    if not path.is_relative_to(source.resolve()):
        raise SettingsError(
            f"script must be in the folder that is sent; {script} is not in {source}. Pass its path relative to "
            f"source_directory."
        )
    if not path.is_file():
        raise SettingsError(
            f"script: there is no file {script} in {source}. Pass its path relative to source_directory."
        )


def check_counts(compute: str, nodes: int, processes_per_node: int) -> None:
    """Checks the numbers of nodes and processes.

    Raises:
        SettingsError: below 1, or several nodes on this machine.
    """
    for name, count in (("nodes", nodes), ("processes_per_node", processes_per_node)):
        if count < 1:
            raise SettingsError(
                f"{name} must be at least 1, got {count!r}. Azure ML's own process_count is nodes times "
                f"processes_per_node."
            )
    if compute == "local" and nodes > 1:
        raise SettingsError(
            f"compute='local' is this machine only, got nodes={nodes}. Pass the name of a cluster as compute."
        )


def check_gpu(gpu: bool, arguments: Sequence[str], image: str | None) -> None:
    """Checks that a run with CUDA requests a GPU, and that its image has CUDA.

    Raises:
        SettingsError: one without the other.
    """
    if not gpu and any(re.search(r"\bcuda\b", argument) for argument in arguments):
        raise SettingsError("The arguments name CUDA, but gpu is False. Pass gpu=True, or another device.")
    if gpu and image is not None and "cuda" not in image:
        raise SettingsError(
            f"gpu=True needs an image with CUDA, but the environment has {image}. Choose another environment."
        )


def check_environment(environment: object) -> None:
    """Checks that a conda environment file exists.

    Raises:
        SettingsError: there is no such file.
    """
    if isinstance(environment, str | os.PathLike) and not Path(environment).is_file():
        raise SettingsError(f"environment: there is no conda environment file {os.fspath(environment)}.")


def image_of(environment: Any) -> str | None:
    """The image of an environment of either client; None if it is not known."""
    if environment is None or isinstance(environment, str | os.PathLike):
        return None
    docker = getattr(environment, "docker", None)  # that of SDK v1
    return getattr(environment, "image", None) if docker is None else docker.base_image


def check_secrets(arguments: Sequence[str], variables: Mapping[str, str], tags: Mapping[str, str]) -> None:
    """Checks that nothing that everyone with access to the run can read contains a secret.

    Raises:
        SettingsError: it does. The message does not show the secret.
    """
    known = os.environ.get("STORAGE_ACCOUNT_KEY")
    for label, text in [
        *((f"argument {number}", argument) for number, argument in enumerate(arguments, start=1)),
        *((f"the environment variable {name}", value) for name, value in variables.items()),
        *((f"the tag {name}", value) for name, value in tags.items()),
    ]:
        if redacted(text, known) != text:
            raise SettingsError(
                f"{label} contains what looks like a key or a signature, which everyone with access to the run could "
                f"read. Give the compute target's identity access to the storage, or use the workspace's key vault."
            )


def check_expressions(
    script: str, arguments: Sequence[str], variables: Mapping[str, str], data: Mapping[str, JobInput]
) -> None:
    """Checks that no text has an expression of SDK v2, which the service would replace in the command of the job.

    Raises:
        SettingsError: one has.
    """
    for label, text in [
        ("the name of the script", script),
        *((f"argument {number}", argument) for number, argument in enumerate(arguments, start=1)),
        *((f"the environment variable {name}", value) for name, value in variables.items()),
        *((f"the address of {option}", each.uri) for option, each in data.items()),
    ]:
        if _EXPRESSION in text:
            raise SettingsError(
                f"{label} contains {_EXPRESSION!r} ({redacted(text)!r:.80}), which begins an expression of Azure ML "
                f"and would be replaced before the script starts. Rename the file, or leave these characters out."
            )


def check_data(data: Mapping[str, object], arguments: Sequence[str], compute: str) -> None:
    """Checks that each input has an option of its own, and each stored folder a machine that can mount it.

    Raises:
        SettingsError: it does not.
    """
    names: dict[str, str] = {}
    for option, folder in data.items():
        if not re.fullmatch(r"--[A-Za-z][A-Za-z0-9_-]*", option):
            raise SettingsError(f"data: expected an option of the script, such as --midi-dir, got {option!r}.")
        if not isinstance(folder, JobInput):
            raise SettingsError(
                f"data: {option} needs a StoredFolder or a model, got {folder!r}. Use StoredFolder(datastore, path) or "
                f"find_model(address, workspace=workspace)."
            )
        if any(argument.partition("=")[0] == option for argument in arguments):
            raise SettingsError(f"{option} is in arguments and in data. Remove one of them.")
        other = names.setdefault(input_name(option), option)
        if other != option:
            raise SettingsError(f"data: {other} and {option} have the same name in Azure ML. Rename one of them.")
    stored = [option for option, folder in data.items() if isinstance(folder, StoredFolder)]
    if stored and compute == "local":
        raise SettingsError(
            f"compute='local' mounts nothing: {', '.join(stored)} cannot be a folder of a datastore. Pass a folder of "
            f"this machine in arguments, or the name of a cluster as compute."
        )


def check_shared_memory(shared_memory: str) -> None:
    """Checks the size of a container's shared memory.

    Raises:
        SettingsError: not a number and a unit.
    """
    if not re.fullmatch(r"[1-9]\d*[bkmg]", shared_memory):
        raise SettingsError(f"shared_memory must be a number and one of b, k, m, g, such as 2g, got {shared_memory!r}.")


def check_size(source: Path, files: Mapping[str, Path]) -> None:
    """Checks that Azure ML accepts as many and as large files.

    Args:
        source: the folder of the script.
        files: all that are sent, by their paths there.

    Raises:
        SettingsError: it does not. The message names the largest files and folders.
    """
    sizes: dict[str, int] = {}
    for name, path in files.items():
        top = name.partition("/")[0]
        sizes[top] = sizes.get(top, 0) + path.stat().st_size
    total = sum(sizes.values())
    if len(files) > MAX_FILES or total > MAX_BYTES:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:_SHOWN]
        shown = ", ".join(f"{name} ({sizes[name] / 1e6:.1f} MB)" for name in largest)
        raise SettingsError(
            f"{source} makes {len(files)} files of {total / 1e6:.1f} MB to send; Azure ML accepts {MAX_FILES} files of "
            f"{MAX_BYTES / 1e6:.0f} MB. The largest: {shown}. Exclude what is not needed in {source / '.amlignore'}."
        )
