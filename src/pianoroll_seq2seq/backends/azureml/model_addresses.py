"""Addresses of trained models: registered ones, those of earlier runs, and those in datastores and containers.

=========================================================== ========================================================
``azureml:NAME``, ``azureml:NAME:VERSION``                  a registered model, its latest or a certain version
``azureml://jobs/RUN``                                      the best checkpoint in the files of an earlier run
``azureml://jobs/RUN/outputs/artifacts/paths/PATH``         a certain checkpoint of it, or a folder with one
``azureml://datastores/NAME/paths/PATH``                    a folder in a datastore
``https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH``    a checkpoint or a folder with one in Azure Storage
=========================================================== ========================================================

The first four are those of ``az ml``.
"""

import os
import re
import warnings
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from pianoroll_seq2seq._internal.redaction import redacted
from pianoroll_seq2seq.backends.azureml import sdk_v1, sdk_v2
from pianoroll_seq2seq.backends.azureml.data import BlobFile, JobInput, RegisteredModel, RunFile, StoredFolder
from pianoroll_seq2seq.backends.azureml.environments import Sdk
from pianoroll_seq2seq.errors import (
    CheckpointNotFoundError,
    MissingExtraError,
    NotStoredError,
    SettingsError,
    StoreAccessError,
    StoreError,
)
from pianoroll_seq2seq.pretrained.folders import CONFIG, WEIGHTS
from pianoroll_seq2seq.stores.azure_blob.store import AzureBlobStore
from pianoroll_seq2seq.stores.azure_blob.urls import BlobUrl
from pianoroll_seq2seq.train.run_files import BEST

LATEST = "latest"
_ENDING = ".safetensors"
_MODEL = re.compile(r"azureml:(?P<name>\w[\w.-]*)(?:[:@](?P<version>\w[\w.-]*))?")
_RUN = re.compile(r"azureml://jobs/(?P<run>\w[\w.-]*)(?:/outputs/artifacts/paths/(?P<path>.+))?/?")
_FORMS = (
    "azureml:NAME:VERSION, azureml://jobs/RUN, azureml://datastores/NAME/paths/PATH, or "
    "https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH"
)


def is_model_address(text: str) -> bool:
    """Whether a text is an address, and not a name, a path on this machine, or a model of the Hugging Face Hub."""
    return text.startswith("azureml:") or ("://" in text and not text.startswith("hf://"))


def parse_model_address(address: str) -> JobInput:
    """Reads an address.

    Returns:
        What it names. The version of a model may be ``latest``, and the path in a run empty.

    Raises:
        SettingsError: an address of another form, or one that contains a secret.

    Example:
        >>> parse_model_address("azureml:scale-chords:2")
        RegisteredModel(name='scale-chords', version='2')
        >>> parse_model_address("azureml://jobs/scale-chords_1")
        RunFile(run_id='scale-chords_1', path='')
    """
    if found := _MODEL.fullmatch(address):
        return RegisteredModel(found["name"], found["version"] or LATEST)
    if found := _RUN.fullmatch(address):
        return RunFile(found["run"], (found["path"] or "").rstrip("/"))
    if address.startswith("azureml://datastores/"):
        return StoredFolder.from_uri(address, access="download")
    if address.startswith(("https:", "http:")):
        return BlobFile(address)
    raise SettingsError(f"Unknown address of a model: {redacted(address)!r}. Expected {_FORMS}.")


def find_model(address: str, *, workspace: Any, sdk: Sdk = "v1") -> JobInput:
    """Finds the model of an address, for a run that opens it with :func:`fetch_model`.

    What can be known before the run is checked: that the workspace has this model, version, run or datastore, and that
    there is a checkpoint in the files of the run, or in the container if this machine has access to it.

    Args:
        address: ``azureml:NAME:VERSION`` (or ``azureml:NAME``, the latest version), ``azureml://jobs/RUN``,
            ``azureml://datastores/NAME/paths/PATH``, or ``https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH``.
        workspace: as for :func:`~pianoroll_seq2seq.backends.azureml.submit`.
        sdk: as for :func:`~pianoroll_seq2seq.backends.azureml.submit`.

    Returns:
        What the ``data`` of :func:`~pianoroll_seq2seq.backends.azureml.submit` takes.

    Raises:
        SettingsError: an address of another form, or no such model, version, run or datastore.
        CheckpointNotFoundError: no checkpoint there, or several of which none is the best of a run.
        MissingExtraError: the client is not installed.

    Warns:
        UserWarning: a container that this machine cannot reach, and so is not checked.
    """
    if sdk not in get_args(Sdk):
        raise SettingsError(f"sdk must be one of {', '.join(get_args(Sdk))}, got {sdk!r}.")
    named = parse_model_address(address)
    client: Any = sdk_v1 if sdk == "v1" else sdk_v2
    client.check_workspace(workspace)
    match named:
        case RegisteredModel(name, version):
            return RegisteredModel(name, _version(name, version, client.find_model_versions(workspace, name)))
        case RunFile(run_id, path):
            files = client.find(run_id, workspace).file_names()
            return RunFile(run_id, _checkpoint_of_run(files, path, f"The run {run_id}"))
        case StoredFolder():
            _check_stored(named, client, workspace)
        case BlobFile():
            _check_blob(named)
    return named


def fetch_model(
    address: str | os.PathLike[str], folder: str | os.PathLike[str] = "model", *, workspace: Any = None
) -> Path:
    """Downloads the model of an address if it is not on this machine. Call it in the script of a run.

    Args:
        address: what the run got for the model: an address as :func:`find_model` takes it, the path of a checkpoint, or
            of a folder with one. With SDK v2 it is always a path, or an address of Azure Storage.
        folder: the folder to download to.
        workspace: an ``azureml.core.Workspace``; that of the run by default.

    Returns:
        A path for :func:`~pianoroll_seq2seq.pretrained.open_model`.

    Raises:
        SettingsError: an address of another form, or this process is not a run.
        CheckpointNotFoundError: no checkpoint there, or several of which none is the best of a run.
        StoreError: Azure Storage refuses, or cannot be reached.
        MissingExtraError: the client is not installed.
    """
    text, folder = os.fspath(address), Path(folder)
    if not is_model_address(text):
        return _model_in(Path(text))
    named = parse_model_address(text)
    match named:
        case RegisteredModel():
            workspace = sdk_v1.current_workspace() if workspace is None else workspace
            versions = [] if named.version != LATEST else sdk_v1.find_model_versions(workspace, named.name)
            version = _version(named.name, named.version, versions or [named.version])
            return _model_in(sdk_v1.download_model(RegisteredModel(named.name, version), folder, workspace))
        case RunFile(run_id, path):
            workspace = sdk_v1.current_workspace() if workspace is None else workspace
            run = sdk_v1.find(run_id, workspace)
            name = _checkpoint_of_run(run.file_names(), path, f"The run {run_id}")
            path_here = folder / PurePosixPath(name).name
            run.download(name, path_here)
            return path_here
        case BlobFile(url):
            return _download_blob(url, folder)
        case StoredFolder():
            raise SettingsError(
                f"{text} is a folder in a datastore, which the run gets as a path. Pass it to submit with "
                f"data={{'--model': find_model(address, workspace=workspace)}}."
            )


def choose_checkpoint(names: Iterable[str], where: str, fix: str) -> str:
    """The checkpoint among files: the best of a run, or the only one.

    Args:
        names: the names of the files.
        where: where they are, for the error.
        fix: what to do if there are several, for the error.

    Raises:
        CheckpointNotFoundError: there is none, or several.

    Example:
        >>> choose_checkpoint(["run/last.safetensors", "run/best.safetensors", "run/music.mid"], "there", "")
        'run/best.safetensors'
    """
    found = sorted(name for name in names if name.endswith(_ENDING))
    best = [name for name in found if PurePosixPath(name).name == BEST]
    for candidates in (best, found):
        if len(candidates) == 1:
            return candidates[0]
    if not found:
        raise CheckpointNotFoundError(f"{where} has no checkpoint: no file ends with {_ENDING}.")
    raise CheckpointNotFoundError(f"{where} has {len(found)} checkpoints: {', '.join(found[:5])}. {fix}")


def _version(name: str, version: str, versions: list[str]) -> str:
    if not versions:
        raise SettingsError(f"The workspace has no model {name!r}. The studio lists its models, and so does az ml.")
    if version == LATEST:
        return versions[-1]
    if version not in versions:
        raise SettingsError(
            f"The model {name!r} has no version {version!r}. The workspace has {', '.join(versions[-10:])}."
        )
    return version


def _checkpoint_of_run(files: list[str], path: str, where: str) -> str:
    """The name of the checkpoint, at a path or below it."""
    if path and path in files:
        return path
    if path:
        files = [name for name in files if name.startswith(f"{path}/")]
        where = f"{path} of {where[0].lower()}{where[1:]}"
    # A tracker keeps another copy of the best checkpoint beside outputs/.
    outputs = [name for name in files if name.startswith("outputs/") and name.endswith(_ENDING)]
    fix = "Name one: azureml://jobs/RUN/outputs/artifacts/paths/PATH."
    return choose_checkpoint(outputs or files, where, fix)


def _check_stored(folder: StoredFolder, client: Any, workspace: Any) -> None:
    if folder.path.endswith(_ENDING):
        raise SettingsError(
            f"{folder.uri} is a file. Give the folder of the checkpoint: "
            f"{folder.uri.rpartition('/')[0] if '/' in folder.path else 'put it into a folder first'}."
        )
    if not client.has_datastore(workspace, folder.datastore):
        raise SettingsError(f"The workspace has no datastore {folder.datastore!r}. The studio lists its datastores.")


def _check_blob(blob: BlobFile) -> None:
    """Checks that there is a checkpoint, if this machine has access to the container, and reaches it at once."""
    try:
        _blob_names(blob.uri, retries=0)
    except (StoreAccessError, MissingExtraError):
        return  # the machine of the run may have access
    except NotStoredError:
        raise
    except StoreError as error:
        warnings.warn(f"{blob.uri} was not checked before the run is sent. {error}", stacklevel=4)


def _blob_names(url: str, **options: Any) -> tuple[BlobUrl, list[str]]:
    """The folder of the model in its container, and the names of its files.

    Raises:
        CheckpointNotFoundError: no checkpoint there.
    """
    place = BlobUrl.parse(url)
    is_file = place.path.endswith(_ENDING)
    start = "" if is_file or not place.path else f"{place.path}/"
    with AzureBlobStore(place.container, account_url=place.account_url, **options) as store:
        if is_file:
            keys = [place.path] if store.find(place.path) else []
        else:
            keys = [stored.key for stored in store.list(start)]
    name = choose_checkpoint(keys, str(place), "Give the address of one of them.")
    folder, _, file = name.rpartition("/")
    beside = [file, CONFIG] if file == WEIGHTS and f"{start}{CONFIG}" in keys else [file]
    return BlobUrl(place.account_url, place.container, folder), beside


def _download_blob(url: str, folder: Path) -> Path:
    place, names = _blob_names(url)
    with AzureBlobStore.from_url(str(place)) as store:
        for name in names:
            store.download(name, folder / name, overwrite=True)
    return folder / names[0] if len(names) == 1 else folder


def _model_in(path: Path) -> Path:
    """The checkpoint or the folder of ``save_pretrained``, at a path or below it."""
    if not path.is_dir():
        return path
    names = [file.relative_to(path).as_posix() for file in path.rglob(f"*{_ENDING}")]
    found = path / choose_checkpoint(names, str(path), "Name one of them.")
    return found.parent if found.name == WEIGHTS and (found.parent / CONFIG).is_file() else found
