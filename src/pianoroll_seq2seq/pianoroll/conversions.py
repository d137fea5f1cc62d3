"""The planes of a piano roll to and from notes, scores and the frames of a model.

Plain functions over planes: the methods of :class:`~pianoroll_seq2seq.pianoroll.PianoRoll` call them.
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq.errors import NoNotesError, ShapeError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.quantize import lines_to_ticks, planes_to_notes, rasterize
from pianoroll_seq2seq.score import NoteTable, Part, Score
from pianoroll_seq2seq.tempo import TempoMap

Plane = Bool[np.ndarray, "frames pitches"]


class RollNotes(NamedTuple):
    """The notes of a roll as columns, ordered by pitch, then by frame.

    Attributes:
        onset_frame: the first frame of each note; int64 of shape (notes,), as are the others.
        end_frame: the frame after its last.
        pitch: its MIDI note number.
    """

    onset_frame: Int64[np.ndarray, " notes"]
    end_frame: Int64[np.ndarray, " notes"]
    pitch: Int64[np.ndarray, " notes"]

    def __repr__(self) -> str:
        """The number of notes; not the columns."""
        return f"RollNotes({len(self.pitch)} notes: onset_frame, end_frame, pitch)"


def roll_notes(active: Plane, onset: Plane, pitches: PitchRange) -> RollNotes:
    """The notes of two planes; a pitch that sounds in the first frame without an onset is a note from there."""
    onset_frame, end_frame, column = planes_to_notes(active, onset)
    return RollNotes(onset_frame, end_frame, column + pitches.lowest)


def note_starts(active: Plane, onset: Plane) -> Plane:
    """The onset plane, completed: every frame in which a pitch begins to sound has an onset, except the first."""
    starts = onset.copy()
    starts[1:] |= active[1:] & ~active[:-1]
    return starts


def onsets_of_active(active: Plane, before: Bool[np.ndarray, " pitches"] | None = None) -> Plane:
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


def planes_to_frames(active: Plane, onset: Plane, layout: FrameLayout) -> Bool[np.ndarray, "frames columns"]:
    """The planes as frames of a layout, whose grid and pitches they have."""
    if not layout.has_onsets:
        return active.copy()
    frames = np.empty((len(active), layout.frame_size), dtype=bool)
    frames[:, layout.columns("active")] = active
    frames[:, layout.columns("onset")] = note_starts(active, onset)
    return frames


def frames_to_planes(
    frames: np.ndarray, layout: FrameLayout, before: Bool[np.ndarray, " pitches"] | None = None
) -> tuple[Plane, Plane]:
    """The (active, onset) planes of frames in a layout.

    Args:
        frames: bool of shape (frames, frame_size).
        layout: what the columns mean.
        before: as for :func:`onsets_of_active`, if the layout has no onset plane.

    Raises:
        ShapeError: not bool, or another number of columns.
    """
    if frames.ndim != 2 or frames.shape[1] != layout.frame_size or frames.dtype != np.bool_:
        raise ShapeError(
            f"Frames in this layout are bool of shape (frames, {layout.frame_size}), got {frames.dtype} of shape "
            f"{frames.shape}."
        )
    frames = frames.copy()  # a roll does not change with the array that it was made from
    active = frames[:, layout.columns("active")]
    onset = frames[:, layout.columns("onset")] if layout.has_onsets else onsets_of_active(active, before)
    return active, onset


def score_to_planes(
    score: Score,
    *,
    grid: FrameGrid,
    pitches: PitchRange,
    drums: bool = False,
    outside: Literal["error", "drop"] = "error",
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[Plane, Plane]:
    """The (active, onset) planes of a score: see :meth:`PianoRoll.from_score`."""
    label = score.name or "the score"
    notes = score.notes if drums else score.without_drums().notes
    if not len(notes) and len(score.notes):
        raise NoNotesError(f"{label}: no notes. It has drums: pass drums=True to keep them.")
    return rasterize(
        notes.onset_tick,
        notes.end_tick,
        notes.pitch,
        tempo=score.tempo,
        grid=grid,
        pitches=pitches,
        outside=outside,
        limits=limits,
        label=label,
        last_tick=score.end_tick,
    )


def notes_to_score(
    notes: RollNotes, *, num_frames: int, grid: FrameGrid, tempo: TempoMap, velocity: int, program: int, name: str
) -> Score:
    """The notes in ticks, as one part that lasts ``num_frames``.

    Raises:
        GridError: the tempo map's ticks are too coarse for the grid.
    """
    ticks = lines_to_ticks(np.concatenate([notes.onset_frame, notes.end_frame, [num_frames]]), grid=grid, tempo=tempo)
    count = len(notes.pitch)
    table = NoteTable(
        ticks[:count], ticks[count:-1], notes.pitch, np.full(count, velocity), np.zeros(count, dtype=np.int64)
    )
    return Score(table, tempo, (Part(name, program),), name, int(ticks[-1]))
