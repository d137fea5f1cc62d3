"""MusicXML files where a MIDI file is expected."""

import os

from pianoroll_seq2seq._internal.limits import Limits
from pianoroll_seq2seq.midi_io.source import MidiSource, NamedBytes, bytes_of
from pianoroll_seq2seq.midi_io.write import to_midi_bytes
from pianoroll_seq2seq.musicxml.read import read_musicxml

ENDINGS = (".musicxml", ".mxl", ".xml")
"""The endings of MusicXML files; ``.mxl`` is a compressed one."""


def midi_bytes_of(path: str | os.PathLike[str], limits: Limits) -> tuple[bytes, str]:
    """The bytes of a MIDI file, and its name in messages; a MusicXML file, by its ending, is converted to MIDI.

    Args:
        path: the file.
        limits: how large it may be.

    Raises:
        MidiNotFoundError: no such file.
        MidiError: a file that cannot be read.
        LimitError: a file larger than the limits allow.

    Warns:
        UserWarning: unpitched notes of MusicXML whose drum is unknown, which are left out.
    """
    data, label = bytes_of(path, limits)
    if _is_musicxml(path):
        data = to_midi_bytes(read_musicxml(NamedBytes(data, label), unpitched="drop", limits=limits))
    return data, label


def midi_source_of(path: str | os.PathLike[str], limits: Limits) -> MidiSource:
    """A path, from which the readers of MIDI files read; of a MusicXML file what :func:`midi_bytes_of` gives.

    Args:
        path: the file.
        limits: how large it may be.

    Raises:
        MidiNotFoundError, MidiError, LimitError: as :func:`midi_bytes_of`, for MusicXML files.
    """
    return NamedBytes(*midi_bytes_of(path, limits)) if _is_musicxml(path) else path


def _is_musicxml(path: str | os.PathLike[str]) -> bool:
    return os.fspath(path).lower().endswith(ENDINGS)
