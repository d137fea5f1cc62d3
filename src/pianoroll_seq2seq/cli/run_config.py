"""The configuration of a run, beside its checkpoints: what repeats it, and what says whether it is the same."""

from pathlib import Path
from typing import Any

import yaml

from pianoroll_seq2seq.atomic import writing
from pianoroll_seq2seq.errors import OverwriteError, SettingsError

CONFIG = "config.yaml"
_MAY_DIFFER = frozenset(
    {
        *("output", "device", "threads", "tracker"),
        *("epochs", "patience", "on_epoch", "sample_every", "checkpoint_seconds"),
    }
)
"""Options with which a run may go on otherwise than it began."""
_BEGUN = ("last.safetensors", "previous.safetensors", "history.jsonl")


def check_folder(folder: Path, text: str) -> bool:
    """Whether a run of this configuration has begun in a folder; nothing is written.

    Args:
        folder: the folder, there or not.
        text: the configuration as YAML.

    Raises:
        OverwriteError: the folder holds another run, or anything else.
    """
    path = folder / CONFIG
    if not path.is_file():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise OverwriteError(f"{folder} holds what is not of a run of this command. Choose another --output.")
        return False
    if not any((folder / name).exists() for name in _BEGUN):
        return False  # of a command that failed before it made anything
    before, now = read(path), yaml.safe_load(text)
    differing = [
        f"{name} {before.get(name)!r}, now {now.get(name)!r}"
        for name in sorted({*before, *now} - _MAY_DIFFER)
        if before.get(name) != now.get(name)
    ]
    if differing:
        raise OverwriteError(
            f"{folder} holds a run of another configuration: {'; '.join(differing)}. Choose another --output."
        )
    return True


def record(folder: Path, text: str) -> None:
    """Writes the configuration into the run's folder, in place of that of an earlier part of the run.

    Args:
        folder: the folder; made if need be.
        text: the configuration as YAML.
    """
    with writing(folder / CONFIG, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """The options in a configuration.

    Raises:
        SettingsError: not a mapping of options, or not YAML.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not YAML ({error}).") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: expected options with their values, such as 'epochs: 20', got {content!r:.80}.")
    return content
