"""Notes to planes and planes to notes: arrays in, arrays out.

Two boolean planes of shape (frames, pitches) hold what a grid can say of a piece: ``active``, a pitch
sounds in this frame, and ``onset``, it is struck in this frame. Without the second, notes repeated
without a gap would merge into one. Every onset is active.

Policies: a note covers at least one frame; where two notes of one pitch overlap, the planes are their
union and each keeps its onset; a run that begins without an onset (music cut out of its middle) counts
as a note from there.
"""

import numpy as np
from jaxtyping import Bool, Int, Int64

from pianoroll_seq2seq.errors import GridError, ShapeError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.tempo import TempoMap


def quantize(
    onset_tick: Int[np.ndarray, " notes"],
    end_tick: Int[np.ndarray, " notes"],
    *,
    grid: FrameGrid,
    tempo: TempoMap,
) -> tuple[Int64[np.ndarray, " notes"], Int64[np.ndarray, " notes"]]:
    """The first frame of each note and the frame after its last; at least one frame each."""
    onset_frame = grid.lines_at(onset_tick, tempo)
    end_frame = grid.lines_at(end_tick, tempo)
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
    active = np.zeros((frames, columns), dtype=bool)
    onset = np.zeros((frames, columns), dtype=bool)
    if not len(onset_frame):
        return active, onset
    lengths = np.asarray(end_frame - onset_frame, dtype=np.int64)
    if lengths.min() < 1 or onset_frame.min() < 0 or end_frame.max() > frames:
        raise ShapeError(f"Notes must cover at least one frame and lie in frames 0..{frames}.")
    if column.min() < 0 or column.max() >= columns:
        raise ShapeError(f"Notes must lie in columns 0..{columns - 1}, got {column.min()}..{column.max()}.")
    first = onset_frame.astype(np.int64) * columns + column
    onset.reshape(-1)[first] = True
    # One flat index for every (note, frame): each note's first cell, then a row further at each step.
    ends = np.cumsum(lengths)
    steps = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
    active.reshape(-1)[np.repeat(first, lengths) + steps * columns] = True
    return active, onset


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
