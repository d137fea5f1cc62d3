"""A piece as the scripts of a page read it."""

import json
from typing import Any, TypedDict

import numpy as np

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.pianoroll import PianoRoll

VELOCITY = 0.8
"""How hard the notes of a roll are struck, 0..1, since a roll does not say."""
_SMALLEST_RANGE = 12


class Music(TypedDict):
    """A piece as ``player.js`` and ``roll.js`` read it. All times are seconds from its beginning."""

    name: str
    seconds: float
    primer_seconds: float
    """How long the primer lasts, 0 where there is none: notes struck before are drawn as its own."""
    lowest: int
    """The lowest MIDI pitch to draw."""
    highest: int
    """The highest."""
    beats: list[float]
    """Where the beats fall."""
    notes: list[list[float]]
    """Start, end, MIDI pitch, and velocity 0..1 of each note, in the order of their starts."""


def music(roll: PianoRoll, *, primer_frames: int = 0, name: str = "") -> Music:
    """A roll as the scripts of a page read it, to the millisecond.

    Args:
        roll: what to play.
        primer_frames: its first frames are a primer, told apart from what the model wrote.
        name: what to call it; the roll's own name by default.

    Raises:
        SettingsError: a primer of fewer than 0 frames, or of more than the roll has.

    Example:
        >>> from pianoroll_seq2seq import PitchRange
        >>> piece = PianoRoll.from_active(np.eye(2, dtype=bool), pitches=PitchRange(60, 61), name="two notes")
        >>> music(piece, primer_frames=1)["notes"]
        [[0.0, 0.125, 60, 0.8], [0.125, 0.25, 61, 0.8]]
    """
    if not 0 <= primer_frames <= len(roll):
        raise SettingsError(f"primer_frames must lie in 0..{len(roll)}, the frames of the roll, got {primer_frames}.")
    times = _rounded(roll.grid.seconds_at(np.arange(len(roll) + 1), roll.tempo))
    onset_frame, end_frame, column = roll.notes()
    order = np.lexsort((column, onset_frame))
    notes = [
        [times[start], times[end], pitch, VELOCITY]
        for start, end, pitch in zip(
            onset_frame[order].tolist(),
            end_frame[order].tolist(),
            (column[order] + roll.pitches.lowest).tolist(),
            strict=True,
        )
    ]
    end_tick = int(roll.grid.ticks_at(np.array([len(roll)]), roll.tempo)[0])
    beats = _rounded(roll.tempo.seconds(np.arange(0, end_tick + 1, roll.tempo.ticks_per_beat)))
    lowest, highest = _drawn_range(roll)
    return Music(
        name=name or roll.name,
        seconds=times[-1],
        primer_seconds=times[primer_frames],
        lowest=lowest,
        highest=highest,
        beats=beats,
        notes=notes,
    )


def script_json(value: Any) -> str:
    """JSON that may stand inside a ``<script>`` element, whatever names are in it."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _drawn_range(roll: PianoRoll) -> tuple[int, int]:
    """The pitches that sound with one above and below, an octave at least; all of the roll's where none does."""
    columns = np.nonzero(roll.active.any(axis=0))[0]
    if not len(columns):
        return roll.pitches.lowest, roll.pitches.highest
    lowest, highest = int(columns[0]) + roll.pitches.lowest - 1, int(columns[-1]) + roll.pitches.lowest + 1
    lowest = max(lowest - max(_SMALLEST_RANGE - (highest - lowest), 0) // 2, 0)
    return lowest, min(max(highest, lowest + _SMALLEST_RANGE), 127)


def _rounded(seconds: np.ndarray) -> list[float]:
    return [round(value, 3) for value in seconds.tolist()]
