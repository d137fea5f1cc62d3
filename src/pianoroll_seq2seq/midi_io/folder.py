"""The files of music in a folder."""

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq.errors import MidiNotFoundError

_ENDINGS = (".mid", ".midi", ".kar", ".rmi", ".musicxml", ".mxl")  # not .xml, which may be anything


def music_paths(folder: Path) -> list[Path]:
    """Every MIDI file and MusicXML file below a folder, in order of their paths.

    MIDI files end with ``.mid``, ``.midi``, ``.kar`` or ``.rmi``, MusicXML files with ``.musicxml`` or ``.mxl``.

    Linked folders are read too, but no folder twice: neither one that is also there without a link, nor one that holds
    the link. A warning names what has the name of such a file and is none, such as a named pipe (opening it would wait
    for ever) or a link to nothing, and folders that may not be read.

    Raises:
        MidiNotFoundError: no such folder, or no such file in it.
    """
    if not folder.is_dir():
        if folder.is_file():
            raise MidiNotFoundError(f"{folder}: a file; expected a folder. Give the folder that holds it.")
        raise MidiNotFoundError(f"{folder}: no such folder. Check the path.")
    named = sorted(path for path in _below(folder) if path.suffix.lower() in _ENDINGS)
    paths = []
    for path in named:
        if os.path.isfile(path):  # as Path.is_file(), which raises some errors
            paths.append(path)
        else:
            warnings.warn(f"{printable(str(path))} is left out: {_why_no_file(path)}.", stacklevel=2)
    if not paths:
        endings = ", ".join(_ENDINGS)
        raise MidiNotFoundError(f"{folder}: no MIDI or MusicXML file ({endings}) in it or below. Check the path.")
    return paths


def piece_names(sources: Iterable[str]) -> dict[str, str]:
    """The names of pieces, by the paths of their files: without the ending, except where two would have one name.

    No two have one name.

    Example:
        >>> piece_names(["b.mid", "songs/a.kar", "songs/a.mid"])
        {'b.mid': 'b', 'songs/a.kar': 'songs/a.kar', 'songs/a.mid': 'songs/a.mid'}
    """
    names = {source: str(PurePosixPath(source).with_suffix("")) for source in sources}
    while True:  # a name with its ending may be that of another piece: a.mid of a.mid and a.kar, and of a.mid.mid
        count = Counter(names.values())
        again = {source: name if count[name] == 1 else source for source, name in names.items()}
        if again == names:
            return names
        names = again


def _below(folder: Path) -> Iterator[Path]:
    """Everything below a folder that is no folder: first without links, then what the links lead to."""
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        links: list[Path] = []
        for where, folders, names in os.walk(waiting.pop(0), onerror=_warn):
            if _is_seen(where, seen):
                folders.clear()
                continue
            yield from (Path(where, name) for name in names)
            links += (path for name in folders if os.path.islink(path := Path(where, name)))
        waiting += sorted(links)


def _why_no_file(path: Path) -> str:
    try:
        path.stat()
    except FileNotFoundError:
        return "it is no file, but a link to nothing"
    except OSError as error:  # a link in a circle or to a name that is too long, or a folder that may not be entered
        return error.strerror or str(error)
    return "it is no file, but a named pipe, a socket or a device"


def _warn(error: OSError) -> None:
    warnings.warn(f"{printable(str(error.filename))} is left out: {error.strerror}.", stacklevel=2)


def _is_seen(folder: str, seen: set[tuple[int, int]]) -> bool:
    """Whether a folder was seen before; remembers it."""
    status = os.stat(folder)
    before = len(seen)
    seen.add((status.st_dev, status.st_ino))
    return len(seen) == before
