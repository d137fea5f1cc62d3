"""Writing a model as ONNX."""

import copy
import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pianoroll_seq2seq import __version__
from pianoroll_seq2seq.atomic import writing
from pianoroll_seq2seq.errors import CheckpointWriteError, OverwriteError, SettingsError
from pianoroll_seq2seq.export.files import FORMAT_VERSION, HEADER, require, sealed
from pianoroll_seq2seq.export.graphs import PURPOSE, log_odds, trace
from pianoroll_seq2seq.export.runner import OnnxModel
from pianoroll_seq2seq.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.models.base import inference
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM

_TOLERANCE = 1e-3  # of log-odds: far more than rounding, far less than a mistake
_WHY = "PyTorch's exporter does not understand {}, or weights are not finite."


def export_onnx(model: Seq2SeqLSTM, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Writes a model as one ONNX file, which :class:`OnnxModel` plays, or any ONNX runtime.

    It is written in float32 and evaluation mode, for any batch size and any length of primer, and only after it has
    given the same log-odds as the model; the model itself stays as it is. What goes in and comes out stands in
    :mod:`pianoroll_seq2seq.export.graphs`.

    Args:
        model: with either decoder, and any head whose distribution is :class:`Bernoulli`; with attention only if
            its decoder is parallel, and without copies.
        path: where, usually ``*.onnx``; missing folders are made.
        overwrite: whether a file that stands there may be replaced.

    Returns:
        The path.

    Raises:
        MissingExtraError: onnx, onnxscript or onnxruntime is not installed, or PyTorch is older than 2.8.
        OverwriteError: a file stands there and ``overwrite`` is false.
        SettingsError: another kind of model, one that hears conditions, an autoregressive one with attention or
            copies, or a head that gives another distribution or that ONNX cannot express.
        CheckpointError: the ONNX Runtime installed is too old for what was written.
        CheckpointWriteError: no space, no permission: what stood there before is as it was.
    """
    for package in ("onnx", "onnxscript", "onnxruntime", "torch.onnx.ops"):
        require(package, PURPOSE)
    if not isinstance(model, Seq2SeqLSTM):
        raise SettingsError(f"export_onnx writes a Seq2SeqLSTM, got {type(model).__name__}. Use torch.onnx.export.")
    path = Path(path)
    plain = _plain(model)
    try:
        with writing(path, overwrite=overwrite) as temporary:
            temporary.write_bytes(_exported(plain))
            _compare(plain, temporary)
    except OverwriteError:
        raise
    except OSError as error:
        raise CheckpointWriteError(
            f"{path}: the model could not be written ({error}). What stood there before is as it was."
        ) from error
    return path


def _plain(model: Seq2SeqLSTM) -> Seq2SeqLSTM:
    """A copy on the CPU, in float32 and evaluation mode, of a model that can be exported."""
    if model.condition_size:
        raise SettingsError(
            f"A model that hears conditions (condition_size={model.condition_size}) cannot be exported: an exported "
            f"file takes frames alone. Export a model with condition_size=0, or keep this one with save(model, path)."
        )
    if model.copy is not None or (model.attention is not None and model.decoder == "autoregressive"):
        raise SettingsError(
            "An autoregressive model with attention=True or copies cannot be exported: it looks back at what the "
            "encoder heard, which an exported file does not carry from frame to frame. Export a model with "
            "attention=False and copies=0, or decoder='parallel', or keep this one with save(model, path)."
        )
    plain = copy.deepcopy(model).to("cpu", torch.float32).eval().requires_grad_(False)
    with inference(plain):
        distribution, _ = plain.start(torch.zeros(1, 1, plain.pitches))
    if type(distribution) is not Bernoulli:
        raise SettingsError(
            f"{type(plain.head).__name__} gives a {type(distribution).__name__}, but all that an exported model can "
            f"give is the log-odds of independent pitches. Export a model whose head gives Bernoulli, or keep this one "
            f"with save(model, path)."
        )
    return plain


def _exported(model: Seq2SeqLSTM) -> bytes:
    """The file's bytes."""
    try:
        proto = trace(copy.deepcopy(model))
    except Exception as error:  # whatever PyTorch's exporter makes of a head that is not its kind
        reason = next(iter(str(error).splitlines()), "")
        raise SettingsError(
            f"A model with {type(model.head).__name__} cannot be expressed in ONNX ({type(error).__name__}: {reason}). "
            f"The error above this one says where: write that part of the head another way, or update onnxscript if it "
            f"is there."
        ) from error
    entry = proto.metadata_props.add()
    entry.key, entry.value = HEADER, json.dumps(_settings(model))
    proto.producer_name, proto.producer_version = HEADER, __version__
    return sealed(proto.SerializeToString(deterministic=True))


def _settings(model: Seq2SeqLSTM) -> dict[str, Any]:
    return {
        "version": FORMAT_VERSION,
        "pitches": model.pitches,
        "decoder": model.decoder,
        "block_frames": model.block_frames,
        "context_frames": model.head.context_frames,
    }


def _compare(model: Seq2SeqLSTM, path: Path) -> None:
    """Lets both play some frames.

    Raises:
        SettingsError: their log-odds differ.
        CheckpointError: ONNX Runtime cannot run the file.
    """
    generator = torch.Generator().manual_seed(0)
    frames = (torch.rand(1, 9, model.pitches, generator=generator) < 0.3).float()
    exported = OnnxModel(path)
    with inference(model):
        expected = _played(model, frames)
        try:
            difference = float((_played(exported, frames) - expected).abs().max())
        except Exception as error:  # ONNX Runtime has an error of its own for each reason
            raise SettingsError(f"Nothing was written: {_WHY.format(type(model.head).__name__)}") from error
    if not difference <= _TOLERANCE * (1 + float(expected.abs().max())):
        raise SettingsError(
            f"Nothing was written: the exported model's log-odds differ from the model's by {difference:.2g}. "
            f"{_WHY.format(type(model.head).__name__)}"
        )


def _played(model: Any, frames: Tensor) -> Tensor:
    """The log-odds of the frame after a primer, and of the three after it."""
    distribution, state = model.start(frames[:, :-3])
    logits = [log_odds(distribution)]
    for frame in frames[:, -3:].unbind(1):
        distribution, state = model.advance(frame, state)
        logits.append(log_odds(distribution))
    return torch.stack(logits)
