"""The format of a checkpoint: named tensors, a JSON header, and a checksum over both."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.checkpoint.descriptions import encode, is_description
from pianoroll_seq2seq.errors import CheckpointError, CheckpointNotFoundError, CheckpointWriteError, OverwriteError

FORMAT_VERSION = 3
"""Increased with every incompatible change."""

_HEADER = "pianoroll_seq2seq"
CHECKSUM = "sha256"
_FIRST_BYTES = 8
_USE_ANOTHER = "Use another checkpoint of the run."


def write(
    path: str | os.PathLike[str],
    header: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    *,
    overwrite: bool,
    keep: str | os.PathLike[str] | None = None,
) -> Path:
    """Writes a checkpoint, whole or not at all.

    Args:
        path: the file to write; missing folders are created.
        header: ``model``, ``details`` and other entries; the version is added.
        tensors: contiguous tensors that share no memory (see :func:`contiguous_copy`).
        overwrite: whether to replace an existing file.
        keep: a path to which an existing file is moved.

    Raises:
        OverwriteError: the file exists and ``overwrite`` is false.
        CheckpointError: a header that JSON cannot hold.
        CheckpointWriteError: no space or no permission. What was there before is unchanged.
    """
    path = Path(path)
    try:
        text = json.dumps({"version": FORMAT_VERSION, **encode(header)}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: the model's settings or the details cannot be JSON ({error}).") from error
    metadata = {_HEADER: text, CHECKSUM: checksum(text, tensors)}
    try:
        with writing(path, overwrite=overwrite, keep=keep) as temporary:
            # safetensors' own function writes files that only their owner can read.
            temporary.write_bytes(safetensors.torch.save(dict(tensors), metadata))
    except OverwriteError:
        raise
    except OSError as error:
        size = sum(tensor.nbytes for tensor in tensors.values())
        raise CheckpointWriteError(
            f"{path}: a checkpoint of {size / 1e6:.1f} MB could not be written ({error}). What was there before "
            f"is unchanged. Free some space or choose another folder, and resume from the last checkpoint."
        ) from error
    return path


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header and tensors of a checkpoint, with its checksum verified.

    Raises:
        CheckpointNotFoundError: no such file.
        CheckpointError: not a checkpoint, of another version, truncated or changed.
    """
    label = os.fspath(path)
    if not Path(path).is_file():
        raise CheckpointNotFoundError(f"{label}: no such checkpoint. Train a model first, or check the path.")
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{label}: cannot be read ({error}). {_USE_ANOTHER}") from error
    return parse(data, label)


def parse(data: bytes, label: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The same, from the bytes of a checkpoint. ``label`` names it in errors."""
    try:
        tensors = safetensors.torch.load(data)
        length = int.from_bytes(data[:_FIRST_BYTES], "little")
        metadata = json.loads(data[_FIRST_BYTES : _FIRST_BYTES + length]).get("__metadata__", {})
    except (safetensors.SafetensorError, ValueError, KeyError, RecursionError) as error:
        raise CheckpointError(f"{label}: not a checkpoint, or a damaged one ({error}). {_USE_ANOTHER}") from error
    header = _checked(metadata, label)
    if metadata.get(CHECKSUM) != checksum(metadata[_HEADER], tensors):
        raise CheckpointError(f"{label}: changed since it was written (its checksum differs). {_USE_ANOTHER}")
    return header, tensors


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The header of a checkpoint, with ``version``, ``model`` and ``details``, without reading the weights.

    The checksum covers the whole file and is not verified here.

    Raises:
        CheckpointNotFoundError: no such file.
        CheckpointError: not a checkpoint, a damaged one, or one of another version.
    """
    label = os.fspath(path)
    if not Path(path).is_file():
        raise CheckpointNotFoundError(f"{label}: no such checkpoint. Train a model first, or check the path.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{label}: not a checkpoint, or a damaged one ({error}). {_USE_ANOTHER}") from error
    return _checked(metadata, label)


def _checked(metadata: Mapping[str, str], label: str) -> dict[str, Any]:
    """The header, if it has the right version and the required entries."""
    text = metadata.get(_HEADER)
    if text is None:
        raise CheckpointError(f"{label}: a safetensors file, but not a checkpoint of pianoroll_seq2seq.")
    try:
        header: dict[str, Any] = json.loads(text)
        version = header["version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{label}: its header is damaged. {_USE_ANOTHER}") from error
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{label}: a checkpoint of format version {version}, this version of pianoroll_seq2seq reads "
            f"version {FORMAT_VERSION}. Load it with the version that wrote it, or train again."
        )
    if not is_description(header.get("model")) or not isinstance(header.get("details"), dict):
        raise CheckpointError(f"{label}: its header is damaged. {_USE_ANOTHER}")
    return header


def contiguous_copy(tensor: Tensor) -> Tensor:
    """A contiguous copy on the CPU. safetensors refuses tensors that share memory or are not contiguous."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def add_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors to write, named ``prefix.name``."""
    return {f"{prefix}.{name}": contiguous_copy(tensor) for name, tensor in tensors.items()}


def strip_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of :func:`add_prefix`: the tensors with one prefix, without it."""
    begin = f"{prefix}."
    return {name.removeprefix(begin): tensor for name, tensor in tensors.items() if name.startswith(begin)}


def checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the header's text and of all tensors with their names, types and shapes."""
    digest = hashlib.sha256()
    for part in _parts(text, tensors):
        digest.update(part)
    return digest.hexdigest()


def _parts(text: str, tensors: Mapping[str, Tensor]) -> Iterable[Any]:
    yield text.encode()
    for name in sorted(tensors):
        tensor = tensors[name]
        yield f"\n{name} {tensor.dtype} {tuple(tensor.shape)} ".encode()
        if tensor.numel():
            yield tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data
