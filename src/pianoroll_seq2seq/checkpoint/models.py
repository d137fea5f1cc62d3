"""Saving, loading and restoring models."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pianoroll_seq2seq.checkpoint import optimizers
from pianoroll_seq2seq.checkpoint.descriptions import build, describe
from pianoroll_seq2seq.checkpoint.files import named, read, under, write
from pianoroll_seq2seq.errors import CheckpointError
from pianoroll_seq2seq.models.base import SequenceModel


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
        model: any sequence model; with a method ``settings()`` that returns its constructor's arguments it
            can be loaded again by :func:`load` alone.
        path: where; missing folders are made.
        details: what else to remember, as JSON can hold it, and objects with ``settings()`` such as grids.
        optimizer: its state is kept too, so that training can go on.
        overwrite: whether a file that stands there may be replaced.

    Raises:
        OverwriteError: a file stands there and ``overwrite`` is false.
        CheckpointError: settings or details that JSON cannot hold.
        CheckpointWriteError: no space, no permission: what stood there before is as it was.

    Example:
        >>> import tempfile
        >>> from pianoroll_seq2seq import Seq2SeqLSTM
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = save(Seq2SeqLSTM(12, hidden=8), Path(folder) / "model.safetensors")
        ...     load(path).pitches
        12
    """
    tensors = named("model", model.state_dict())
    header: dict[str, Any] = {"model": describe(model), "details": dict(details or {})}
    if optimizer is not None:
        header["optimizer"], optimizer_tensors = optimizers.pack(optimizer)
        tensors |= optimizer_tensors
    return write(path, header, tensors, overwrite=overwrite)


def load(path: str | os.PathLike[str], *, classes: Iterable[type] = ()) -> Any:
    """Builds the model that a checkpoint holds, on the CPU and ready to generate (evaluation mode).

    Args:
        path: the checkpoint.
        classes: models and heads of your own that it may be built of. Those of this library are known.

    Returns:
        The model, an instance of the class it was saved from.

    Raises:
        CheckpointNotFoundError: no file there.
        CheckpointError: not a checkpoint, a damaged one, of another version, or of a class not named.

    Example:
        >>> from pianoroll_seq2seq.pretrained import pretrained_path
        >>> load(pretrained_path("bach-chorales")).pitches
        46
    """
    header, tensors = read(path)
    model = build(header["model"], classes=classes, label=os.fspath(path))
    if not isinstance(model, SequenceModel):
        raise CheckpointError(f"{os.fspath(path)}: holds a {type(model).__name__}, which is not a sequence model.")
    put_back(header, tensors, model, label=os.fspath(path))
    model.train(False)
    return model


def restore(
    path: str | os.PathLike[str], model: SequenceModel, optimizer: torch.optim.Optimizer | None = None
) -> dict[str, Any]:
    """Puts a checkpoint's weights into a model that is there already; returns its details.

    Args:
        path: the checkpoint.
        model: a model of the same shape.
        optimizer: gets its state back too.

    Raises:
        CheckpointNotFoundError: no file there.
        CheckpointError: not a checkpoint, or the weights (or the optimizer's state) do not fit.
    """
    header, tensors = read(path)
    put_back(header, tensors, model, optimizer, label=os.fspath(path))
    details: dict[str, Any] = header["details"]
    return details


def put_back(
    header: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    model: SequenceModel,
    optimizer: torch.optim.Optimizer | None = None,
    *,
    label: str,
) -> None:
    """The weights, and the optimizer's state, of a checkpoint that was read; ``label`` is what errors call it."""
    try:
        model.load_state_dict(under("model", tensors))
        if optimizer is not None:
            optimizers.unpack(optimizer, header["optimizer"], tensors)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{label}: does not fit the model or optimizer given ({error}). It was saved from {header['model']}."
        ) from error
