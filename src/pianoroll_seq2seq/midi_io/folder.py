"""The MIDI files of a folder."""

from pathlib import Path

from pianoroll_seq2seq.errors import MidiNotFoundError

_ENDINGS = (".mid", ".midi", ".kar", ".rmi")


def midi_paths(folder: Path) -> list[Path]:
    """Every ``.mid``, ``.midi``, ``.kar`` and ``.rmi`` file below a folder, in order of their paths.

    Raises:
        MidiNotFoundError: no such folder, or no MIDI file in it.
    """
    if not folder.is_dir():
        raise MidiNotFoundError(f"{folder}: no such folder. Check the path.")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS and path.is_file())
    if not paths:
        raise MidiNotFoundError(f"{folder}: no .mid, .midi, .kar or .rmi file in it or below. Check the path.")
    return paths
