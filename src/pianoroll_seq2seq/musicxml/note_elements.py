"""The elements of notes, chords and rests."""

from collections.abc import Mapping
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement

from pianoroll_seq2seq.musicxml.conventions import FULL_DYNAMICS
from pianoroll_seq2seq.musicxml.notation import Piece
from pianoroll_seq2seq.musicxml.spelling import drum_place, spelled
from pianoroll_seq2seq.parts import Part


def instrument_id(part_id: str, drum: int) -> str:
    """The id of the instrument that is a drum in a part."""
    return f"{part_id}-I{drum + 1}"


def move(measure: Element, position: int, target: int) -> None:
    """Moves the position in a bar, at which the next element begins."""
    if position != target:
        element = SubElement(measure, "backup" if position > target else "forward")
        SubElement(element, "duration").text = str(abs(target - position))


class Place(NamedTuple):
    """Where in its part a voice is written."""

    part: Part
    part_id: str
    voice: int
    """From 1."""
    staff: int | None = None
    """From 1, in a part with two staves."""
    has_rests: bool = True
    """Whether rests are written: those of the first voice that a staff has in a bar are."""


def write_piece(
    measure: Element, piece: Piece, place: Place, *, fifths: int, accidentals: Mapping[tuple[int, int], str]
) -> None:
    """Writes a note, a chord or a rest.

    Where a voice other than the first of its staff in the bar rests, its place is left empty, except in tuplets.

    Args:
        measure: the bar.
        piece: what is written.
        place: its part, voice and staff.
        fifths: of the key signature, for the names of pitches.
        accidentals: those of the bar of this staff (:func:`accidentals_of`).
    """
    chord = piece.segment.chord
    if chord is None:
        if not place.has_rests and piece.tuplet is None:
            move(measure, 0, piece.length)
            return
        rest = SubElement(SubElement(measure, "note"), "rest")
        if piece.value is None:
            rest.set("measure", "yes")
        _write_rest_of_note(measure[-1], piece, place, instrument=None, edges=piece.edges)
        return
    part = place.part
    for index, (pitch, velocity) in enumerate(chord.velocities.items()):
        note = SubElement(measure, "note", dynamics=f"{velocity * 100 / FULL_DYNAMICS:.2f}")
        if piece.length == 0:
            SubElement(note, "grace")
        if index:
            SubElement(note, "chord")
        _write_pitch(note, pitch, fifths, drums=part.drums)
        instrument = instrument_id(place.part_id, pitch) if part.drums else None
        head = drum_place(pitch)[2] if part.drums else "normal"
        edges, beams = ((), ()) if index else (piece.edges, piece.beams)
        shown = None if part.drums else accidentals.get((piece.segment.start, pitch))
        _write_rest_of_note(
            note, piece, place, instrument=instrument, accidental=shown, head=head, edges=edges, beams=beams
        )


def _write_pitch(note: Element, pitch: int, fifths: int, *, drums: bool) -> None:
    if drums:
        step, octave, _ = drum_place(pitch)
        unpitched = SubElement(note, "unpitched")
        SubElement(unpitched, "display-step").text = step
        SubElement(unpitched, "display-octave").text = str(octave)
        return
    step, alter, octave = spelled(pitch, fifths)
    element = SubElement(note, "pitch")
    SubElement(element, "step").text = step
    if alter:
        SubElement(element, "alter").text = str(alter)
    SubElement(element, "octave").text = str(octave)


def _write_rest_of_note(
    note: Element,
    piece: Piece,
    place: Place,
    *,
    instrument: str | None,
    accidental: str | None = None,
    head: str = "normal",
    edges: tuple[str, ...],
    beams: tuple[str, ...] = (),
) -> None:
    """What follows the pitch, in the order that the format has."""
    if piece.length:
        SubElement(note, "duration").text = str(piece.length)
    ties = ["stop"] * piece.segment.tied_before + ["start"] * piece.segment.tied_after
    for kind in ties:
        SubElement(note, "tie", type=kind)
    if instrument is not None:
        SubElement(note, "instrument", id=instrument)
    SubElement(note, "voice").text = str(place.voice)
    _write_value(note, piece, accidental)
    if head != "normal":
        SubElement(note, "notehead").text = head
    if place.staff is not None:
        SubElement(note, "staff").text = str(place.staff)
    for number, beam in enumerate(beams, 1):
        SubElement(note, "beam", number=str(number)).text = beam
    if ties or edges:
        notations = SubElement(note, "notations")
        for kind in ties:
            SubElement(notations, "tied", type=kind)
        for edge in edges:
            SubElement(notations, "tuplet", type=edge)


def _write_value(note: Element, piece: Piece, accidental: str | None) -> None:
    """Type, dots, accidental and tuplet; the rest of a whole bar has none."""
    if piece.value is None:
        return
    name, dots = piece.value
    SubElement(note, "type").text = name
    for _ in range(dots):
        SubElement(note, "dot")
    if accidental is not None:
        SubElement(note, "accidental").text = accidental
    if piece.tuplet is not None:
        modification = SubElement(note, "time-modification")
        SubElement(modification, "actual-notes").text = str(piece.tuplet[0])
        SubElement(modification, "normal-notes").text = str(piece.tuplet[1])
