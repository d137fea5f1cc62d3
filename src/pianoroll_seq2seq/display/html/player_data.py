"""A roll in the JSON that the scripts of a page read."""

import json
from typing import Any, TypedDict

import numpy as np

from pianoroll_seq2seq._internal.names import as_text
from pianoroll_seq2seq.display.palette import part_colour
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.meter import bar_ticks
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pianoroll.conversions import typical_velocity

VELOCITY = 0.8
"""The velocity of notes, 0..1, whose velocity is unknown."""
_MIN_SEMITONES = 12


class PartData(TypedDict):
    """A part, as pages name and colour it."""

    name: str
    program: int
    drums: bool
    colour: str
    """Its colour in CSS; empty in music of one part, whose primer and continuation have colours."""


class PlayerData(TypedDict):
    """The input of ``mountPlayer`` in ``pianoroll.js``. All times are seconds from the beginning."""

    name: str
    seconds: float
    primer_seconds: float
    """The length of the primer, 0 without one. Notes that start before its end are drawn as notes of the primer."""
    lowest: int
    """The lowest MIDI pitch to draw."""
    highest: int
    """The highest MIDI pitch to draw."""
    beats: list[float]
    """The times of the beats."""
    bars: list[float]
    """The times of the bar lines; none if the time signature is unknown."""
    parts: list[PartData]
    """The parts."""
    notes: list[list[float]]
    """Start, end, MIDI pitch, velocity 0..1 and index of the part of each note, in order of the starts."""


def player_data(roll: PianoRoll, *, primer_frames: int = 0, name: str = "") -> PlayerData:
    """Converts a roll; times are rounded to milliseconds.

    Args:
        roll: the roll to play.
        primer_frames: the number of first frames that are a primer.
        name: the name of the piece; the roll's own name by default.

    Raises:
        SettingsError: ``primer_frames`` below 0 or above the length of the roll.

    Example:
        >>> from pianoroll_seq2seq import PitchRange
        >>> roll = PianoRoll.from_active(np.eye(2, dtype=bool), pitches=PitchRange(60, 61), name="two notes")
        >>> player_data(roll, primer_frames=1)["notes"]
        [[0.0, 0.125, 60, 0.8, 0], [0.125, 0.25, 61, 0.8, 0]]
    """
    check_primer_frames(primer_frames, roll)
    times = rounded(roll.grid.seconds_at(np.arange(len(roll) + 1), roll.tempo))
    notes = roll.notes()
    order = np.lexsort((notes.part, notes.pitch, notes.onset_frame))
    levels = velocity_shares(notes.velocity, len(order))
    columns = (column[order].tolist() for column in (*notes[:3], levels, notes.part))
    lowest, highest = _drawn_range(roll)
    return PlayerData(
        name=name or roll.name,
        seconds=times[-1],
        primer_seconds=times[primer_frames],
        lowest=lowest,
        highest=highest,
        beats=beat_seconds(roll),
        bars=bar_seconds(roll),
        parts=parts_data(roll),
        notes=[[times[onset], times[end], *others] for onset, end, *others in zip(*columns, strict=True)],
    )


def velocity_shares(velocity: np.ndarray | None, count: int) -> np.ndarray:
    """Velocities as shares of the loudest one, 0..1; unknown ones are the median of the others, or 0.8."""
    if velocity is None or not velocity.any():
        return np.full(count, VELOCITY)
    known = np.where(velocity > 0, velocity, typical_velocity(velocity))
    shares: np.ndarray = np.round(known / 127, 2)
    return shares


def parts_data(roll: PianoRoll) -> list[PartData]:
    """The parts of a roll, for a page."""
    several = len(roll.parts) > 1
    return [
        PartData(
            name=as_text(part.name),
            program=part.program,
            drums=part.drums,
            colour=part_colour(index) if several else "",
        )
        for index, part in enumerate(roll.parts)
    ]


def bar_seconds(roll: PianoRoll, *, num_frames: int | None = None) -> list[float]:
    """The time of each bar line of a roll whose time signature is known, in seconds.

    Args:
        roll: the roll.
        num_frames: up to which line; those of the roll by default.
    """
    if not roll.meter.time_signatures:
        return []
    end = int(roll.grid.ticks_at(np.array([len(roll) if num_frames is None else num_frames]), roll.tempo)[0])
    ticks = bar_ticks(roll.meter, ticks_per_beat=roll.tempo.ticks_per_beat, num_ticks=end)
    return rounded(roll.tempo.seconds(ticks))


def check_primer_frames(primer_frames: int, roll: PianoRoll) -> None:
    """Validates the length of a roll's primer.

    Raises:
        SettingsError: below 0 or above the length of the roll.
    """
    if not 0 <= primer_frames <= len(roll):
        raise SettingsError(f"primer_frames must be in 0..{len(roll)}, the frames of the roll, got {primer_frames}.")


def beat_seconds(roll: PianoRoll, *, extra_beats: int = 0) -> list[float]:
    """The time of each beat of a roll, and of some beats after it, in seconds."""
    ticks_per_beat = roll.tempo.ticks_per_beat
    end_tick = int(roll.grid.ticks_at(np.array([len(roll)]), roll.tempo)[0])
    ticks = np.arange(0, end_tick + 1 + extra_beats * ticks_per_beat, ticks_per_beat)
    return rounded(roll.tempo.seconds(ticks))


def rounded(seconds: np.ndarray) -> list[float]:
    """Times to the millisecond."""
    return [round(value, 3) for value in seconds.tolist()]


def script_json(value: Any) -> str:
    """JSON that is safe inside a ``<script>`` element, whatever names it contains."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _drawn_range(roll: PianoRoll) -> tuple[int, int]:
    """The sounding range and a semitone on either side, at least an octave; the whole range of a silent roll."""
    if not roll.active.any():
        return roll.pitches.lowest, roll.pitches.highest
    lowest, highest = roll.sounding_range()
    lowest, highest = lowest - 1, highest + 1
    lowest = max(lowest - max(_MIN_SEMITONES - (highest - lowest), 0) // 2, 0)
    return lowest, min(max(highest, lowest + _MIN_SEMITONES), 127)
