"""Which accidentals are written in a bar: those that neither the key nor an earlier note of the bar gives."""

from collections.abc import Iterable

from pianoroll_seq2seq.musicxml.notation import Piece
from pianoroll_seq2seq.musicxml.spelling import altered_by_key, spelled

_NAMES = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}


def accidentals_of(pieces: Iterable[Piece], fifths: int) -> dict[tuple[int, int], str]:
    """The accidentals of a bar of one staff, by the start of their note in the bar and its pitch.

    Args:
        pieces: those of all voices of the staff.
        fifths: of the key signature.
    """
    running: dict[tuple[str, int], int] = {}
    found: dict[tuple[int, int], str] = {}
    for piece in sorted(pieces, key=lambda piece: piece.segment.start):
        if piece.segment.chord is None:
            continue
        for pitch in piece.segment.chord.velocities:
            step, alter, octave = spelled(pitch, fifths)
            if running.get((step, octave), altered_by_key(step, fifths)) == alter:
                continue
            if piece.segment.tied_before:
                continue  # the note before has it
            running[step, octave] = alter
            found[piece.segment.start, pitch] = _NAMES[alter]
    return found
