"""Notes to planes and planes to notes: arrays in, arrays out.

Planes of shape (frames, columns) hold what a grid can say of a piece. A column is a pitch of a part. In ``active`` a
pitch sounds in this frame, and in ``onset`` a note begins in this frame. Without the second, notes repeated without a
gap would merge into one. Every onset is active. ``velocity`` holds the velocity of each note at its onset, else 0.

Policies: a note covers at least one frame; if two notes of one column overlap, the planes are their union and each note
keeps its onset; of two notes with one onset the louder gives the velocity; a run that begins without an onset (music
cut out of its middle) counts as a note from there.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, NoReturn

import numpy as np
from jaxtyping import Bool, Int, Int64, UInt8

from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq._internal.plane_runs import fill_by_stretches, fill_runs, set_notes
from pianoroll_seq2seq.errors import (
    GridError,
    LimitError,
    NoNotesError,
    PitchRangeError,
    SettingsError,
    ShapeError,
)
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.tempo import TempoMap

_MIN_FRAMES_FOR_STRETCHES = 10  # frames a note, above which filling stretches and repeating them is faster


class Planes(NamedTuple):
    """The planes of a piece, each of shape (frames, columns).

    Attributes:
        active: bool: the pitch sounds in this frame.
        onset: bool: a note begins in this frame.
        velocity: uint8: the velocity of that note, 1..127, and 0 elsewhere; None if it is unknown.
    """

    active: Bool[np.ndarray, "frames columns"]
    onset: Bool[np.ndarray, "frames columns"]
    velocity: UInt8[np.ndarray, "frames columns"] | None = None

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> "Planes":
        """The planes that a function makes of each plane."""
        velocity = None if self.velocity is None else function(self.velocity)
        return Planes(function(self.active), function(self.onset), velocity)


def quantize(
    onset_tick: Int[np.ndarray, " notes"],
    end_tick: Int[np.ndarray, " notes"],
    *,
    grid: FrameGrid,
    tempo: TempoMap,
) -> tuple[Int64[np.ndarray, " notes"], Int64[np.ndarray, " notes"]]:
    """The first frame of each note and the frame after its last; at least one frame each."""
    lines = grid.lines_at(np.concatenate([onset_tick, end_tick]), tempo)
    onset_frame, end_frame = lines[: len(onset_tick)], lines[len(onset_tick) :]
    return onset_frame, np.maximum(end_frame, onset_frame + 1)


def notes_to_planes(
    onset_frame: Int[np.ndarray, " notes"],
    end_frame: Int[np.ndarray, " notes"],
    column: Int[np.ndarray, " notes"],
    *,
    num_frames: int,
    num_columns: int,
) -> tuple[Bool[np.ndarray, "frames columns"], Bool[np.ndarray, "frames columns"]]:
    """Rasterizes notes into (active, onset) planes.

    Args:
        onset_frame: the first frame of each note.
        end_frame: the frame after its last, above ``onset_frame``.
        column: the column of each note (its pitch minus the lowest pitch).
        num_frames: rows of the planes.
        num_columns: columns of the planes.

    Raises:
        ShapeError: a note outside the planes, or without a frame.

    Example:
        >>> active, onset = notes_to_planes(
        ...     np.array([0, 2]), np.array([2, 3]), np.array([0, 0]), num_frames=3, num_columns=1
        ... )
        >>> active[:, 0].tolist(), onset[:, 0].tolist()
        ([True, True, True], [True, False, True])
    """
    if len(onset_frame):
        if np.subtract(end_frame, onset_frame).min() < 1 or onset_frame.min() < 0 or end_frame.max() > num_frames:
            raise ShapeError(f"Notes must cover at least one frame and be in frames 0..{num_frames - 1}.")
        if column.min() < 0 or column.max() >= num_columns:
            raise ShapeError(f"Columns must be in 0..{num_columns - 1}, got {column.min()}..{column.max()}.")
    return fill_planes(onset_frame, end_frame, column, num_frames=num_frames, num_columns=num_columns)


def fill_planes(
    onset_frame: np.ndarray, end_frame: np.ndarray, column: np.ndarray, *, num_frames: int, num_columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`notes_to_planes` for notes that are known to fit."""
    active, onset = planes = np.empty((2, num_frames, num_columns), dtype=bool)  # one allocation, one release
    lengths = end_frame - onset_frame
    if loops.is_active() and lengths.sum(dtype=np.int64) <= active.size:
        loops.compiled(set_notes)(active, onset, onset_frame, end_frame, column)
        return planes[0], planes[1]
    onset_frame, end_frame, lengths = (one.astype(np.int64) for one in (onset_frame, end_frame, lengths))
    first = onset_frame * num_columns
    first += column
    onset[:] = False
    onset.reshape(-1)[first] = True
    ends = lengths.cumsum()
    if len(ends) and ends[-1] >= _MIN_FRAMES_FOR_STRETCHES * len(ends):
        fill_by_stretches(active, onset_frame, end_frame, column)
    else:
        active[:] = False
        fill_runs(active, first, lengths, ends)
    return planes[0], planes[1]


def velocities_to_plane(
    onset_frame: Int[np.ndarray, " notes"],
    column: Int[np.ndarray, " notes"],
    velocity: Int[np.ndarray, " notes"],
    *,
    num_frames: int,
    num_columns: int,
) -> UInt8[np.ndarray, "frames columns"]:
    """The velocity plane of notes: at each onset the velocity of the loudest note that begins there.

    Args:
        onset_frame: the first frame of each note.
        column: its column.
        velocity: its velocity, 1..127.
        num_frames: rows of the plane.
        num_columns: columns of the plane.

    Example:
        >>> velocities_to_plane(
        ...     np.array([0, 1, 1]), np.array([0, 0, 0]), np.array([64, 90, 80]), num_frames=2, num_columns=1
        ... ).ravel()
        array([64, 90], dtype=uint8)
    """
    plane = np.zeros(num_frames * num_columns, dtype=np.uint8)
    cells = onset_frame.astype(np.int64) * num_columns + column
    values = velocity.astype(np.uint8)
    plane[cells] = values
    if (plane[cells] < values).any():  # a cell with several notes, of which the last is not the loudest
        np.maximum.at(plane, cells, values)
    return plane.reshape(num_frames, num_columns)


def planes_to_notes(
    active: Bool[np.ndarray, "frames columns"], onset: Bool[np.ndarray, "frames columns"]
) -> tuple[Int64[np.ndarray, " notes"], Int64[np.ndarray, " notes"], Int64[np.ndarray, " notes"]]:
    """The notes of two planes: first frame, frame after the last, and column of each.

    The inverse of :func:`notes_to_planes` for notes that do not overlap on one pitch. Ordered by column,
    then by frame.
    """
    num_frames, num_columns = active.shape
    sounding = np.zeros((num_columns, num_frames + 1), dtype=bool)  # a silent frame at the end closes every run
    sounding[:, :num_frames] = active.T
    before = np.zeros_like(sounding)
    before[:, 1:] = sounding[:, :-1]
    starts = sounding & ~before
    starts[:, :num_frames] |= (onset & active).T
    ends = before & (starts | ~sounding)
    column, onset_frame = np.nonzero(starts)
    _, end_frame = np.nonzero(ends)
    return onset_frame, end_frame, column


def lines_to_ticks(lines: Int[np.ndarray, " n"], *, grid: FrameGrid, tempo: TempoMap) -> Int64[np.ndarray, " n"]:
    """The tick of each grid line.

    Raises:
        GridError: the ticks are too coarse for the grid: two lines would fall on one tick.
    """
    ticks = grid.ticks_at(lines, tempo)
    if not np.array_equal(grid.lines_at(ticks, tempo), lines):
        raise GridError(
            f"{tempo.ticks_per_beat} ticks per beat are too coarse for {grid}: notes would move to other frames. "
            f"Use a tempo map with more ticks per beat, such as TempoMap(ticks_per_beat=9600)."
        )
    return ticks


def rasterize(
    onset_tick: Int[np.ndarray, " notes"],
    end_tick: Int[np.ndarray, " notes"],
    pitch: Int[np.ndarray, " notes"],
    velocity: Int[np.ndarray, " notes"] | None = None,
    *,
    tempo: TempoMap,
    grid: FrameGrid,
    pitches: PitchRange,
    outside: Literal["error", "drop"] = "error",
    limits: Limits = DEFAULT_LIMITS,
    label: str = "the score",
    last_tick: int | None = None,
) -> Planes:
    """The planes of the notes of one part, from frame 0 to the end of the last, or of the silence after it.

    Args:
        onset_tick: the onset of each note, in ticks.
        end_tick: its end, in ticks.
        pitch: MIDI note numbers.
        velocity: velocities, 1..127; None for no velocity plane.
        tempo: the tempo map of the ticks.
        grid: how long a frame is.
        pitches: the pitches to keep.
        outside: what to do with notes outside ``pitches``: raise an error, or drop them.
        limits: how large the planes may be.
        label: the name of the music in messages.
        last_tick: the end of the silence after the last note, if there is any (``Score.end_tick``).

    Raises:
        NoNotesError: no notes.
        PitchRangeError: notes outside the range and ``outside="error"``, or all notes outside it.
        LimitError: more frames or cells than the limits allow.
        SettingsError: unknown value of ``outside``.
    """
    columns = [onset_tick, end_tick, pitch] + ([] if velocity is None else [velocity])
    return place_parts(
        [columns],
        [Part(pitches=pitches)],
        tempo=tempo,
        grid=grid,
        outside=outside,
        limits=limits,
        label=label,
        last_tick=last_tick,
    ).planes()


class PlacedNotes(NamedTuple):
    """The notes of a piece on its grid, from which its planes can be filled at any time.

    The arrays are small and own their memory, since rolls keep them.

    Attributes:
        onset_frame: the first frame of each note, int32.
        end_frame: the frame after its last, int32.
        column: its column, int32.
        velocity: its velocity, 1..127, uint8; None for no velocity plane.
        num_frames: rows of the planes.
        num_columns: columns of the planes.
    """

    onset_frame: np.ndarray
    end_frame: np.ndarray
    column: np.ndarray
    velocity: np.ndarray | None
    num_frames: int
    num_columns: int

    def planes(self) -> Planes:
        """The planes, filled anew."""
        size = {"num_frames": self.num_frames, "num_columns": self.num_columns}
        active, onset = fill_planes(self.onset_frame, self.end_frame, self.column, **size)
        if self.velocity is None:
            return Planes(active, onset)
        return Planes(active, onset, velocities_to_plane(self.onset_frame, self.column, self.velocity, **size))


def place_parts(
    notes: Sequence[Sequence[np.ndarray]],
    parts: Sequence[Part],
    *,
    tempo: TempoMap,
    grid: FrameGrid,
    outside: Literal["error", "drop"] = "error",
    limits: Limits = DEFAULT_LIMITS,
    label: str = "the score",
    last_tick: int | None = None,
) -> PlacedNotes:
    """The notes of several parts on a grid. The columns of the parts follow one another.

    Args:
        notes: for each part onset ticks, end ticks, pitches, and velocities if they are known.
        parts: the parts, with the pitches of their columns.
        tempo: see :func:`rasterize`, as for all that follow.
        grid: how long a frame is.
        outside: what to do with notes outside the pitches of their part. A part may lose all.
        limits: how large the planes may be.
        label: the name of the music in messages.
        last_tick: the end of the silence after the last note.

    Raises:
        NoNotesError, PitchRangeError, LimitError, SettingsError: as :func:`rasterize`.
    """
    if outside not in ("error", "drop"):
        raise SettingsError(f"outside must be 'error' or 'drop', got {outside!r}.")
    placed, num_columns = [], 0
    for columns, part in zip(notes, parts, strict=True):
        inside = _inside(columns[2], part, outside, label) if len(columns[2]) else None
        kept = list(columns) if inside is None else [column[inside] for column in columns]
        kept[2] = kept[2].astype(np.int32)  # NumPy 1 would add in 8 bits
        kept[2] += num_columns - part.pitches.lowest
        placed.append(kept)
        num_columns += len(part.pitches)
    together = placed[0] if len(placed) == 1 else [np.concatenate(column) for column in zip(*placed, strict=True)]
    if not len(together[0]):
        _refuse_empty(np.concatenate([columns[2] for columns in notes]), parts, label)
    return _placed(together, num_columns, tempo=tempo, grid=grid, limits=limits, label=label, last_tick=last_tick)


def _inside(pitch: np.ndarray, part: Part, outside: str, label: str) -> np.ndarray | None:
    """Which notes are inside the range of their part; None if all are."""
    pitches = part.pitches
    lowest, highest = int(pitch.min()), int(pitch.max())
    if pitches.lowest <= lowest and highest <= pitches.highest:
        return None
    inside = pitches.contains(pitch)
    if outside == "error":
        name = f"{label}, part {part.name!r}" if part.name else label
        raise PitchRangeError(
            f"{name}: {int((~inside).sum())} of {len(pitch)} notes are outside {pitches}; the piece needs "
            f"PitchRange({lowest}, {highest}). Widen the range, or pass outside='drop' to leave them out."
        )
    return inside


def _refuse_empty(pitch: np.ndarray, parts: Sequence[Part], label: str) -> NoReturn:
    """Says why no note is left."""
    if not len(pitch):
        raise NoNotesError(f"{label}: no notes.")
    ranges = parts[0].pitches if len(parts) == 1 else "the pitches of their parts"
    raise PitchRangeError(
        f"{label}: {len(pitch)} of {len(pitch)} notes are outside {ranges}; the piece needs "
        f"PitchRange({pitch.min()}, {pitch.max()}). Widen the range, or transpose the music."
    )


def _placed(
    columns: Sequence[np.ndarray],
    num_columns: int,
    *,
    tempo: TempoMap,
    grid: FrameGrid,
    limits: Limits,
    label: str,
    last_tick: int | None,
) -> PlacedNotes:
    """Notes on the grid, given by onset ticks, end ticks, columns of the planes, and velocities if they are known."""
    onset_tick, end_tick, column = columns[:3]
    onset_frame, end_frame = quantize(onset_tick, end_tick, grid=grid, tempo=tempo)
    num_frames = int(end_frame.max())
    if last_tick is not None:
        num_frames = max(num_frames, int(grid.lines_at(np.array([last_tick]), tempo)[0]))
    if num_frames > limits.max_frames or num_frames * num_columns > limits.max_cells:
        raise LimitError(
            f"{label}: {num_frames} frames of {num_columns} pitches, over the limits of {limits.max_frames} frames and "
            f"{limits.max_cells} cells: {_last_ends(end_tick, tempo, last_tick)}. Cut off strays with "
            f"read_midi(path).truncate(seconds), use a coarser grid, or pass limits=Limits(...)."
        )
    whole = np.int32 if num_frames < 2**31 else np.int64
    onset_frame, end_frame = onset_frame.astype(whole), end_frame.astype(whole)
    velocity = columns[3].astype(np.uint8) if len(columns) > 3 else None
    return PlacedNotes(onset_frame, end_frame, column, velocity, num_frames, num_columns)


def _last_ends(end_tick: np.ndarray, tempo: TempoMap, last_tick: int | None) -> str:
    ends = np.sort(end_tick)
    most, last = tempo.seconds(ends[[int(0.99 * (len(ends) - 1)), -1]])
    found = f"its last note ends at {last:.0f} s, while 99 % of its notes have ended by {most:.0f} s"
    if last_tick is None:
        return found
    return f"{found}, and silence follows until {tempo.seconds(np.array([last_tick]))[0]:.0f} s"
