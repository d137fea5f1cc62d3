"""Rolls of planes that are known to be valid: checking them takes as long as making them."""

from typing import TYPE_CHECKING

from pianoroll_seq2seq.parts import Part, spanned_pitches
from pianoroll_seq2seq.quantize import Planes

if TYPE_CHECKING:
    from pianoroll_seq2seq.pianoroll.roll import PianoRoll


def unchecked_roll(kind: "type[PianoRoll]", planes: Planes, parts: tuple[Part, ...], **others: object) -> "PianoRoll":
    """A roll of planes that were made from valid ones, or from notes.

    Args:
        kind: the class of the roll.
        planes: bool and uint8, with the columns of the parts; they become read-only.
        parts: the parts.
        **others: the other fields.
    """
    roll = object.__new__(kind)
    active, onset, velocity = planes
    for plane in planes:
        if plane is not None:
            plane.flags.writeable = False
    roll.__dict__.update(
        others, active=active, onset=onset, velocity=velocity, parts=parts, pitches=spanned_pitches(parts)
    )
    return roll


def with_planes(
    roll: "PianoRoll", planes: Planes, parts: tuple[Part, ...] | None = None, **others: object
) -> "PianoRoll":
    """A roll with other planes, and other parts or other fields if they are given."""
    fields = {"grid": roll.grid, "tempo": roll.tempo, "name": roll.name, "meter": roll.meter, **others}
    return unchecked_roll(type(roll), planes, roll.parts if parts is None else parts, **fields)
