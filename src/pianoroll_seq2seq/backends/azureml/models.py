"""Trained models in a workspace: a checkpoint with a card, which describes the model and its metrics."""

import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from pianoroll_seq2seq import __version__
from pianoroll_seq2seq.backends.azureml import sdk_v1, sdk_v2
from pianoroll_seq2seq.backends.azureml.data import RegisteredModel
from pianoroll_seq2seq.backends.azureml.environments import Sdk
from pianoroll_seq2seq.checkpoint.files import read
from pianoroll_seq2seq.errors import OverwriteError, SettingsError

CARD = "card.json"


def register_checkpoint(
    path: str | os.PathLike[str],
    *,
    workspace: Any,
    name: str,
    metrics: Mapping[str, float] | None = None,
    tags: Mapping[str, str] | None = None,
    sdk: Sdk = "v1",
) -> RegisteredModel:
    """Registers a checkpoint of ``fit`` as a new version of a model, with the metrics as tags.

    It registers a folder with the checkpoint and its card (see :func:`write_model_folder`), which the entry script
    ``examples/azureml/score.py`` reads.

    Args:
        path: the checkpoint, such as the ``best.safetensors`` of a run.
        workspace: an ``azureml.core.Workspace``; for SDK v2 an ``azure.ai.ml.MLClient`` of a workspace.
        name: of the model in the workspace.
        metrics: of the model, such as ``{"test_nats": 0.28}``.
        tags: of the model.
        sdk: the client, as in :func:`~pianoroll_seq2seq.backends.azureml.submit`.

    Raises:
        CheckpointNotFoundError: no file there.
        CheckpointError: not a checkpoint, or a damaged one.
        SettingsError: a name that Azure ML does not accept, or a metric that is not finite.
        MissingExtraError: the client is not installed.
    """
    if sdk not in get_args(Sdk):
        raise SettingsError(f"sdk must be one of {', '.join(get_args(Sdk))}, got {sdk!r}.")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}", name):
        raise SettingsError(
            f"name must be letters, digits, dashes, dots and underscores, and begin with one of the first two, got "
            f"{name!r}."
        )
    client = sdk_v1 if sdk == "v1" else sdk_v2
    client.check_workspace(workspace)
    # The client of SDK v1 only accepts folders below the working directory.
    with TemporaryDirectory(prefix=".register-", dir=".") as temporary:
        folder = Path(temporary) / "model"
        card = _write(Path(path), folder, metrics or {})
        described = {
            **{metric: f"{value:.6g}" for metric, value in card["metrics"].items()},
            "model": card["model"]["class"].rpartition(":")[2],
            **dict(tags or {}),
        }
        version = client.register(workspace, name, folder, described, {"sha256": card["sha256"]})
    return RegisteredModel(name, version)


def write_model_folder(
    path: str | os.PathLike[str], folder: str | os.PathLike[str], *, metrics: Mapping[str, float] | None = None
) -> Path:
    """Writes a folder with a checkpoint and ``card.json``; returns the folder.

    The card contains the description of the checkpoint (the model, the layout it was trained on, the run), the metrics,
    the file's SHA-256 and the version of this library.

    Args:
        path: the checkpoint.
        folder: a new folder.
        metrics: of the model.

    Raises:
        CheckpointNotFoundError: no file there.
        CheckpointError: not a checkpoint, or a damaged one.
        OverwriteError: the folder exists.
        SettingsError: a metric that is not finite.
    """
    folder = Path(folder)
    _write(Path(path), folder, metrics or {})
    return folder


def _write(path: Path, folder: Path, metrics: Mapping[str, float]) -> dict[str, Any]:
    """Writes the folder; returns its card."""
    header, _ = read(path)
    figures = {name: float(value) for name, value in metrics.items()}
    for name, value in figures.items():
        if not math.isfinite(value):
            raise SettingsError(f"metrics: {name} must be finite, got {value}.")
    card = {
        "model": header["model"],
        "trained": {name: value for name, value in header["details"].items() if name != "history"},
        "metrics": figures,
        "checkpoint": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "pianoroll_seq2seq": __version__,
    }
    if folder.exists():
        raise OverwriteError(f"{folder} exists already. Choose another folder.")
    folder.mkdir(parents=True)
    shutil.copyfile(path, folder / path.name)
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card
