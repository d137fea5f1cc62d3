"""Models that come with the library, each one file: weights, settings and a card that says what it is and is not for.

A model is named by its file in this folder. To add one, put it there; ``save(model, path, details={"grid": ...,
"pitches": ..., "card": ...})`` writes it. Models of others, and your own to share, lie in folders elsewhere: see
:func:`save_pretrained`.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.base import SequenceModel
from pianoroll_seq2seq.pretrained.folders import load_folder
from pianoroll_seq2seq.pretrained.folders import save_pretrained as save_pretrained

_FOLDER = Path(__file__).parent


def pretrained_names() -> tuple[str, ...]:
    """The names of the models that are here.

    Example:
        >>> pretrained_names()
        ('bach-chorales',)
    """
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.safetensors")))


def load_pretrained(source: str | os.PathLike[str], *, classes: Iterable[type] = ()) -> SequenceModel:
    """A trained model, on the CPU and ready to generate.

    Args:
        source: the name of one that comes with the library, or a folder of :func:`save_pretrained`.
        classes: models and heads of your own that it may be built of.

    Raises:
        SettingsError: neither a model of that name nor a folder.
        CheckpointError: a damaged file, one that is missing, or a class that is not named.

    Example:
        >>> type(load_pretrained("bach-chorales")).__name__
        'Seq2SeqLSTM'
    """
    if os.fspath(source) not in pretrained_names() and Path(source).is_dir():
        return load_folder(source, classes=classes)
    model: SequenceModel = checkpoint.load(pretrained_path(os.fspath(source)), classes=classes)
    return model


def model_card(name: str) -> dict[str, Any]:
    """What a model was trained on and how, how well it does, and what it is not for.

    Raises:
        SettingsError: no model of that name.
        CheckpointError: a damaged installation.

    Example:
        >>> "Bach" in str(model_card("bach-chorales"))
        True
    """
    card: dict[str, Any] = checkpoint.read_header(pretrained_path(name))["details"]["card"]
    return card


def pretrained_path(name: str) -> Path:
    """The file of a model.

    Raises:
        SettingsError: no model of that name.
    """
    if name not in pretrained_names():
        raise SettingsError(
            f"No model named {name!r} comes with the library, and no folder of that name is here; there are "
            f"{list(pretrained_names())}."
        )
    return _FOLDER / f"{name}.safetensors"
