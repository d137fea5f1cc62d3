"""Notes to planes and planes to notes: arrays in, arrays out.

Two boolean planes of shape (frames, pitches) hold what a grid can say of a piece: ``active``, a pitch sounds in this
frame, and ``onset``, a note begins in this frame. Without the second, notes repeated without a gap would merge into
one. Every onset is active.

Policies: a note covers at least one frame; if two notes of one pitch overlap, the planes are their union and each note
keeps its onset; a run that begins without an onset (music cut out of its middle) counts as a note from there.
"""

from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int, Int64

from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq.errors import (
    GridError,
    LimitError,
    NoNotesError,
    PitchRangeError,
    SettingsError,
    ShapeError,
)
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.tempo import TempoMap

_BLOCK_CELLS = 2**18  # flat indices at a time: 2 MB
_MIN_FRAMES_FOR_STRETCHES = 10  # frames a note, above which filling stretches and repeating them is faster


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
    """:func:`notes_to_planes` for int64 columns of notes that are known to fit."""
    active, onset = planes = np.empty((2, num_frames, num_columns), dtype=bool)  # one allocation, one release
    first = onset_frame * np.int64(num_columns)
    first += column
    onset[:] = False
    onset.reshape(-1)[first] = True
    lengths = end_frame - onset_frame
    ends = lengths.cumsum()
    if len(ends) and ends[-1] >= _MIN_FRAMES_FOR_STRETCHES * len(ends) and not loops.is_active():
        _fill_by_stretches(active, onset_frame, end_frame, column)
    else:
        active[:] = False
        _fill(active, first, lengths, ends)
    return planes[0], planes[1]


def _fill_by_stretches(active: np.ndarray, onset_frame: np.ndarray, end_frame: np.ndarray, column: np.ndarray) -> None:
    """Fills a plane by stretches: between two lines at which notes begin or end, all frames are equal.

    One row of each stretch is filled, and copied to all its frames.
    """
    num_frames, num_columns = active.shape
    begins = np.zeros(num_frames + 1, dtype=np.int8)
    begins[onset_frame] = begins[end_frame] = 1
    begins[0] = 0
    stretch = begins.cumsum()  # of each line, hence of the frame that begins there
    first = stretch[onset_frame]
    lengths = stretch[end_frame]
    lengths -= first
    first *= num_columns
    first += column
    rows = np.zeros((int(stretch[-1]) + 1, num_columns), dtype=bool)
    _fill(rows, first, lengths, lengths.cumsum())
    np.take(rows, stretch[:num_frames], axis=0, out=active, mode="clip")  # "clip" skips the check of the indices


def _fill(plane: np.ndarray, first: np.ndarray, lengths: np.ndarray, ends: np.ndarray) -> None:
    """Sets ``lengths`` cells down a column from each first cell of a plane, by flat indices, in bounded memory.

    ``ends`` are the cumulative sums of ``lengths``.
    """
    rows, columns = plane.shape
    cells = plane.reshape(-1)
    if len(ends) and ends[-1] > cells.size:
        first, lengths = _united(first, lengths, rows, columns)
        ends = lengths.cumsum()
    if loops.is_active():
        loops.compiled(set_runs)(cells, first, lengths, columns)
        return
    # One flat index for each row of each note: the note's first cell, then one row further at each step.
    starts = first - (ends - lengths) * columns
    begin = done = 0
    while begin < len(first):
        stop = len(first)
        if ends[-1] - done > _BLOCK_CELLS:
            stop = max(int(np.searchsorted(ends, done + _BLOCK_CELLS, side="right")), begin + 1)
        index = starts[begin:stop].repeat(lengths[begin:stop])
        index += np.arange(done * columns, (done + len(index)) * columns, columns)
        cells[index] = True
        begin, done = stop, done + len(index)


def set_runs(cells: Any, first: Any, lengths: Any, step: int) -> None:
    """Sets ``lengths`` cells from each first one, each ``step`` after the last; to be compiled."""
    for run in range(len(first)):
        cell = first[run]
        for _ in range(lengths[run]):
            cells[cell] = True
            cell += step


def _united(first: np.ndarray, lengths: np.ndarray, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """First cells and lengths of runs that cover the same cells and do not overlap."""
    first_row, column = np.divmod(first, columns)
    lane = column * np.int64(rows + 1)  # columns one after another, a row apart
    order = np.argsort(lane + first_row, kind="stable")
    starts = (lane + first_row)[order]
    reach = np.maximum.accumulate((lane + first_row + lengths)[order])
    begins = np.flatnonzero(np.append(True, starts[1:] > reach[:-1]))
    run_ends = reach[np.append(begins[1:], len(reach)) - 1]
    run_column, run_row = np.divmod(starts[begins], rows + 1)
    return run_row * columns + run_column, run_ends - starts[begins]


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
    *,
    tempo: TempoMap,
    grid: FrameGrid,
    pitches: PitchRange,
    outside: Literal["error", "drop"] = "error",
    limits: Limits = DEFAULT_LIMITS,
    label: str = "the score",
    last_tick: int | None = None,
) -> tuple[Bool[np.ndarray, "frames pitches"], Bool[np.ndarray, "frames pitches"]]:
    """The (active, onset) planes of notes, from frame 0 to the end of the last, or of the silence after it.

    Args:
        onset_tick: the onset of each note, in ticks.
        end_tick: its end, in ticks.
        pitch: MIDI note numbers.
        tempo: the tempo map of the ticks.
        grid: how long a frame is.
        pitches: the pitches to keep.
        outside: what to do with notes outside ``pitches``: raise an error, or drop them.
        limits: how large the planes may be.
        label: the name of the music in messages.
        last_tick: the end of the silence after the last note, if there is any (``Score.end_tick``).

    Raises:
        NoNotesError: no notes.
        PitchRangeError: notes outside the range and ``outside="error"``, or no note inside it.
        LimitError: more frames or cells than the limits allow.
        SettingsError: unknown value of ``outside``.
    """
    if outside not in ("error", "drop"):
        raise SettingsError(f"outside must be 'error' or 'drop', got {outside!r}.")
    if not len(pitch):
        raise NoNotesError(f"{label}: no notes.")
    lowest, highest = int(pitch.min()), int(pitch.max())
    if lowest < pitches.lowest or highest > pitches.highest:
        inside = pitches.contains(pitch)
        if outside == "error" or not inside.any():
            raise PitchRangeError(
                f"{label}: {int((~inside).sum())} of {len(pitch)} notes are outside {pitches}; the piece needs "
                f"PitchRange({lowest}, {highest}). Widen the range, or pass outside='drop' to leave them out."
            )
        onset_tick, end_tick, pitch = onset_tick[inside], end_tick[inside], pitch[inside]
    onset_frame, end_frame = quantize(onset_tick, end_tick, grid=grid, tempo=tempo)
    num_frames, num_columns = int(end_frame.max()), len(pitches)
    if last_tick is not None:
        num_frames = max(num_frames, int(grid.lines_at(np.array([last_tick]), tempo)[0]))
    if num_frames > limits.max_frames or num_frames * num_columns > limits.max_cells:
        raise LimitError(
            f"{label}: {num_frames} frames of {num_columns} pitches, over the limits of {limits.max_frames} frames and "
            f"{limits.max_cells} cells: {_last_ends(end_tick, tempo, last_tick)}. Cut off strays with "
            f"read_midi(path).truncate(seconds), use a coarser grid, or pass limits=Limits(...)."
        )
    column = pitch - np.int64(pitches.lowest)
    return fill_planes(onset_frame, end_frame, column, num_frames=num_frames, num_columns=num_columns)


def _last_ends(end_tick: np.ndarray, tempo: TempoMap, last_tick: int | None) -> str:
    ends = np.sort(end_tick)
    most, last = tempo.seconds(ends[[int(0.99 * (len(ends) - 1)), -1]])
    found = f"its last note ends at {last:.0f} s, while 99 % of its notes have ended by {most:.0f} s"
    if last_tick is None:
        return found
    return f"{found}, and silence follows until {tempo.seconds(np.array([last_tick]))[0]:.0f} s"
