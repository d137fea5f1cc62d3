"""Saving, loading and restoring models."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq.checkpoint import optimizers
from pianoroll_seq2seq.checkpoint.budget import Budget
from pianoroll_seq2seq.checkpoint.descriptions import build, describe
from pianoroll_seq2seq.checkpoint.files import USE_ANOTHER, add_prefix, read, read_index, strip_prefix, write
from pianoroll_seq2seq.errors import CheckpointError
from pianoroll_seq2seq.models.contract import SequenceModel

_LONGEST = 2_000
"""Characters of what PyTorch says of weights that do not fit."""


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
        226
    """
    header, shapes = read_index(path)
    model = build_for(header["model"], strip_prefix("model", shapes), classes=classes, label=os.fspath(path))
    load_into(*read(path), model, label=os.fspath(path))
    model.train(False)
    return model


def build_for(
    description: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], *, classes: Iterable[type], label: str
) -> SequenceModel:
    """A model with weights of these shapes, before they are loaded. ``label`` names its file in errors.

    Raises:
        CheckpointError: settings that make no model, a much larger one, or one with weights of other shapes.
    """
    model = build(description, classes=classes, label=label, budget=Budget.for_shapes(shapes.values()))
    if not isinstance(model, SequenceModel):
        raise CheckpointError(f"{label}: holds a {type(model).__name__}, which is not a sequence model.")
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
    """Loads weights and the optimizer's state from a checkpoint's header and tensors. ``label`` names it in errors.

    Raises:
        CheckpointError: they do not fit the model or the optimizer, or are not finite.
    """
    load_weights(model, strip_prefix("model", tensors), label=label)
    if optimizer is not None:
        optimizers.load_into(optimizer, header.get("optimizer"), tensors, label=label)


def load_weights(model: SequenceModel, weights: Mapping[str, Tensor], *, label: str) -> None:
    """Loads weights into a model. ``label`` names their file in errors.

    Raises:
        CheckpointError: they do not fit the model, or are not finite.
    """
    expected = model.state_dict()
    for name, tensor in weights.items():
        if name in expected and tensor.is_floating_point() != expected[name].is_floating_point():
            raise CheckpointError(
                f"{label}: does not fit this model: {name} is {tensor.dtype} in the file, and {expected[name].dtype} "
                f"in the model. {USE_ANOTHER}"
            )
    try:
        model.load_state_dict(weights)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = printable(str(error), keep="\n\t", longest=_LONGEST)  # PyTorch lists all names in the file
        raise CheckpointError(f"{label}: does not fit this model ({problem}). {USE_ANOTHER}") from error
    buffers = {name for name, _ in model.named_buffers()} if isinstance(model, torch.nn.Module) else set()
    for name, tensor in model.state_dict().items():
        # A buffer may be a mask with infinities.
        if not bool((~tensor.isnan() if name in buffers else tensor.isfinite()).all()):
            raise CheckpointError(
                f"{label}: the weights {name} are not finite, so the model predicts nothing. {USE_ANOTHER}"
            )
