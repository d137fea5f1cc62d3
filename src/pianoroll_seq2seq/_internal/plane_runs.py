"""Runs of cells down the columns of a plane: how notes are filled in."""

from typing import Any

import numpy as np

_BLOCK_CELLS = 2**18  # flat indices at a time: 2 MB


def fill_by_stretches(active: np.ndarray, onset_frame: np.ndarray, end_frame: np.ndarray, column: np.ndarray) -> None:
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
    fill_runs(rows, first, lengths, lengths.cumsum())
    np.take(rows, stretch[:num_frames], axis=0, out=active, mode="clip")  # "clip" skips the check of the indices


def fill_runs(plane: np.ndarray, first: np.ndarray, lengths: np.ndarray, ends: np.ndarray) -> None:
    """Sets ``lengths`` cells down a column from each first cell of a plane, by flat indices, in bounded memory.

    ``ends`` are the cumulative sums of ``lengths``.
    """
    rows, columns = plane.shape
    cells = plane.reshape(-1)
    if len(ends) and ends[-1] > cells.size:
        first, lengths = _united(first, lengths, rows, columns)
        ends = lengths.cumsum()
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


def set_notes(active: Any, onset: Any, onset_frame: Any, end_frame: Any, column: Any) -> None:
    """Fills both planes, note by note; to be compiled."""
    num_columns = active.shape[1]
    active, onset = active.reshape(-1), onset.reshape(-1)
    active[:] = False
    onset[:] = False
    for note in range(len(onset_frame)):
        cell = onset_frame[note] * num_columns + column[note]
        end = end_frame[note] * num_columns
        onset[cell] = True
        while cell < end:
            active[cell] = True
            cell += num_columns


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
