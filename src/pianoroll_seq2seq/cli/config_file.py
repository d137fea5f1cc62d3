"""The configuration of a run: a YAML file beside its checkpoints that repeats the run.

Keys are options with underscores, such as ``batch_size``. A class is a mapping with its import path under ``class`` and
its arguments beside it::

    epochs: 20
    model:
      class: pianoroll_seq2seq.Seq2SeqLSTM
      hidden_size: 64
"""

from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pianoroll_seq2seq.errors import OverwriteError, SettingsError
from pianoroll_seq2seq.train.run_files import CONFIG, HISTORY, LAST, PREVIOUS

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_MAY_DIFFER = frozenset(
    {
        *("output", "device", "threads", "tracker"),
        *("epochs", "patience", "on_epoch", "sample_every", "checkpoint_seconds"),
    }
)
"""Options that may change when a run is resumed."""
_SIGNS_OF_A_RUN = (LAST, PREVIOUS, HISTORY)


def read_config(path: Path) -> dict[str, Any]:
    """Reads the options of a configuration.

    Raises:
        SettingsError: not YAML, or not a mapping.
        OSError: the file cannot be read.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not YAML ({error}).") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise SettingsError(f"{path}: expected options with their values, such as 'epochs: 20', got {content!r:.80}.")
    return content


def flat_options(config: Mapping[str, Any], *, without_classes: Collection[str] = ()) -> dict[str, Any]:
    """Options in the form of the command line: ``{"model": {"class": "A", "b": 1}}`` is ``--model A --model.b 1``.

    Args:
        config: the options.
        without_classes: options that are left out, because the command line names another class.
    """
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if name in without_classes:
            continue
        if isinstance(value, Mapping):
            arguments = {f"{name}.{key}": inner for key, inner in value.items() if key != "class"}
            flat |= ({name: value["class"]} if "class" in value else {}) | arguments
        else:
            flat[name] = value
    return flat


def plain_options(options: "DataclassInstance") -> dict[str, Any]:
    """The fields of an options dataclass as YAML holds them."""
    return {field.name: plain_value(getattr(options, field.name)) for field in fields(options)}


def plain_value(value: Any) -> Any:
    """A path as text and a tuple as a list; everything else as it is."""
    if isinstance(value, (list, tuple)):
        return [plain_value(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value


def check_folder(folder: Path, options: Mapping[str, Any]) -> bool:
    """Whether the folder holds a run with these options that can be resumed. Writes nothing.

    Args:
        folder: the run's folder. It need not exist.
        options: the configuration.

    Raises:
        OverwriteError: the folder holds another run, or other files.
    """
    path = folder / CONFIG
    if not path.is_file():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise OverwriteError(f"{folder} holds files that are not of a run of train. Choose another --output.")
        return False
    if not any((folder / name).exists() for name in _SIGNS_OF_A_RUN):
        return False  # an earlier command failed before training began
    before = read_config(path)
    differences = [
        f"{name} is {options.get(name)!r}, was {before.get(name)!r}"
        for name in sorted({*before, *options} - _MAY_DIFFER)
        if before.get(name) != options.get(name)
    ]
    if differences:
        raise OverwriteError(
            f"{folder} holds a run with other options: {'; '.join(differences)}. Choose another --output."
        )
    return True


def write_config(folder: Path, options: Mapping[str, Any]) -> None:
    """Writes the configuration into the run's folder, which is created if needed. Replaces an earlier one."""
    from pianoroll_seq2seq._internal.atomic import writing

    with writing(folder / CONFIG, overwrite=True) as temporary:
        temporary.write_text(config_text(options), encoding="utf-8")


def config_text(options: Mapping[str, Any]) -> str:
    """The configuration as YAML."""
    return yaml.safe_dump(dict(options), sort_keys=False)
