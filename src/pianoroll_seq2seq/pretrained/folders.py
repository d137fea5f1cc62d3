"""A model in a folder, as on the Hugging Face Hub: ``model.safetensors``, ``config.json`` and ``README.md``.

The weights have the names of the model's ``state_dict``, so that other tools can read them. The configuration holds the
settings of the model and its layout. As with checkpoints, reading a folder executes nothing, and only classes of this
library and those that the caller names are built.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict, cast

import safetensors.torch
from msgspec import Meta
from torch import Tensor

from pianoroll_seq2seq import __version__
from pianoroll_seq2seq._internal.atomic import writing_folder
from pianoroll_seq2seq._internal.documents import MAX_BYTES, convert, read_json
from pianoroll_seq2seq.checkpoint.descriptions import describe, encode
from pianoroll_seq2seq.checkpoint.files import Description, contiguous_copy, parse_tensors, read_bytes
from pianoroll_seq2seq.checkpoint.models import build_for, load_weights
from pianoroll_seq2seq.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    CheckpointWriteError,
    OverwriteError,
    SettingsError,
)
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import SequenceModel, choose_layout
from pianoroll_seq2seq.pretrained.cards import LIBRARY, check_card, page

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"
FORMAT_VERSION = 2
"""Raised whenever older code could no longer read a folder."""
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_DOWNLOAD_AGAIN = "Download the folder again."


class _Config(TypedDict):
    """The content of ``config.json``. Other programs may add to it."""

    format_version: int
    library_version: str
    model: Description
    layout: Description
    condition_size: Annotated[int, Meta(ge=0, le=2**31)]
    weights_sha256: NotRequired[str | None]
    card: NotRequired[dict[str, Any]]


def save_pretrained(
    model: SequenceModel,
    folder: str | os.PathLike[str],
    *,
    layout: FrameLayout | None = None,
    card: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes a model to a folder, whole or not at all. ``open_model`` reads it.

    Args:
        model: any sequence model with a method ``settings()`` that returns its constructor's arguments.
        folder: the folder to write; it may exist if it is empty.
        layout: what the columns of a frame mean; by default the layout that the model was built from.
        card: facts about the model, as JSON can hold them, for the folder's ``README.md``: ``name``, ``what`` it does,
            ``data`` it was trained on, ``recipe``, ``scores``, ``not_for`` and others. ``license`` (such as ``mit``)
            and ``tags`` (a list) become its front matter, which the Hub reads.
        overwrite: whether to replace a folder that holds such a model and nothing else.

    Returns:
        The folder.

    Raises:
        OverwriteError: the folder holds a model and ``overwrite`` is false, or it holds anything else.
        SettingsError: the model was built without a layout and none is given, or it has another frame size.
        GridError, PitchRangeError, ShapeError: a layout that is not the model's.
        CheckpointError: a model without ``settings()``, settings or a card that JSON cannot hold, or a card with tags
            that are no list of texts.
        CheckpointWriteError: no space or no permission. What was there before is unchanged.

    Example:
        >>> import tempfile
        >>> from pianoroll_seq2seq import FrameLayout, PitchRange, Seq2SeqLSTM, open_model
        >>> layout = FrameLayout(pitches=PitchRange(60, 71))
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     model = Seq2SeqLSTM(layout, hidden_size=8)
        ...     folder = save_pretrained(model, f"{parent}/mine")
        ...     print(*sorted(file.name for file in folder.iterdir()))
        ...     print(open_model(folder).grid)
        README.md config.json model.safetensors
        BeatGrid(frames_per_beat=4)
    """
    folder = Path(folder)
    layout = _checked_layout(model, layout)
    check_card(card or {}, str(folder))
    described = describe(model)
    if described["settings"] is None:
        raise CheckpointError(
            f"{folder}: {type(model).__name__} has no method settings() that returns its constructor's arguments, so "
            f"it cannot be loaded again. Add one, as docs/swap.md shows."
        )
    weights = safetensors.torch.save(
        {name: contiguous_copy(tensor) for name, tensor in model.state_dict().items()}, metadata={"format": "pt"}
    )
    config = {
        "format_version": FORMAT_VERSION,
        "library_name": LIBRARY,
        "library_version": __version__,
        "architectures": [type(model).__name__],
        "model": described,
        "layout": describe(layout),
        "condition_size": getattr(model, "condition_size", 0),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "card": dict(card or {}),
    }
    try:
        text = json.dumps(encode(config), indent=2, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{folder}: the model's settings or the card cannot be JSON ({error}).") from error
    if len(text) > MAX_BYTES:  # it is ASCII
        raise CheckpointError(
            f"{folder}: {CONFIG} would be {len(text) / 2**20:.1f} MB, and is read with at most {MAX_BYTES // 2**20} "
            f"MB. Leave facts out of the card."
        )
    try:
        with writing_folder(folder, replaces=(CONFIG, WEIGHTS, CARD) if overwrite else ()) as temporary:
            (temporary / WEIGHTS).write_bytes(weights)
            (temporary / CONFIG).write_text(text, encoding="utf-8")
            (temporary / CARD).write_text(page(config, name=folder.name), encoding="utf-8")
    except OverwriteError:
        raise
    except OSError as error:
        raise CheckpointWriteError(
            f"{folder}: a model of {len(weights) / 1e6:.1f} MB could not be written ({error}). What was there before "
            f"is unchanged. Free some space or choose another folder."
        ) from error
    return folder


def is_model_folder(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder looks like one that ``save_pretrained`` wrote, complete or not."""
    return any((Path(folder) / name).exists() for name in (CONFIG, WEIGHTS))


def read_config(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The configuration of a folder: ``model``, ``layout``, ``condition_size``, ``card`` and others.

    Raises:
        CheckpointNotFoundError: the folder has no configuration.
        CheckpointError: a damaged one, one of another program, or one of another version.
    """
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise CheckpointNotFoundError(f"{path}: no such file. {_what_is_there(Path(folder))}")
    content = read_json(path, dict[str, Any], CheckpointError, fix=_DOWNLOAD_AGAIN)
    if "format_version" not in content:
        raise CheckpointError(
            f"{path}: not a configuration of pianoroll_seq2seq: it has no format_version. "
            f"Open the folder with the library that wrote it."
        )
    if content["format_version"] != FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: of format version {content['format_version']!s:.40}, this pianoroll_seq2seq reads version "
            f"{FORMAT_VERSION}. Open it with the version that wrote it "
            f"({content.get('library_version', 'which it does not say')!s:.40})."
        )
    config = convert(content, _Config, f"{path}: damaged", CheckpointError, fix=_DOWNLOAD_AGAIN)
    return cast(dict[str, Any], config)


def load_folder(folder: str | os.PathLike[str], *, classes: Iterable[type] = ()) -> SequenceModel:
    """The model in a folder, on the CPU and in evaluation mode.

    Args:
        folder: a folder that ``save_pretrained`` wrote.
        classes: models and heads of your own that it is built of.

    Raises:
        CheckpointNotFoundError: a file is missing.
        CheckpointError: a damaged file, a class not named, or weights that do not fit the configuration.
    """
    config = read_config(folder)
    label = str(Path(folder) / CONFIG)
    path = Path(folder) / WEIGHTS
    weights = _read_weights(path, config.get("weights_sha256"))
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    model = build_for(config["model"], shapes, classes=classes, label=label)
    load_weights(model, weights, label=os.fspath(path))
    model.train(False)
    return model


def _read_weights(path: Path, sha256: str | None) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointNotFoundError(f"{path}: no such file. {_what_is_there(path.parent)}")
    data = read_bytes(path)
    try:
        tensors = parse_tensors(data)
    except ValueError as error:
        raise CheckpointError(f"{path}: damaged, or not safetensors ({error}). Download the folder again.") from error
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise CheckpointError(
            f"{path}: not the weights that {CONFIG} was written with (their checksums differ). Download the folder "
            f"again; if you have changed the weights yourself, delete weights_sha256 from {CONFIG}."
        )
    return tensors


def _checked_layout(model: SequenceModel, layout: FrameLayout | None) -> FrameLayout:
    layout = choose_layout(model, layout)
    if layout is None:
        raise SettingsError(
            f"This {type(model).__name__} was built from a frame size, so its layout is unknown. Pass "
            f"layout=windows.layout, or build it from the layout: Seq2SeqLSTM(windows.layout, ...)."
        )
    frame_size = getattr(model, "frame_size", None)  # a model of your own need not have it
    if frame_size not in (None, layout.frame_size):
        raise SettingsError(
            f"The model has frames of {frame_size} columns, but {layout} has {layout.frame_size}. Pass the "
            f"layout of its training windows."
        )
    return layout


def _what_is_there(folder: Path) -> str:
    """What to do about a folder that lacks a file."""
    pickles = sorted(child.name for child in folder.iterdir() if child.suffix in _PICKLES) if folder.is_dir() else []
    if pickles:
        return (
            f"{pickles[0]} is not read: a pickle may run any program. Ask its author for {CONFIG} and {WEIGHTS}, as "
            f"save_pretrained writes them."
        )
    return f"A model to share is {CONFIG} and {WEIGHTS} in one folder, as save_pretrained writes them; download both."
