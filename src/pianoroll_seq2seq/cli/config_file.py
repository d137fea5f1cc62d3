"""The configuration of a run: a YAML file beside its checkpoints that repeats the run.

Keys are options with underscores, such as ``batch_size``. A class is a mapping with its import path under ``class`` and
its arguments beside it::

    epochs: 20
    model:
      class: pianoroll_seq2seq.Seq2SeqLSTM
      hidden_size: 64
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pianoroll_seq2seq._internal.yaml_files import read_yaml
from pianoroll_seq2seq.cli.user_code import check_named
from pianoroll_seq2seq.errors import OverwriteError, SettingsError
from pianoroll_seq2seq.train.run_files import CONFIG, HISTORY, LAST, METRICS, PREVIOUS, SAMPLES

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_MAY_DIFFER = frozenset(
    {
        *("output", "device", "threads", "tracker"),
        *("epochs", "patience", "on_epoch", "sample_every", "checkpoint_seconds"),
        "precision",  # fit compares what auto stands for on the device
    }
)
"""Options that may change when a run is resumed, or that only fit can compare."""
_ONLY_ON_THE_COMMAND_LINE = frozenset({"config", "classes"})
_KEY = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_OBSERVERS = ("tracker.", "on_epoch.")
"""Arguments of classes that write files or send data."""
_ELSEWHERE = re.compile(r"([A-Za-z][\w+.-]*:)?[/\\~]")
_SIGNS_OF_A_RUN = (LAST, PREVIOUS, HISTORY)


def read_config(path: Path) -> dict[str, Any]:
    """Reads the options of a configuration.

    Raises:
        SettingsError: not YAML, not a mapping, or an option that only the command line has.
        OSError: the file cannot be read.
    """
    content = read_yaml(path)
    keys = [*content, *(key for value in content.values() if isinstance(value, Mapping) for key in value)]
    wrong = [key for key in keys if not (isinstance(key, str) and _KEY.fullmatch(key))]
    if wrong:
        raise SettingsError(f"{path}: {wrong[0]!r:.80} is not an option. Options have underscores: batch_size.")
    forbidden = sorted(_ONLY_ON_THE_COMMAND_LINE & content.keys())
    if forbidden:
        raise SettingsError(f"{path}: {forbidden[0]} is an option of the command line only. Remove it from the file.")
    return content


def check_code(
    options: Mapping[str, Any], names: Collection[str], *, classes: Collection[str] = (), label: str = CONFIG
) -> None:
    """Refuses a configuration that names code, or places to write to, which the user has not named. Imports nothing.

    Args:
        options: its options, as :func:`flat_options` gives them, without those that the command line replaces.
        names: the options that name a class or a function.
        classes: the import paths, or modules, that ``--classes`` names.
        label: the file, for error messages.

    Raises:
        SettingsError: a class of somebody else, or an observer of the run that writes or sends to somewhere else.
    """
    for name in names:
        path = options.get(name)
        if path is not None and not (isinstance(path, str) and path.isidentifier()):  # one is a class of the library
            check_named(path, f"{label}: {name}", classes)
    for name, value in options.items():
        if name.startswith(_OBSERVERS) and isinstance(value, str) and _is_elsewhere(value):
            raise SettingsError(
                f"{label}: {name} is {value}, which is not in the working directory. If you trust it, give it on the "
                f"command line: --{name.replace('_', '-')} {value}"
            )


def _is_elsewhere(place: str) -> bool:
    """Whether a text is an address, or a path out of the working directory."""
    return _ELSEWHERE.match(place) is not None or ".." in re.split(r"[/\\]", place)


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
        SettingsError: what is written there would go to somewhere else, or wait for a reader.
    """
    for written in (folder / METRICS, folder / SAMPLES):  # other files are replaced, and not written to
        if written.is_symlink() or (written.exists() and not (written.is_file() or written.is_dir())):
            raise SettingsError(
                f"{written}: a link, a pipe or a device, but a run writes into its own folder. Remove it, or choose "
                f"another --output."
            )
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
