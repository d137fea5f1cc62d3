"""The format of a checkpoint: named tensors, a JSON header, and a checksum over both."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict, TypeVar, cast

import msgspec
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.documents import parse_json
from pianoroll_seq2seq._internal.names import printable, utf8_path
from pianoroll_seq2seq.checkpoint.descriptions import encode
from pianoroll_seq2seq.errors import CheckpointError, CheckpointNotFoundError, CheckpointWriteError, OverwriteError

T = TypeVar("T")
FORMAT_VERSION = 3
"""Increased with every incompatible change."""

_HEADER = "pianoroll_seq2seq"
CHECKSUM = "sha256"
_FIRST_BYTES = 8
_LONGEST = 400
MAX_HEADER_BYTES = 16 * 2**20
"""Of the JSON at the beginning of a checkpoint, which has the history of the run: about 170 bytes an epoch."""
USE_ANOTHER = "Use another checkpoint of the run."

Description = TypedDict("Description", {"class": str, "settings": dict[str, Any] | None})
"""An object in a file; see :func:`~pianoroll_seq2seq.checkpoint.describe`."""


class _Header(TypedDict):
    """The header of a checkpoint."""

    version: int
    model: Description
    details: dict[str, Any]
    optimizer: NotRequired[dict[str, Any]]
    state: NotRequired[dict[str, Any]]


class _Version(msgspec.Struct, frozen=True):
    """The part of a header that is of every version."""

    version: Any


class _Index(msgspec.Struct, frozen=True):
    """The JSON of a safetensors file. Its library checks the entries of the tensors."""

    metadata: dict[str, str] = msgspec.field(name="__metadata__", default_factory=dict)


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
        CheckpointError: a header that JSON cannot hold, or one that is too large to be read again.
        CheckpointWriteError: no space or no permission. What was there before is unchanged.
    """
    path = Path(path)
    try:
        text = json.dumps({"version": FORMAT_VERSION, **encode(header)}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: the model's settings or the details cannot be JSON ({error}).") from error
    data = safetensors.torch.save(dict(tensors), {_HEADER: text, CHECKSUM: checksum(text, tensors)})
    size = int.from_bytes(data[:_FIRST_BYTES], "little")
    if size > MAX_HEADER_BYTES:
        raise CheckpointError(
            f"{path}: the model's settings, the details and the names of the tensors are {size / 2**20:.1f} MB of "
            f"JSON, and a checkpoint is read with at most {MAX_HEADER_BYTES // 2**20} MB. Leave some details out; of a "
            f"run of fit, train fewer and longer epochs."
        )
    try:
        with writing(path, overwrite=overwrite, keep=keep) as temporary:
            temporary.write_bytes(data)  # safetensors' own function writes files that only their owner can read
    except OverwriteError:
        raise
    except OSError as error:
        raise CheckpointWriteError(
            f"{path}: a checkpoint of {len(data) / 1e6:.1f} MB could not be written ({error}). What was there before "
            f"is unchanged. Free some space or choose another folder, and resume from the last checkpoint."
        ) from error
    return path


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header and tensors of a checkpoint, with its checksum verified.

    Raises:
        CheckpointNotFoundError: no such file.
        CheckpointError: not a checkpoint, of another version, truncated or changed.
    """
    return parse(read_bytes(path), os.fspath(path))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a checkpoint, which are not checked.

    Raises:
        CheckpointNotFoundError: no such file, or a folder, a pipe or a device.
        CheckpointError: it cannot be read, or is larger than the memory.
    """
    _require_file(path)
    try:
        return Path(path).read_bytes()
    except (OSError, MemoryError) as error:
        raise CheckpointError(f"{os.fspath(path)}: cannot be read ({error!r}). {USE_ANOTHER}") from error


def parse(data: bytes, label: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The same, from the bytes of a checkpoint. ``label`` names it in errors."""
    try:
        metadata = _index_in(data).metadata
        tensors = parse_tensors(data)
    except ValueError as error:
        raise CheckpointError(f"{label}: not a checkpoint, or a damaged one ({error}). {USE_ANOTHER}") from error
    header = _checked(metadata, label)
    if metadata.get(CHECKSUM) != checksum(metadata[_HEADER], tensors):
        raise CheckpointError(f"{label}: changed since it was written (its checksum differs). {USE_ANOTHER}")
    return header, tensors


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The header of a checkpoint, with ``version``, ``model`` and ``details``, without reading the weights.

    The checksum covers the whole file and is not verified here.

    Raises:
        CheckpointNotFoundError: no such file.
        CheckpointError: not a checkpoint, a damaged one, or one of another version.
    """
    return read_index(path)[0]


def read_index(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
    """The header of a checkpoint and the shapes of its tensors, without reading these.

    Raises:
        CheckpointNotFoundError: no such file.
        CheckpointError: not a checkpoint, a damaged one, or one of another version.
    """
    label = os.fspath(path)
    _require_file(path)
    try:
        with Path(path).open("rb") as file:
            start = file.read(_FIRST_BYTES)
            _index_in(start + file.read(min(int.from_bytes(start, "little"), MAX_HEADER_BYTES)))
        with utf8_path(path) as readable, safetensors.safe_open(readable, framework="pt") as tensors:
            metadata = tensors.metadata() or {}
            shapes = {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        problem = printable(str(error), longest=_LONGEST)
        raise CheckpointError(f"{label}: not a checkpoint, or a damaged one ({problem}). {USE_ANOTHER}") from error
    return _checked(metadata, label), shapes


def parse_tensors(data: bytes) -> dict[str, Tensor]:
    """The tensors in the bytes of a safetensors file.

    Raises:
        ValueError: not such a file, or a damaged one.
    """
    _index_in(data)
    try:
        return safetensors.torch.load(data)
    except (safetensors.SafetensorError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(printable(str(error), longest=_LONGEST)) from error  # a name may be megabytes


def _index_in(data: bytes) -> _Index:
    """The JSON at the beginning of a safetensors file: all that the format has beside the numbers."""
    length = int.from_bytes(data[:_FIRST_BYTES], "little")
    text = data[_FIRST_BYTES : _FIRST_BYTES + min(length, MAX_HEADER_BYTES + 1)]
    return parse_json(text, _Index, "the list of its tensors", CheckpointError, max_bytes=MAX_HEADER_BYTES)


def _require_file(path: str | os.PathLike[str]) -> None:
    path = Path(path)
    if not path.is_file():
        kind = ", but a folder, a pipe or a device" if path.exists() else ""
        raise CheckpointNotFoundError(f"{path}: no such checkpoint{kind}. Train a model first, or check the path.")


def _checked(metadata: Mapping[str, str], label: str) -> dict[str, Any]:
    """The header, if it has the right version and the required entries."""
    text = metadata.get(_HEADER)
    if text is None:
        raise CheckpointError(f"{label}: a safetensors file, but not a checkpoint of pianoroll_seq2seq.")
    where = f"{label}: its header is damaged"
    version = parse_json(text, _Version, where, CheckpointError, fix=USE_ANOTHER, max_bytes=MAX_HEADER_BYTES).version
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{label}: a checkpoint of format version {version!s:.40}, this version of pianoroll_seq2seq reads "
            f"version {FORMAT_VERSION}. Load it with the version that wrote it, or train again."
        )
    header = parse_json(text, _Header, where, CheckpointError, fix=USE_ANOTHER, max_bytes=MAX_HEADER_BYTES)
    return cast(dict[str, Any], header)


def contiguous_copy(tensor: Tensor) -> Tensor:
    """A contiguous copy on the CPU. safetensors refuses tensors that share memory or are not contiguous."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def add_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors to write, named ``prefix.name``."""
    return {f"{prefix}.{name}": contiguous_copy(tensor) for name, tensor in tensors.items()}


def strip_prefix(prefix: str, tensors: Mapping[str, T]) -> dict[str, T]:
    """The inverse of :func:`add_prefix`: the tensors, or their shapes, with one prefix, without it."""
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
