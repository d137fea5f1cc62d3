"""The configuration of a run, beside its checkpoints: what repeats it, and what says whether it is the same."""

from pathlib import Path
from typing import Any

import yaml

from pianoroll_seq2seq.atomic import writing
from pianoroll_seq2seq.errors import OverwriteError, SettingsError

CONFIG = "config.yaml"
_MAY_DIFFER = frozenset({"output", "epochs", "patience", "device", "threads", "on_epoch", "tracker", "sample_every"})
"""Options with which a run may go on otherwise than it began."""


def claim(folder: Path, text: str) -> bool:
    """Takes a folder for a run, or finds in it an earlier one of the same configuration to go on with.

    Args:
        folder: the folder; made if need be.
        text: the configuration as YAML.

    Returns:
        Whether a run is there already.

    Raises:
        OverwriteError: the folder holds another run, or anything else.
    """
    path = folder / CONFIG
    before = read(path) if path.is_file() else None
    now: dict[str, Any] = yaml.safe_load(text)
    if before is None and folder.is_dir() and any(folder.iterdir()):
        raise OverwriteError(f"{folder} holds files that are not of a run of this command. Choose another --output.")
    if before is not None:
        differing = [
            f"{name} {before.get(name)!r}, now {now.get(name)!r}"
            for name in sorted({*before, *now} - _MAY_DIFFER)
            if before.get(name) != now.get(name)
        ]
        if differing:
            raise OverwriteError(
                f"{folder} holds a run of another configuration: {'; '.join(differing)}. Choose another --output."
            )
    with writing(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return before is not None


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
