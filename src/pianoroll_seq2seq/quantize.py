"""Notes to planes and planes to notes: arrays in, arrays out.

Two boolean planes of shape (frames, pitches) hold what a grid can say of a piece: ``active``, a pitch
sounds in this frame, and ``onset``, it is struck in this frame. Without the second, notes repeated
without a gap would merge into one. Every onset is active.

Policies: a note covers at least one frame; where two notes of one pitch overlap, the planes are their
union and each keeps its onset; a run that begins without an onset (music cut out of its middle) counts
as a note from there.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Int64

from pianoroll_seq2seq import compiled as loops
from pianoroll_seq2seq.errors import GridError, ShapeError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.tempo import TempoMap

_BLOCK_CELLS = 2**18  # flat indices at a time: 2 MB
_WORTH_STRETCHING = 10  # frames a note, above which filling stretches and repeating them is quicker


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
    frames: int,
    columns: int,
) -> tuple[Bool[np.ndarray, "frames columns"], Bool[np.ndarray, "frames columns"]]:
    """Rasterizes notes into (active, onset) planes.

    Args:
        onset_frame: first frame of each note.
        end_frame: the frame after its last, past ``onset_frame``.
        column: the column (pitch less the lowest pitch) of each note.
        frames: rows of the planes.
        columns: columns of the planes.

    Raises:
        ShapeError: a note outside the planes, or without a frame.

    Example:
        >>> active, onset = notes_to_planes(
        ...     np.array([0, 2]), np.array([2, 3]), np.array([0, 0]), frames=3, columns=1
        ... )
        >>> active[:, 0].tolist(), onset[:, 0].tolist()
        ([True, True, True], [True, False, True])
    """
    if len(onset_frame):
        if np.subtract(end_frame, onset_frame).min() < 1 or onset_frame.min() < 0 or end_frame.max() > frames:
            raise ShapeError(f"Notes must cover at least one frame and lie in frames 0..{frames}.")
        if column.min() < 0 or column.max() >= columns:
            raise ShapeError(f"Notes must lie in columns 0..{columns - 1}, got {column.min()}..{column.max()}.")
    return fill_planes(onset_frame, end_frame, column, frames=frames, columns=columns)


def fill_planes(
    onset_frame: np.ndarray,
    end_frame: np.ndarray,
    column: np.ndarray,
    *,
    frames: int,
    columns: int,
    compiled: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`notes_to_planes` for int64 columns of notes that are known to fit."""
    active, onset = planes = np.empty((2, frames, columns), dtype=bool)  # one piece of memory is given back as one
    first = onset_frame * np.int64(columns)
    first += column
    onset[:] = False
    onset.reshape(-1)[first] = True
    lengths = end_frame - onset_frame
    ends = lengths.cumsum()
    if len(ends) and ends[-1] >= _WORTH_STRETCHING * len(ends) and not compiled:
        _fill_by_stretches(active, onset_frame, end_frame, column)
    else:
        active[:] = False
        _fill(active, first, lengths, ends, compiled=compiled)
    return planes[0], planes[1]


def _fill_by_stretches(active: np.ndarray, onset_frame: np.ndarray, end_frame: np.ndarray, column: np.ndarray) -> None:
    """Fills a plane by stretches: from a line at which a note begins or ends to the next, all frames are alike.

    One row of each stretch is filled, and copied to all its frames.
    """
    frames, columns = active.shape
    begins = np.zeros(frames + 1, dtype=np.int8)
    begins[onset_frame] = begins[end_frame] = 1
    begins[0] = 0
    stretch = begins.cumsum()  # of each line, hence of the frame that it begins
    first = stretch[onset_frame]
    lengths = stretch[end_frame]
    lengths -= first
    first *= columns
    first += column
    rows = np.zeros((int(stretch[-1]) + 1, columns), dtype=bool)
    _fill(rows, first, lengths, lengths.cumsum())
    np.take(rows, stretch[:frames], axis=0, out=active, mode="clip")  # which also spares it to look for bad indices


def _fill(
    plane: np.ndarray, first: np.ndarray, lengths: np.ndarray, ends: np.ndarray, *, compiled: bool = False
) -> None:
    """Sets ``lengths`` cells down a column from each first cell of a plane, by flat indices, in bounded memory.

    ``ends`` are the running sums of ``lengths``.
    """
    rows, columns = plane.shape
    cells = plane.reshape(-1)
    if len(ends) and ends[-1] > cells.size:
        first, lengths = _united(first, lengths, rows, columns)
        ends = lengths.cumsum()
    if compiled:
        loops.compiled(set_runs)(cells, first, lengths, columns)
        return
    # One flat index for every (note, row): each note's first cell, then a row further at each step.
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
    """First cells and lengths of the same cells as runs that do not overlap: no more in all than the plane has."""
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
    """The notes that the planes hold: first frame, frame after the last, and column of each.

    The inverse of :func:`notes_to_planes` for notes that do not overlap on one pitch. Ordered by column,
    then by frame.
    """
    frames, columns = active.shape
    sounding = np.zeros((columns, frames + 1), dtype=bool)  # a silent frame at the end closes every run
    sounding[:, :frames] = active.T
    before = np.zeros_like(sounding)
    before[:, 1:] = sounding[:, :-1]
    starts = sounding & ~before
    starts[:, :frames] |= (onset & active).T
    ends = before & (starts | ~sounding)
    column, onset_frame = np.nonzero(starts)
    _, end_frame = np.nonzero(ends)
    return onset_frame, end_frame, column


def lines_to_ticks(lines: Int[np.ndarray, " n"], *, grid: FrameGrid, tempo: TempoMap) -> Int64[np.ndarray, " n"]:
    """The tick of each grid line.

    Raises:
        GridError: the ticks are too coarse for the grid, so that lines could not be told apart again.
    """
    ticks = grid.ticks_at(lines, tempo)
    if not np.array_equal(grid.lines_at(ticks, tempo), lines):
        raise GridError(
            f"{tempo.ticks_per_beat} ticks per beat are too coarse for {grid}: notes would move to other frames. "
            f"Use a tempo map with more ticks per beat, such as TempoMap(ticks_per_beat=9600)."
        )
    return ticks
