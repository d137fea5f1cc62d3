"""The models that are shipped with the library."""

from pathlib import Path
from typing import Any

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.pretrained.cards import Card

_FOLDER = Path(__file__).parent


def pretrained_names() -> tuple[str, ...]:
    """The names of the shipped models.

    Example:
        >>> pretrained_names()
        ('airds-airs', 'bach-chorales', 'bach-chords')
    """
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.safetensors")))


def model_card(name: str) -> dict[str, Any]:
    """What a shipped model was trained on and how, its scores, and what it is not for.

    Raises:
        SettingsError: no model of this name.
        CheckpointError: a damaged installation.

    Example:
        >>> "Bach" in str(model_card("bach-chorales"))
        True
    """
    return Card(checkpoint.read_header(pretrained_path(name))["details"]["card"])


def pretrained_path(name: str) -> Path:
    """The file of a shipped model.

    Raises:
        SettingsError: no model of this name.
    """
    if name not in pretrained_names():
        raise SettingsError(
            f"No model named {name!r} is shipped with the library, and there is no such folder. The shipped models are "
            f"{list(pretrained_names())}."
        )
    return _FOLDER / f"{name}.safetensors"
