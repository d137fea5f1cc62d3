"""The staves of a part, and their clefs."""

from xml.etree.ElementTree import Element, SubElement

import numpy as np

from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part

_MIDDLE_C = 60
_MIDDLE_LINES = {"G": 71, "G8": 59, "F": 50}
"""The pitch on the middle line of a staff, by its clef; the second one sounds an octave lower, as for tenors."""
_ONE_STAFF, _CHORDS_ON_ONE_STAFF = 24, 16
"""Semitones of a melody, and of several notes at once, that are easy to read on one staff."""


def staves_of(part: Part, notes: NoteTable) -> list[NoteTable]:
    """The notes of each staff: one, or two with middle C between them if the notes are high and low, as for a piano.

    A twentieth of the notes at either end may be on ledger lines.
    """
    if part.drums or not len(notes):
        return [notes]
    low, high = np.quantile(notes.pitch, [0.05, 0.95])
    if high - low <= (_CHORDS_ON_ONE_STAFF if _has_chords(notes) else _ONE_STAFF) or not low < _MIDDLE_C <= high:
        return [notes]
    is_high = notes.pitch >= _MIDDLE_C
    return [notes.where(is_high), notes.where(~is_high)]


def clef_of(part: Part, notes: NoteTable, *, alone: bool) -> Element:
    """A clef for most of the notes: G or F, for a melody also the G that sounds an octave lower; percussion for drums.

    Args:
        part: the part.
        notes: the notes of the staff.
        alone: whether it is the only staff of the part.
    """
    clef = Element("clef")
    if part.drums:
        SubElement(clef, "sign").text = "percussion"
        return clef
    median = float(np.median(notes.pitch)) if len(notes) else _MIDDLE_LINES["G"]
    kind = "F" if median < _MIDDLE_C else "G"
    if alone and not _has_chords(notes):
        kind = min(_MIDDLE_LINES, key=lambda name: abs(_MIDDLE_LINES[name] - median))
    SubElement(clef, "sign").text = kind[0]
    SubElement(clef, "line").text = "4" if kind == "F" else "2"
    if kind == "G8":
        SubElement(clef, "clef-octave-change").text = "-1"
    return clef


def _has_chords(notes: NoteTable) -> bool:
    """Whether several notes sound at once."""
    return bool((notes.onset_tick[1:] < np.maximum.accumulate(notes.end_tick)[:-1]).any())
