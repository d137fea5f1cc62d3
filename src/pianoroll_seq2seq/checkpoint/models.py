"""Saving, loading and restoring models."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pianoroll_seq2seq.checkpoint import optimizers
from pianoroll_seq2seq.checkpoint.descriptions import build, describe
from pianoroll_seq2seq.checkpoint.files import add_prefix, read, strip_prefix, write
from pianoroll_seq2seq.errors import CheckpointError
from pianoroll_seq2seq.models.contract import SequenceModel


def save(
    model: SequenceModel,
    path: str | os.PathLike[str],
    *,
    details: Mapping[str, Any] | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes a model as a checkpoint, whole or not at all.

    Args:
        model: any sequence model. :func:`load` can build it again if it has a method ``settings()`` that returns its
            constructor's arguments.
        path: the file to write; missing folders are created.
        details: further entries, as JSON can hold them; objects with ``settings()``, such as grids, are allowed.
        optimizer: an optimizer whose state is saved too, to resume training.
        overwrite: whether to replace an existing file.

    Raises:
        OverwriteError: the file exists and ``overwrite`` is false.
        CheckpointError: settings or details that JSON cannot hold.
        CheckpointWriteError: no space or no permission. What was there before is unchanged.

    Example:
        >>> import tempfile
        >>> from pianoroll_seq2seq import Seq2SeqLSTM
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = save(Seq2SeqLSTM(12, hidden_size=8), Path(folder) / "model.safetensors")
        ...     load(path).frame_size
        12
    """
    tensors = add_prefix("model", model.state_dict())
    header: dict[str, Any] = {"model": describe(model), "details": dict(details or {})}
    if optimizer is not None:
        header["optimizer"], optimizer_tensors = optimizers.pack(optimizer)
        tensors |= optimizer_tensors
    return write(path, header, tensors, overwrite=overwrite)


def load(path: str | os.PathLike[str], *, classes: Iterable[type] = ()) -> Any:
    """The model in a checkpoint, on the CPU and in evaluation mode.

    Args:
        path: the checkpoint.
        classes: models and heads of your own that it is built of. Those of this library are known.

    Returns:
        The model, an instance of the class it was saved from.

    Raises:
        CheckpointNotFoundError: no such file.
        CheckpointError: not a checkpoint, a damaged one, one of another version, or of a class that is not named.

    Example:
        >>> from pianoroll_seq2seq.pretrained import pretrained_path
        >>> load(pretrained_path("bach-chorales")).frame_size
        46
    """
    header, tensors = read(path)
    model = build(header["model"], classes=classes, label=os.fspath(path))
    if not isinstance(model, SequenceModel):
        raise CheckpointError(f"{os.fspath(path)}: holds a {type(model).__name__}, which is not a sequence model.")
    load_into(header, tensors, model, label=os.fspath(path))
    model.train(False)
    return model


def restore(
    path: str | os.PathLike[str], model: SequenceModel, optimizer: torch.optim.Optimizer | None = None
) -> dict[str, Any]:
    """Loads a checkpoint's weights into an existing model, and returns its details.

    Args:
        path: the checkpoint.
        model: a model of the same shape.
        optimizer: an optimizer whose state is loaded too.

    Raises:
        CheckpointNotFoundError: no such file.
        CheckpointError: not a checkpoint, or the weights or the optimizer's state do not fit.
    """
    header, tensors = read(path)
    load_into(header, tensors, model, optimizer, label=os.fspath(path))
    details: dict[str, Any] = header["details"]
    return details


def load_into(
    header: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    model: SequenceModel,
    optimizer: torch.optim.Optimizer | None = None,
    *,
    label: str,
) -> None:
    """Loads weights and the optimizer's state from a checkpoint's header and tensors. ``label`` names it in errors."""
    try:
        model.load_state_dict(strip_prefix("model", tensors))
        if optimizer is not None:
            optimizers.unpack(optimizer, header["optimizer"], tensors)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{label}: does not fit this model or optimizer ({error}). It was saved from {header['model']}."
        ) from error
