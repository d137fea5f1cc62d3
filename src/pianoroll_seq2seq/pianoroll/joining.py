"""Piano rolls one after another."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq.errors import GridError, PitchRangeError, ShapeError

if TYPE_CHECKING:
    from pianoroll_seq2seq.pianoroll.roll import PianoRoll


def concatenate(rolls: "Iterable[PianoRoll]") -> "PianoRoll":
    """The rolls one after another, each at its own tempo; the name is that of the first.

    Args:
        rolls: at least one, all on one grid, with one pitch range and as many ticks per beat.

    Raises:
        ShapeError: no rolls.
        GridError: rolls of different grids or ticks per beat.
        PitchRangeError: rolls of different pitch ranges.

    Example:
        >>> from pianoroll_seq2seq import PianoRoll, PitchRange
        >>> silence = PianoRoll.silent(8, pitches=PitchRange(60, 71))
        >>> note = PianoRoll.from_active(np.eye(1, 12, dtype=bool), pitches=PitchRange(60, 71))
        >>> concatenate([silence, note, silence, note]).active[:, 0].nonzero()[0]
        array([ 8, 17])
    """
    rolls = list(rolls)
    if not rolls:
        raise ShapeError("concatenate needs at least one roll.")
    first = rolls[0]
    tempo, num_frames = first.tempo, len(first)
    for roll in rolls[1:]:
        if roll.pitches != first.pitches:
            raise PitchRangeError(
                f"Cannot concatenate rolls of {first.pitches} and {roll.pitches}. Convert one with "
                f"roll.with_pitches(...)."
            )
        if roll.grid != first.grid or roll.tempo.ticks_per_beat != tempo.ticks_per_beat:
            raise GridError(
                f"Cannot concatenate rolls on {first.grid} with {tempo.ticks_per_beat} ticks per beat, and on "
                f"{roll.grid} with {roll.tempo.ticks_per_beat}. Read them on one grid."
            )
        tempo = tempo.concatenate(roll.tempo, int(first.grid.ticks_at(np.array([num_frames]), tempo)[0]))
        num_frames += len(roll)
    return replace(
        first,
        active=np.concatenate([roll.active for roll in rolls]),
        onset=np.concatenate([roll.onset for roll in rolls]),
        tempo=tempo,
    )
