"""The pitched parts of a roll: the parts that metrics of pitches are about. The notes of drums have no pitches."""

import numpy as np
from jaxtyping import Bool, Int64

from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pianoroll.conversions import RollNotes


def merge_pitched(roll: PianoRoll) -> PianoRoll:
    """All parts but drums in one part, in which a pitch sounds if any of them plays it; silence if there are none.

    Example:
        >>> roll = PianoRoll.from_active(np.eye(4, 88, dtype=bool))
        >>> merge_pitched(PianoRoll.stack({"melody": roll, "piano": roll})) == roll
        True
    """
    if any(not part.drums for part in roll.parts):
        return roll.merged()
    return PianoRoll.silent(len(roll), grid=roll.grid, pitches=roll.pitches, tempo=roll.tempo)


def pitched_columns(roll: PianoRoll) -> Bool[np.ndarray, " columns"] | slice:
    """The columns of all parts but drums, as an index."""
    if not any(part.drums for part in roll.parts):
        return slice(None)
    return np.repeat([not part.drums for part in roll.parts], [len(part.pitches) for part in roll.parts])


def pitched_notes(roll: PianoRoll) -> RollNotes:
    """The notes of all parts but drums, part by part."""
    notes = roll.notes()
    if not any(part.drums for part in roll.parts):
        return notes
    keep = ~np.array([part.drums for part in roll.parts])[notes.part]
    onset_frame, end_frame, pitch, part = (column[keep] for column in notes[:4])
    velocity = None if notes.velocity is None else notes.velocity[keep]
    return RollNotes(onset_frame, end_frame, pitch, part, velocity)


def notes_at_once(roll: PianoRoll) -> Int64[np.ndarray, " frames"]:
    """The number of notes that sound in each frame, without drums. Two parts on one pitch are two notes."""
    counts: np.ndarray = roll.active[:, pitched_columns(roll)].sum(axis=1)
    return counts
