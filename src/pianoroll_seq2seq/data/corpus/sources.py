"""The files that a corpus is built from, and their labels."""

import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pianoroll_seq2seq.data.corpus.format import Labels
from pianoroll_seq2seq.data.corpus.shard import SourceFile
from pianoroll_seq2seq.errors import MidiNotFoundError, SettingsError
from pianoroll_seq2seq.midi_io import music_paths

_MAX_BITS = 64
"""Of a label that is a whole number."""


def source_files(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], labels: Callable[[Path], Labels] | None
) -> list[SourceFile]:
    """The files to build a corpus from, with their names in it and their labels.

    Args:
        paths: a folder, or the files.
        labels: gives the labels of a file, by its path.

    Raises:
        MidiNotFoundError: no such folder, or no files.
        SettingsError: labels that JSON would not return unchanged.
    """
    if isinstance(paths, str | os.PathLike):
        root = Path(paths)
        found = music_paths(root)
    else:
        found = [Path(path) for path in paths]
        if not found:
            raise MidiNotFoundError("No files to build a corpus from.")
        root = Path(os.path.commonpath([path.absolute().parent for path in found]))
    return [
        SourceFile(
            str(path.absolute()),
            path.absolute().relative_to(root.absolute()).as_posix(),
            {} if labels is None else _checked(labels(path), path),
        )
        for path in found
    ]


def _checked(labels: object, path: Path) -> Labels:
    """Validates labels: JSON must return them unchanged."""
    if not isinstance(labels, Mapping):
        raise SettingsError(f"{path}: its labels must be a mapping such as {{'style': 'jazz'}}, got {labels!r:.80}.")
    for name, value in labels.items():
        fits = isinstance(value, str) or (isinstance(value, float) and math.isfinite(value))
        fits |= isinstance(value, int) and value.bit_length() < _MAX_BITS
        if not isinstance(name, str) or not fits:
            raise SettingsError(
                f"{path}: a label must be a str, an int of at most {_MAX_BITS} bits or a finite float under a name "
                f"that is a str, got {name!r:.80}: {_shown(value)} ({type(value).__name__}). Convert it, as int(value) "
                f"does."
            )
    return labels


def _shown(value: object) -> str:
    try:
        return f"{value!r:.80}"
    except ValueError:  # a whole number of more digits than Python shows
        return "a number of thousands of digits"
