"""A model in a folder, as the Hugging Face Hub has them: ``model.safetensors``, ``config.json`` and ``README.md``.

The weights stand under the names of the model's ``state_dict``, so that other tools read them, too. The configuration
has all that is needed to build the model again and to know its frames. As with checkpoints nothing in a folder is
executed when it is read, and no class is built but this library's and those the caller names.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from pianoroll_seq2seq import __version__
from pianoroll_seq2seq.atomic import writing_folder
from pianoroll_seq2seq.checkpoint.descriptions import build, describe, encode, is_description
from pianoroll_seq2seq.checkpoint.files import packed
from pianoroll_seq2seq.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    CheckpointWriteError,
    OverwriteError,
    SettingsError,
)
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.models.base import SequenceModel
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.pretrained.cards import LIBRARY, page

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"
FORMAT_VERSION = 1
"""Raised whenever older code could no longer read a folder."""
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def save_pretrained(
    model: SequenceModel,
    folder: str | os.PathLike[str],
    *,
    grid: FrameGrid,
    pitches: PitchRange,
    onsets: bool = False,
    card: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Writes a model into a folder to share it, whole or not at all; ``open_model`` reads it.

    Args:
        model: any sequence model with a method ``settings()`` that returns its constructor's arguments.
        folder: where; it may be there if it is empty.
        grid: where the frames lie in time that the model knows.
        pitches: what the columns of its frames stand for.
        onsets: whether its frames have a second column for every pitch, for what is struck (``NotesHead``).
        card: what a stranger must know, as JSON can hold it, for the folder's ``README.md``: ``name``, ``what`` it
            does, ``data`` it learned from, ``recipe``, ``scores``, ``not_for`` and whatever else. ``license`` (such as
            ``mit``) and ``tags`` (a list) go into its head, where the Hub looks for them.
        overwrite: whether a folder that holds such a model, and nothing else, may be replaced.

    Returns:
        The folder.

    Raises:
        OverwriteError: the folder holds a model and ``overwrite`` is false, or it holds anything else.
        SettingsError: the model's frames do not have the columns that ``pitches`` and ``onsets`` make.
        CheckpointError: a model without ``settings()``, or settings or a card that JSON cannot hold.
        CheckpointWriteError: no space, no permission: what stood there before is as it was.

    Example:
        >>> import tempfile
        >>> from pianoroll_seq2seq import BeatGrid, PitchRange, Seq2SeqLSTM, open_model
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     model = Seq2SeqLSTM(pitches=12, hidden=8)
        ...     folder = save_pretrained(model, f"{parent}/mine", grid=BeatGrid(4), pitches=PitchRange(60, 71))
        ...     print(*sorted(file.name for file in folder.iterdir()))
        ...     print(open_model(folder).grid)
        README.md config.json model.safetensors
        BeatGrid(frames_per_beat=4)
    """
    folder = Path(folder)
    _check_columns(model, pitches, onsets)
    described = describe(model)
    if described["settings"] is None:
        raise CheckpointError(
            f"{folder}: {type(model).__name__} has no method settings() that returns its constructor's arguments, so "
            f"nobody could build it again. Write one; docs/swap.md shows how."
        )
    weights = safetensors.torch.save(
        {name: packed(tensor) for name, tensor in model.state_dict().items()}, metadata={"format": "pt"}
    )
    config = {
        "format_version": FORMAT_VERSION,
        "library_name": LIBRARY,
        "library_version": __version__,
        "architectures": [type(model).__name__],
        "model": described,
        "grid": describe(grid),
        "pitches": asdict(pitches),
        "onsets": onsets,
        "condition_size": getattr(model, "condition_size", 0),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "card": dict(card or {}),
    }
    try:
        text = json.dumps(encode(config), indent=2, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{folder}: the model's settings or the card cannot be JSON ({error}).") from error
    try:
        with writing_folder(folder, replaces=(CONFIG, WEIGHTS, CARD) if overwrite else ()) as temporary:
            (temporary / WEIGHTS).write_bytes(weights)
            (temporary / CONFIG).write_text(text, encoding="utf-8")
            (temporary / CARD).write_text(page(config, name=folder.name), encoding="utf-8")
    except OverwriteError:
        raise
    except OSError as error:
        raise CheckpointWriteError(
            f"{folder}: a model of {len(weights) / 1e6:.1f} MB could not be written ({error}). What stood there before "
            f"is as it was. Make room or choose another folder."
        ) from error
    return folder


def is_model_folder(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder looks like one of ``save_pretrained``, a whole one or what is left of it."""
    return any((Path(folder) / name).exists() for name in (CONFIG, WEIGHTS))


def read_config(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """What a folder says of its model: ``model``, ``grid``, ``pitches``, ``onsets``, ``condition_size`` and ``card``.

    Raises:
        CheckpointNotFoundError: no configuration there.
        CheckpointError: a damaged one, one of another program, or one of another version.
    """
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise CheckpointNotFoundError(f"{path}: no such file. {_what_is_there(Path(folder))}")
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = config["format_version"]
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged, not JSON ({error}). Fetch the folder again.") from error
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path}: not a configuration of pianoroll_seq2seq: it has no format_version. "
            f"Open the folder with the library that wrote it."
        ) from error
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: of format version {version}, this pianoroll_seq2seq reads version {FORMAT_VERSION}. "
            f"Open it with the version that wrote it ({config.get('library_version', 'which it does not say')})."
        )
    _check_parts(config, path)
    return config


def load_folder(folder: str | os.PathLike[str], *, classes: Iterable[type] = ()) -> SequenceModel:
    """Builds the model that a folder holds, on the CPU and ready to generate (evaluation mode).

    Args:
        folder: of ``save_pretrained``.
        classes: models and heads of your own that it may be built of.

    Raises:
        CheckpointNotFoundError: a file is missing.
        CheckpointError: a damaged file, a class not named, or weights that do not fit the configuration.
    """
    config = read_config(folder)
    label = str(Path(folder) / CONFIG)
    model = build(config["model"], classes=classes, label=label)
    if not isinstance(model, SequenceModel):
        raise CheckpointError(f"{label}: describes a {type(model).__name__}, which is not a sequence model.")
    path = Path(folder) / WEIGHTS
    weights = _read_weights(path, config.get("weights_sha256"))
    try:
        model.load_state_dict(weights)
    except (RuntimeError, TypeError) as error:
        raise CheckpointError(f"{path}: does not fit the model that {label} describes ({error}).") from error
    model.train(False)
    return model


def _read_weights(path: Path, sha256: str | None) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointNotFoundError(f"{path}: no such file. {_what_is_there(path.parent)}")
    try:
        data = path.read_bytes()
        tensors = safetensors.torch.load(data)
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: damaged, or not safetensors ({error}). Fetch the folder again.") from error
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise CheckpointError(
            f"{path}: not the weights that {CONFIG} beside it was written with (their checksums differ). Fetch the "
            f"folder again; if you have changed the weights yourself, take weights_sha256 out of {CONFIG}."
        )
    return tensors


def _check_columns(model: SequenceModel, pitches: PitchRange, onsets: bool) -> None:
    columns = getattr(model, "pitches", None)  # a model of one's own need not have it
    expected = len(pitches) * (2 if onsets else 1)
    if isinstance(columns, int) and columns != expected:
        raise SettingsError(
            f"The model has frames of {columns} columns, but {pitches} with onsets={onsets} makes {expected}. Say the "
            f"pitches that it was trained on, and onsets=True if it was trained on SlidingWindows(..., onsets=True)."
        )


def _check_parts(config: Mapping[str, Any], path: Path) -> None:
    """Refuses a configuration whose parts are not of their kinds; what is left out is empty."""
    kinds = {"onsets": bool, "condition_size": int, "card": dict, "weights_sha256": str}
    wrong = [name for name, kind in kinds.items() if not isinstance(config.get(name, kind()), kind)]
    wrong += [name for name in ("model", "grid") if not is_description(config.get(name))]
    if wrong:
        raise CheckpointError(f"{path}: damaged; it is not clear what it says of {', '.join(wrong)}.")


def _what_is_there(folder: Path) -> str:
    """The way on for somebody whose folder lacks a file."""
    pickles = sorted(child.name for child in folder.iterdir() if child.suffix in _PICKLES) if folder.is_dir() else []
    if pickles:
        return (
            f"{pickles[0]} is not read: a pickle may run any program. Ask its maker for {CONFIG} and {WEIGHTS}, as "
            f"save_pretrained writes them."
        )
    return f"A model to share is {CONFIG} and {WEIGHTS} in one folder, as save_pretrained writes them; fetch both."
