"""The exported file: an ONNX model that says what it is, and a checksum at its end."""

import hashlib
import importlib
import os
from pathlib import Path
from typing import Any

from pianoroll_seq2seq.errors import CheckpointError, CheckpointNotFoundError, MissingExtraError

FORMAT_VERSION = 1
"""Raised whenever older code could no longer run an exported file."""

HEADER = "pianoroll_seq2seq"
"""The key under which the metadata of an exported model holds its settings, as JSON."""

# Protobuf messages written one after the other are one message. This one holds a single entry of the model's metadata,
# "sha256", whose value follows: so that a file with a checksum over all before it is an ordinary ONNX file still.
_SEAL = b"\x72\x4a\x0a\x06sha256\x12\x40"
_DIGEST_BYTES = 64


def sealed(model: bytes) -> bytes:
    """An ONNX model with its checksum."""
    return model + _SEAL + _digest(model)


def read(path: str | os.PathLike[str]) -> bytes:
    """An exported model that is as it was written.

    Raises:
        CheckpointNotFoundError: no file there.
        CheckpointError: not an exported model, cut short or altered.
    """
    label = os.fspath(path)
    if not Path(path).is_file():
        raise CheckpointNotFoundError(f"{label}: no such file. Write it with export_onnx, or check the path.")
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{label}: cannot be read ({error}).") from error
    model, end = data[: -len(_SEAL) - _DIGEST_BYTES], data[-len(_SEAL) - _DIGEST_BYTES :]
    if not end.startswith(_SEAL):
        raise CheckpointError(f"{label}: not written by export_onnx, or not whole. Export the model again.")
    if end.removeprefix(_SEAL) != _digest(model):
        raise CheckpointError(
            f"{label}: altered since it was written (its checksum does not fit). Export the model again."
        )
    return data


def require(package: str, purpose: str) -> Any:
    """An optional package.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(package, "onnx", purpose) from error


def _digest(model: bytes) -> bytes:
    return hashlib.sha256(model).hexdigest().encode()
