"""Rolls that are known to be valid, since checking their planes takes as long as filling them."""

from typing import TYPE_CHECKING

from pianoroll_seq2seq.parts import Part, spanned_pitches
from pianoroll_seq2seq.quantize import PlacedNotes, Planes

if TYPE_CHECKING:
    from pianoroll_seq2seq.pianoroll.roll import PianoRoll


_NOTES = "_notes"
"""The field of a roll whose planes have not been filled; it has no planes then."""


def roll_of_notes(
    kind: "type[PianoRoll]", notes: PlacedNotes, parts: tuple[Part, ...], **others: object
) -> "PianoRoll":
    """A roll of notes that fit its parts. Its planes are filled when they are first used.

    Filling them takes a third of the time of reading a file. At 50 frames a second they take 100 times the memory of
    the notes of a song, in sixteenths 15 times. Many rolls are only counted, sorted out or sent to another process.

    Args:
        kind: the class of the roll.
        notes: the notes, with the columns of the parts.
        parts: the parts.
        **others: the other fields.
    """
    roll = object.__new__(kind)
    roll.__dict__.update(others, parts=parts, pitches=spanned_pitches(parts))
    roll.__dict__[_NOTES] = notes
    return roll


def notes_of(roll: "PianoRoll") -> PlacedNotes | None:
    """The notes of a roll whose planes have not been filled; None if they have."""
    return roll.__dict__.get(_NOTES)


def fill(roll: "PianoRoll") -> None:
    """Fills the planes of a roll. Two threads may both do so: the planes are the same."""
    notes = notes_of(roll)
    if notes is None:
        return
    planes = notes.planes()
    _set_planes(roll, planes)
    roll.__dict__.pop(_NOTES, None)


class FilledPlane:
    """A plane of a roll as an attribute of its class: fills the planes when one is first used.

    From then on the roll has the plane itself, and Python does not look here.

    Args:
        name: of the plane.
    """

    def __init__(self, name: str) -> None:
        """Takes the name."""
        self._name = name

    def __get__(self, roll: "PianoRoll | None", kind: "type[PianoRoll] | None" = None) -> object:
        """The plane; this object itself for the class.

        Raises:
            AttributeError: a roll without planes and notes, which is not complete.
        """
        if roll is None:
            return self
        fill(roll)
        if self._name not in roll.__dict__:
            raise AttributeError(f"{type(roll).__name__!r} object has no attribute {self._name!r}")
        return roll.__dict__[self._name]


def _set_planes(roll: "PianoRoll", planes: Planes) -> None:
    for name, plane in zip(Planes._fields, planes, strict=True):
        if plane is not None:
            plane.flags.writeable = False
        roll.__dict__[name] = plane


def unchecked_roll(kind: "type[PianoRoll]", planes: Planes, parts: tuple[Part, ...], **others: object) -> "PianoRoll":
    """A roll of planes that were made from valid ones, or from notes.

    Args:
        kind: the class of the roll.
        planes: bool and uint8, with the columns of the parts; they become read-only.
        parts: the parts.
        **others: the other fields.
    """
    roll = object.__new__(kind)
    _set_planes(roll, planes)
    roll.__dict__.update(others, parts=parts, pitches=spanned_pitches(parts))
    return roll


def with_fields(roll: "PianoRoll", **fields: object) -> "PianoRoll":
    """A roll with other fields than planes and parts. Its planes stay as they are, filled or not."""
    other = object.__new__(type(roll))
    other.__dict__.update({**roll.__dict__, **fields})
    return other


def with_planes(
    roll: "PianoRoll", planes: Planes, parts: tuple[Part, ...] | None = None, **others: object
) -> "PianoRoll":
    """A roll with other planes, and other parts or other fields if they are given."""
    fields = {"grid": roll.grid, "tempo": roll.tempo, "name": roll.name, "meter": roll.meter, **others}
    return unchecked_roll(type(roll), planes, roll.parts if parts is None else parts, **fields)
