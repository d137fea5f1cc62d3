"""Notes to planes and back: if these fail, notes are lost, merged, or invented."""

from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import GRIDS, SONG_TEMPI, planes, tempo_maps

from pianoroll_seq2seq import quantize as quantize_module
from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq._internal import plane_runs
from pianoroll_seq2seq._internal.plane_runs import _united
from pianoroll_seq2seq.errors import GridError, ShapeError
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.quantize import fill_planes, lines_to_ticks, notes_to_planes, planes_to_notes, quantize
from pianoroll_seq2seq.tempo import TempoMap

FRAMES, WIDTH = 12, 3


def _arrays(notes):
    columns = zip(*notes, strict=True) if notes else ((), (), ())
    return tuple(np.array(column, dtype=np.int64) for column in columns)


def _spans(draw_notes):
    """Notes of one frame at least, anywhere, overlapping or not."""
    span = st.tuples(st.integers(0, FRAMES - 1), st.integers(1, FRAMES)).map(
        lambda pair: (pair[0], min(pair[0] + pair[1], FRAMES))
    )
    return st.lists(
        st.tuples(span, st.integers(0, WIDTH - 1)).map(lambda note: (*note[0], note[1])), max_size=draw_notes
    )


@st.composite
def _apart(draw):
    """Notes that may touch, but do not overlap on one pitch."""
    notes = []
    for column in range(WIDTH):
        cuts = sorted(draw(st.sets(st.integers(0, FRAMES), max_size=8)))
        notes += [(a, b, column) for a, b in pairwise(cuts) if draw(st.booleans())]
    return notes


@given(_spans(10))
def test_the_planes_are_the_union_of_the_notes_and_keep_every_onset(notes):
    """Where two hands play one pitch, a note that begins while another sounds must not vanish."""
    active, onset = notes_to_planes(*_arrays(notes), num_frames=FRAMES, num_columns=WIDTH)
    for frame in range(FRAMES):
        for column in range(WIDTH):
            assert active[frame, column] == any(a <= frame < b and column == c for a, b, c in notes)
            assert onset[frame, column] == any(a == frame and column == c for a, _, c in notes)


@given(
    st.lists(st.tuples(st.integers(0, 39), st.integers(1, 40), st.integers(0, 1)), min_size=1, max_size=60),
    st.integers(1, 16),
    st.sampled_from([0, 1000, "compiled"]),
)
@example([(0, 2, 0), (2, 3, 0), (6, 1, 0), (0, 40, 1), (1, 5, 1), (39, 1, 1)], 1, 0)  # some touch, some hold others
@example([(0, 2, 0), (2, 3, 0), (6, 1, 0), (0, 40, 1), (1, 5, 1), (39, 1, 1)], 1, 1000)
@example([(7, 3, 1)], 16, 0)
def test_the_planes_are_the_union_however_full_and_however_filled(notes, block, way):
    """Notes are filled in cell by cell or by stretches, in blocks, and united where piled up: no cell may differ."""
    rows = [(first, min(first + length, 40), column) for first, length, column in notes]
    expected = np.zeros((40, 2), dtype=bool)
    for first, end, column in rows:
        expected[first:end, column] = True
    onset_frame, end_frame, column = _arrays(rows)
    compiled = way == "compiled"
    blocks = mock.patch.object(plane_runs, "_BLOCK_CELLS", block)
    stretches = mock.patch.object(quantize_module, "_MIN_FRAMES_FOR_STRETCHES", 0 if compiled else way)
    with blocks, stretches, loops.forced(compiled):
        active, onset = fill_planes(onset_frame, end_frame, column, num_frames=40, num_columns=2)
    assert np.array_equal(active, expected)
    assert np.array_equal(np.argwhere(onset), sorted({(first, column) for first, _, column in rows}))
    firsts, lengths = _united(2 * onset_frame + column, end_frame - onset_frame, 40, 2)
    assert lengths.sum() == expected.sum()
    assert sorted(firsts + 2 * lengths) == sorted(
        2 * end + column for column in range(2) for end in _run_ends(expected[:, column])
    )


def _run_ends(column):
    return [row + 1 for row in range(len(column)) if column[row] and (row + 1 == len(column) or not column[row + 1])]


@given(_apart())
def test_notes_come_back_from_their_planes(notes):
    """Repeated notes without a gap would merge; an end would move."""
    active, onset = notes_to_planes(*_arrays(notes), num_frames=FRAMES, num_columns=WIDTH)
    again = list(zip(*(values.tolist() for values in planes_to_notes(active, onset)), strict=True))
    assert again == sorted(notes, key=lambda note: (note[2], note[0]))


@given(planes())
def test_planes_come_back_from_their_notes(both):
    """What a model wrote would be written to MIDI as other music."""
    active, onset = both
    again = notes_to_planes(*planes_to_notes(active, onset), num_frames=active.shape[0], num_columns=active.shape[1])
    assert np.array_equal(again[0], active)
    assert np.array_equal(again[1], onset)


@given(planes(all_onsets=False))
def test_a_run_that_begins_without_an_onset_is_a_note_from_there(both):
    """Music cut out of the middle of a piece would lose the notes held over the cut."""
    active, onset = both
    begun = active.copy()
    begun[1:] &= ~active[:-1]
    again = notes_to_planes(*planes_to_notes(active, onset), num_frames=active.shape[0], num_columns=active.shape[1])
    assert np.array_equal(again[0], active)
    assert np.array_equal(again[1], onset | begun)


@given(GRIDS, tempo_maps(), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 500)), max_size=8))
def test_every_note_covers_a_frame(grid, tempo, spans):
    """Grace notes, trills and notes of no length would fall through the grid."""
    onset_tick = np.array([onset for onset, _ in spans], dtype=np.int64)
    end_tick = onset_tick + np.array([length for _, length in spans], dtype=np.int64)
    onset_frame, end_frame = quantize(onset_tick, end_tick, grid=grid, tempo=tempo)
    assert (end_frame > onset_frame).all()
    assert np.array_equal(onset_frame, grid.lines_at(onset_tick, tempo))
    long = grid.lines_at(end_tick, tempo) > onset_frame
    assert np.array_equal(end_frame[long], grid.lines_at(end_tick, tempo)[long])
    assert (end_frame[~long] == onset_frame[~long] + 1).all()


@pytest.mark.parametrize(
    ("note", "message"),
    [
        ((0, 0, 0), "at least one frame and be in frames 0..11"),
        ((-1, 1, 0), "frames 0..11"),
        ((11, 13, 0), "frames 0..11"),
        ((0, 1, 3), r"Columns must be in 0..2, got 3..3"),
        ((0, 1, -1), r"Columns must be in 0..2, got -1..-1"),
    ],
)
def test_notes_outside_the_planes_are_refused(note, message):
    """Flat indices would wrap around and set a cell elsewhere."""
    with pytest.raises(ShapeError, match=message):
        notes_to_planes(*_arrays([note]), num_frames=FRAMES, num_columns=WIDTH)


@given(GRIDS, SONG_TEMPI, st.lists(st.integers(0, 100_000), max_size=8))
def test_lines_written_as_ticks_are_read_as_the_same_lines(grid, tempo, lines):
    """Music written and read again would not be the same."""
    lines = np.array(lines, dtype=np.int64)
    ticks = lines_to_ticks(lines, grid=grid, tempo=tempo)
    assert np.array_equal(grid.lines_at(ticks, tempo), lines)


@pytest.mark.parametrize("grid", [BeatGrid(4), SecondsGrid(0.02)])
def test_ticks_too_coarse_for_the_grid_are_refused(grid):
    """Written all the same, notes would move to other frames. The message names both and the way out."""
    with pytest.raises(GridError) as caught:
        lines_to_ticks(np.arange(8), grid=grid, tempo=TempoMap(3))
    for part in ("3 ticks per beat are too coarse", repr(grid), "TempoMap(ticks_per_beat=9600)"):
        assert part in str(caught.value)
    fine = TempoMap(ticks_per_beat=9600)
    assert np.array_equal(grid.lines_at(lines_to_ticks(np.arange(8), grid=grid, tempo=fine), fine), np.arange(8))
