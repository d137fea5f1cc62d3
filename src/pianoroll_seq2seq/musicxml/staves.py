"""The staves of a part, and their clefs."""

from xml.etree.ElementTree import Element, SubElement

import numpy as np

from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part

_MIDDLE_C = 60
_ONE_STAFF, _CHORDS_ON_ONE_STAFF = 24, 16
"""Semitones of a melody, and of several notes at once, that are easy to read on one staff."""


def staves_of(part: Part, notes: NoteTable) -> list[NoteTable]:
    """The notes of each staff: one, or two with middle C between them if the notes are high and low, as for a piano.

    A twentieth of the notes at either end may be on ledger lines.
    """
    if part.drums or not len(notes):
        return [notes]
    low, high = np.quantile(notes.pitch, [0.05, 0.95])
    has_chords = bool((notes.onset_tick[1:] < np.maximum.accumulate(notes.end_tick)[:-1]).any())
    if high - low <= (_CHORDS_ON_ONE_STAFF if has_chords else _ONE_STAFF) or not low < _MIDDLE_C <= high:
        return [notes]
    is_high = notes.pitch >= _MIDDLE_C
    return [notes.where(is_high), notes.where(~is_high)]


def clef_of(part: Part, notes: NoteTable) -> Element:
    """A clef for most of the notes: G or F, and percussion for drums."""
    clef = Element("clef")
    is_low = len(notes) > 0 and float(np.median(notes.pitch)) < _MIDDLE_C
    sign, line = ("percussion", None) if part.drums else ("F", 4) if is_low else ("G", 2)
    SubElement(clef, "sign").text = sign
    if line is not None:
        SubElement(clef, "line").text = str(line)
    return clef
