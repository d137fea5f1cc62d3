"""Models on disk: one file each, with everything that building the model again needs.

A checkpoint is a safetensors file. Its tensors are the model's (``model.*``) and, where training shall
go on from it, the optimizer's (``optimizer.*``); its header holds JSON: the format's version, the model's
class and settings, the grid and pitches it was trained on, and the state of training. Nothing in it is
executed on loading: no pickle, and no class is built but this library's and those the caller names.
"""

import importlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from pianoroll_seq2seq.atomic import writing
from pianoroll_seq2seq.errors import CheckpointError, CheckpointNotFoundError
from pianoroll_seq2seq.models.base import SequenceModel

FORMAT_VERSION = 1
"""Raised whenever older code could no longer read a checkpoint."""

_HEADER = "pianoroll_seq2seq"
_PACKAGE = "pianoroll_seq2seq"


@runtime_checkable
class _Described(Protocol):
    def settings(self) -> dict[str, Any]: ...


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
    """
    tensors = {f"model.{name}": _packed(tensor) for name, tensor in model.state_dict().items()}
    header: dict[str, Any] = {"version": FORMAT_VERSION, "model": describe(model), "details": _encode(details or {})}
    if optimizer is not None:
        state, optimizer_tensors = _pack_optimizer(optimizer)
        header["optimizer"] = state
        tensors |= optimizer_tensors
    try:
        text = json.dumps(header, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: the model's settings or the details cannot be JSON ({error}).") from error
    path = Path(path)
    with writing(path, overwrite=overwrite) as temporary:
        safetensors.torch.save_file(tensors, temporary, metadata={_HEADER: text})
    return path


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
    """
    header = read_header(path)
    model = build(header["model"], classes=classes, label=os.fspath(path))
    if not isinstance(model, SequenceModel):
        raise CheckpointError(f"{os.fspath(path)}: holds a {type(model).__name__}, which is not a sequence model.")
    restore(path, model)
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
    header, tensors = _read(path)
    weights = {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")}
    try:
        model.load_state_dict(weights)
        if optimizer is not None:
            _unpack_optimizer(optimizer, header["optimizer"], tensors)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{os.fspath(path)}: does not fit the model or optimizer given ({error}). "
            f"It was saved from {header['model']}."
        ) from error
    details: dict[str, Any] = header["details"]
    return details


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a checkpoint says of itself: ``version``, ``model`` and ``details``, without reading the weights.

    Raises:
        CheckpointNotFoundError: no file there.
        CheckpointError: not a checkpoint, a damaged one, or one of another version.
    """
    label = os.fspath(path)
    if not Path(path).is_file():
        raise CheckpointNotFoundError(f"{label}: no such checkpoint. Train a model first, or check the path.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_HEADER)
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{label}: not a checkpoint, or a damaged one ({error}). Use another checkpoint of the run."
        ) from error
    if text is None:
        raise CheckpointError(f"{label}: a safetensors file, but not a checkpoint of pianoroll_seq2seq.")
    try:
        header = json.loads(text)
        version = header["version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{label}: its header is damaged. Use another checkpoint of the run.") from error
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{label}: a checkpoint of format version {version}, this pianoroll_seq2seq reads version "
            f"{FORMAT_VERSION}. Load it with the version that wrote it, or train again."
        )
    if not _is_description(header.get("model")) or not isinstance(header.get("details"), dict):
        raise CheckpointError(f"{label}: its header is damaged. Use another checkpoint of the run.")
    checked: dict[str, Any] = header
    return checked


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    header = read_header(path)
    try:
        return header, safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{os.fspath(path)}: damaged ({error}). Use another checkpoint of the run.") from error


def describe(value: _Described | object) -> dict[str, Any]:
    """The class of an object and the settings to build it again with; settings may be such objects too."""
    settings = value.settings() if isinstance(value, _Described) else None
    kind = type(value)
    return {"class": f"{kind.__module__}:{kind.__qualname__}", "settings": _encode(settings)}


def _encode(value: Any) -> Any:
    if isinstance(value, _Described):
        return describe(value)
    if isinstance(value, Mapping):
        return {key: _encode(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(inner) for inner in value]
    return value


def build(description: Mapping[str, Any], *, classes: Iterable[type] = (), label: str = "the description") -> Any:
    """The inverse of :func:`describe`.

    Raises:
        CheckpointError: a class that is neither this library's nor in ``classes``, or whose constructor
            does not take the settings.
    """
    if not _is_description(description):
        raise CheckpointError(f"{label}: damaged; expected a class and its settings, got {description}.")
    path, settings = description["class"], description["settings"]
    classes = tuple(classes)  # an iterator is needed again for the parts
    kind = {f"{kind.__module__}:{kind.__qualname__}": kind for kind in classes}.get(path) or _own_class(path)
    if kind is None:
        raise CheckpointError(
            f"{label}: made of the class {path}, which is not pianoroll_seq2seq's own. "
            f"Name it if you trust it: load(path, classes=[{path.split(':')[-1]}])."
        )
    if settings is None:
        raise CheckpointError(
            f"{label}: {path} has no method settings() that returns its constructor's arguments, so it cannot be "
            f"built again. Build the model yourself and use restore(path, model)."
        )
    built = {key: _decode(value, classes, label) for key, value in settings.items()}
    try:
        return kind(**built)
    except Exception as error:  # whatever a constructor makes of settings that are not its own
        raise CheckpointError(f"{label}: {path} cannot be built with the settings {settings} ({error}).") from error


def _decode(value: Any, classes: Iterable[type], label: str) -> Any:
    """The inverse of :func:`_encode`, but for tuples, which come back as lists."""
    if _is_description(value):
        return build(value, classes=classes, label=label)
    if isinstance(value, Mapping):
        return {key: _decode(inner, classes, label) for key, inner in value.items()}
    if isinstance(value, list):
        return [_decode(inner, classes, label) for inner in value]
    return value


def _is_description(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and value.keys() == {"class", "settings"}
        and isinstance(value["class"], str)
        and isinstance(value["settings"], Mapping | None)
    )


def _own_class(path: str) -> type | None:
    module_name, _, name = path.partition(":")
    if module_name.split(".")[0] != _PACKAGE:
        return None
    try:
        kind = getattr(importlib.import_module(module_name), name, None)
    except ImportError:
        return None
    return kind if isinstance(kind, type) and kind.__module__ == module_name else None


def _packed(tensor: Tensor) -> Tensor:
    """A copy that safetensors can write: it refuses tensors that share memory, or lie in it crosswise."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _pack_optimizer(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """An optimizer's state as JSON and tensors: groups and plain values here, tensors under ``optimizer.*``."""
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    values: dict[str, dict[str, Any]] = {}
    for index, entries in state["state"].items():
        values[str(index)] = {}
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{key}"] = _packed(value)
            else:
                values[str(index)][key] = value
    return {"state": values, "param_groups": _encode(state["param_groups"])}, tensors


def _unpack_optimizer(optimizer: torch.optim.Optimizer, packed: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Any]] = {int(index): dict(entries) for index, entries in packed["state"].items()}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state[int(index)][key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": packed["param_groups"]})
