"""The planes of a piano roll to and from notes, scores and the frames of a model.

Plain functions over planes: the methods of :class:`~pianoroll_seq2seq.pianoroll.PianoRoll` call them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq.errors import ShapeError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.meter import Meter
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.part_selection import PartsOption, columns_by_part
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll.columns import Plane, VelocityPlane
from pianoroll_seq2seq.pitches import PIANO, PitchRange
from pianoroll_seq2seq.quantize import PlacedNotes, Planes, lines_to_ticks, place_parts, planes_to_notes
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.tempo import TempoMap

DEFAULT_VELOCITY = 100
"""The velocity of notes whose velocity is unknown, if no velocity of the music is known."""


class RollNotes(NamedTuple):
    """The notes of a roll as columns, ordered by part, then by pitch, then by frame.

    Attributes:
        onset_frame: the first frame of each note; int64 of shape (notes,), as are the others.
        end_frame: the frame after its last.
        pitch: its MIDI note number.
        part: the index of its part.
        velocity: its velocity, 1..127, and 0 if it began before the roll; None if the roll has no velocities.
    """

    onset_frame: Int64[np.ndarray, " notes"]
    end_frame: Int64[np.ndarray, " notes"]
    pitch: Int64[np.ndarray, " notes"]
    part: Int64[np.ndarray, " notes"]
    velocity: Int64[np.ndarray, " notes"] | None

    def __repr__(self) -> str:
        """The number of notes; not the columns."""
        velocity = "" if self.velocity is None else ", velocity"
        return f"RollNotes({len(self.pitch)} notes: onset_frame, end_frame, pitch, part{velocity})"


def roll_notes(planes: Planes, parts: Sequence[Part]) -> RollNotes:
    """The notes of planes; a pitch that sounds in the first frame without an onset is a note from there."""
    onset_frame, end_frame, column = planes_to_notes(planes.active, planes.onset)
    velocity = None if planes.velocity is None else planes.velocity[onset_frame, column].astype(np.int64)
    if len(parts) == 1:
        return RollNotes(onset_frame, end_frame, column + parts[0].pitches.lowest, np.zeros_like(column), velocity)
    sizes = [len(part.pitches) for part in parts]
    part = np.repeat(np.arange(len(parts)), sizes)[column]
    first = np.cumsum([0, *sizes[:-1]])
    lowest = np.array([part.pitches.lowest for part in parts])
    return RollNotes(onset_frame, end_frame, column - first[part] + lowest[part], part, velocity)


def typical_velocity(*velocities: np.ndarray | None) -> int:
    """The median of the velocities above 0, for notes whose velocity is unknown; 100 if none is known."""
    known = [values[values > 0] for values in velocities if values is not None]
    values = np.concatenate(known) if known else np.zeros(0)
    return round(float(np.median(values))) if len(values) else DEFAULT_VELOCITY


def filled_velocities(rolls: Sequence[Planes]) -> list[VelocityPlane | None]:
    """The velocity planes of several rolls: if some are unknown, their notes get the median of the others.

    Returns:
        A plane for each roll, or None for each if all are unknown.
    """
    planes = [roll.velocity for roll in rolls]
    if all(plane is None for plane in planes):
        return planes
    value = np.uint8(typical_velocity(*planes))
    return [roll.onset * value if roll.velocity is None else roll.velocity for roll in rolls]


def held_velocities(planes: Planes) -> VelocityPlane:
    """The velocity of the sounding note in each active cell, as other programs write piano rolls; 0 in silent cells.

    Notes whose velocity is unknown get the median of the others, or 100.
    """
    starts = note_starts(planes.active, planes.onset)
    starts[:1] |= planes.active[:1]
    typical = np.uint8(typical_velocity(planes.velocity))
    velocity = starts * typical if planes.velocity is None else planes.velocity
    velocity = np.where(starts & (velocity == 0), typical, velocity)
    frames = np.arange(len(starts))[:, None]
    latest = np.maximum.accumulate(np.where(starts, frames, 0), axis=0)
    held: np.ndarray = np.take_along_axis(velocity, latest, axis=0)
    return np.where(planes.active, held, np.uint8(0))


def note_starts(active: Plane, onset: Plane) -> Plane:
    """The onset plane, completed: every frame in which a pitch begins to sound has an onset, except the first."""
    starts = onset.copy()
    starts[1:] |= active[1:] & ~active[:-1]
    return starts


def onsets_of_active(active: Plane, before: Bool[np.ndarray, " columns"] | None = None) -> Plane:
    """An onset wherever a pitch begins to sound.

    Args:
        active: the active plane.
        before: the frame before the first; its pitches continue without an onset. Silence by default.
    """
    onset = active.copy()
    onset[1:] &= ~active[:-1]
    if before is not None:
        onset[:1] &= ~before
    return onset


def planes_to_frames(planes: Planes, layout: FrameLayout, label: str) -> np.ndarray:
    """The planes as frames of a layout, whose grid and parts they have.

    Returns:
        bool of shape (frames, frame_size); uint8 if the layout has a velocity plane.

    Raises:
        ShapeError: the layout has a velocity plane, and the velocities of notes are unknown.
    """
    if not layout.has_onsets:
        return planes.active.copy()
    frames = np.empty((len(planes.active), layout.frame_size), dtype=np.uint8 if layout.has_velocity else bool)
    frames[:, layout.columns("active")] = planes.active
    starts = note_starts(planes.active, planes.onset)
    frames[:, layout.columns("onset")] = starts
    if layout.has_velocity:
        velocity = starts.astype(np.uint8) if planes.velocity is None else planes.velocity
        if planes.velocity is None and starts.any():
            raise ShapeError(
                f"{label} has no velocities, but the layout has a velocity plane. Read it with velocity=True, or give "
                f"all notes one velocity: roll.with_velocity(80)."
            )
        unknown = starts & (velocity == 0)
        if unknown.any():
            velocity = np.where(unknown, np.uint8(typical_velocity(velocity)), velocity)
        frames[:, layout.columns("velocity")] = velocity
    return frames


def frames_to_planes(
    frames: np.ndarray, layout: FrameLayout, before: Bool[np.ndarray, " columns"] | None = None
) -> Planes:
    """The planes of frames in a layout.

    Args:
        frames: bool of shape (frames, frame_size); uint8 if the layout has a velocity plane.
        layout: what the columns mean.
        before: as for :func:`onsets_of_active`, if the layout has no onset plane.

    Raises:
        ShapeError: another type, or another number of columns.
    """
    kind = np.dtype(np.uint8 if layout.has_velocity else np.bool_)
    if frames.ndim != 2 or frames.shape[1] != layout.frame_size or frames.dtype != kind:
        raise ShapeError(
            f"Frames in this layout are {kind} of shape (frames, {layout.frame_size}), got {frames.dtype} of shape "
            f"{frames.shape}."
        )
    frames = frames.copy()  # a roll does not change with the array that it was made from
    active = frames[:, layout.columns("active")]
    if layout.has_velocity:
        active = active > 0
    if not layout.has_onsets:
        return Planes(active, onsets_of_active(active, before))
    onset = frames[:, layout.columns("onset")]
    if not layout.has_velocity:
        return Planes(active, onset)
    return Planes(active, onset > 0, frames[:, layout.columns("velocity")])


def place_score(
    score: Score,
    *,
    grid: FrameGrid,
    pitches: PitchRange | Mapping[str, PitchRange],
    drums: bool | None = None,
    parts: PartsOption = None,
    velocity: bool = True,
    outside: Literal["error", "drop"] = "error",
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[PlacedNotes, tuple[Part, ...]]:
    """The notes of a score on a grid, and the parts of the roll: see :meth:`PianoRoll.from_score`."""
    label = score.name or "the score"
    named = not (parts is None or (isinstance(parts, str) and parts == "tracks"))
    found = [part for part in _found_parts(score, separate=parts is not None) if named or len(part[1][0])]
    roll_parts, columns_of_parts = columns_by_part(
        found, parts, pitches=pitches, drums=drums, velocity=velocity, label=label
    )
    notes = place_parts(
        columns_of_parts,
        roll_parts,
        tempo=score.tempo,
        grid=grid,
        outside=outside,
        limits=limits,
        label=label,
        last_tick=score.end_tick,
    )
    return notes, roll_parts


def _found_parts(score: Score, *, separate: bool) -> list[tuple[Part, list[np.ndarray]]]:
    """The parts of a score and their columns; if not separate, the pitched parts together, and the drums."""
    notes = score.notes
    columns = [notes.onset_tick, notes.end_tick, notes.pitch, notes.velocity]
    if separate:
        order = np.argsort(notes.part, kind="stable")
        ends = np.searchsorted(notes.part[order], np.arange(1, len(score.parts)))
        split = [np.split(column[order], ends) for column in columns]
        # without parts there is still one empty column
        return [(part, of_part) for part, *of_part in zip(score.parts, *split, strict=False)]
    are_drums = np.array([part.drums for part in score.parts], dtype=bool)
    if not are_drums.any():
        return [(Part(), columns)]
    drums = are_drums[notes.part]
    return [(Part(drums=kind), [column[drums == kind] for column in columns]) for kind in (False, True)]


def notes_to_score(
    notes: RollNotes,
    parts: Sequence[Part],
    *,
    num_frames: int,
    grid: FrameGrid,
    tempo: TempoMap,
    velocity: int | None,
    program: int | None,
    name: str,
    meter: Meter,
) -> Score:
    """The notes in ticks, as a score that lasts ``num_frames``.

    Args:
        notes: the notes of a roll.
        parts: its parts.
        num_frames: its number of frames.
        grid: its grid.
        tempo: its tempo map.
        velocity: of all notes, 1..127. By default their own; of notes whose velocity is unknown the median of the
            others, or 100.
        program: of all parts but the drums, 0..127; None for their own.
        name: the name of the score, and of a part without a name.
        meter: its time and key signatures.

    Raises:
        GridError: the tempo map's ticks are too coarse for the grid.
    """
    ticks = lines_to_ticks(np.concatenate([notes.onset_frame, notes.end_frame, [num_frames]]), grid=grid, tempo=tempo)
    count = len(notes.pitch)
    velocities = notes.velocity
    if velocity is not None or velocities is None:
        velocities = np.full(count, DEFAULT_VELOCITY if velocity is None else velocity)
    elif not velocities.all():
        velocities = np.where(velocities > 0, velocities, typical_velocity(velocities))
    table = NoteTable(ticks[:count], ticks[count:-1], notes.pitch, velocities, notes.part)
    own = tuple(
        replace(
            part,
            name=part.name or name,
            program=part.program if program is None or part.drums else program,
            pitches=PIANO,
        )
        for part in parts
    )
    return Score(table, tempo, own, name, int(ticks[-1]), meter)
