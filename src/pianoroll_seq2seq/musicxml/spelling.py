"""How pitches are written: their names in a key, and the places of drums on the staff."""

_STEPS = "FCGDAEB"  # by fifths
_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_FEWEST = -3  # fifths: the names around C major are those from E flat to G sharp

_DRUM_PLACES = {
    **dict.fromkeys((35, 36), ("F", 4, "normal")),  # bass drums
    **dict.fromkeys((38, 40), ("C", 5, "normal")),  # snares
    37: ("C", 5, "x"),  # side stick
    **dict.fromkeys((41, 43), ("A", 4, "normal")),  # toms, from low to high
    **dict.fromkeys((45, 47), ("D", 5, "normal")),
    **dict.fromkeys((48, 50), ("E", 5, "normal")),
    44: ("D", 4, "x"),  # hi-hat, with the foot
    **dict.fromkeys((42, 46), ("G", 5, "x")),
    **dict.fromkeys((51, 53, 59), ("F", 5, "x")),  # ride cymbals
    **dict.fromkeys((49, 52, 55, 57), ("A", 5, "x")),  # crash cymbals
}


def spelled(pitch: int, fifths: int) -> tuple[str, int, int]:
    """The step, the semitones of its accidental and the octave of a pitch in a key.

    Args:
        pitch: the MIDI number.
        fifths: of the key signature.

    Example:
        >>> spelled(66, 2), spelled(66, -5), spelled(60, 0)
        (('F', 1, 4), ('G', -1, 4), ('C', 0, 4))
    """
    by_fifths = fifths + _FEWEST + (7 * pitch - fifths - _FEWEST) % 12
    step, alter = _STEPS[(by_fifths + 1) % 7], (by_fifths + 1) // 7
    return step, alter, (pitch - alter - _NATURALS[step]) // 12 - 1


def altered_by_key(step: str, fifths: int) -> int:
    """The semitones by which a key signature alters a step.

    Example:
        >>> altered_by_key("F", 1), altered_by_key("B", -1), altered_by_key("C", 0)
        (1, -1, 0)
    """
    place = _STEPS.index(step)
    return 1 if place < fifths else -1 if place >= 7 + fifths else 0


def drum_place(drum: int) -> tuple[str, int, str]:
    """The step and the octave at which a drum is written, and its notehead."""
    return _DRUM_PLACES.get(drum, ("C", 5, "normal"))
