"""Rolls to the frames of a model and back: if these fail, a model learns or writes other music than the roll holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import rolls

from pianoroll_seq2seq import BeatGrid, FrameLayout, PianoRoll, PitchRange, TempoMap
from pianoroll_seq2seq.errors import GridError, PitchRangeError, ShapeError

RANGE = PitchRange(60, 62)


@given(rolls())
def test_a_roll_comes_back_from_its_frames(roll):
    """With the onset plane all notes come back; without it, those of the active plane."""
    layout = FrameLayout.of(roll, onsets=True)
    frames = roll.to_frames(layout)
    assert frames.shape == (len(roll), layout.frame_size)
    assert np.array_equal(frames[:, layout.columns("active")], roll.active)
    assert np.array_equal(frames[:, layout.columns("onset")], roll.note_starts())
    back = PianoRoll.from_frames(frames, layout, tempo=roll.tempo)
    complete = PianoRoll(roll.active, roll.note_starts(), roll.grid, roll.pitches, roll.tempo)
    assert back == complete
    assert np.array_equal(back.to_frames(layout), frames)
    if np.array_equal(roll.onset, roll.note_starts()):
        assert back == roll
    alone = FrameLayout.of(roll, onsets=False)
    assert np.array_equal(roll.to_frames(alone), roll.active)
    united = PianoRoll.from_active(roll.active, grid=roll.grid, pitches=roll.pitches, tempo=roll.tempo)
    assert PianoRoll.from_frames(roll.to_frames(alone), alone, tempo=roll.tempo) == united


@given(st.lists(st.lists(st.sampled_from([0, 1, 2]), min_size=3, max_size=3), max_size=9))
def test_frames_come_back_from_their_roll(cells):
    """What a model writes is what it is scored on: 1 continues or begins, 2 begins a note."""
    cells = np.array(cells).reshape(-1, 3)
    active, onset = cells > 0, cells == 2
    onset[1:] |= active[1:] & ~active[:-1]
    for layout in (
        FrameLayout(pitches=RANGE, planes=("active",)),
        FrameLayout(pitches=RANGE, planes=("active", "onset")),
    ):
        frames = np.hstack([active, onset])[:, : layout.frame_size]
        assert np.array_equal(PianoRoll.from_frames(frames, layout).to_frames(layout), frames)


def test_a_continuation_joins_what_came_before():
    """A note held over from the primer is played twice."""
    layout = FrameLayout(pitches=RANGE, planes=("active",))
    frames = np.array([[1, 1, 0], [1, 0, 0]], dtype=bool)
    before = np.array([True, False, True])
    roll = PianoRoll.from_frames(frames, layout, before=before, tempo=TempoMap(96), name="continued")
    assert roll.onset.tolist() == [[False, True, False], [False, False, False]]
    assert (roll.tempo, roll.name, roll.grid, roll.pitches) == (TempoMap(96), "continued", layout.grid, RANGE)
    with_onsets = FrameLayout(pitches=RANGE, planes=("active", "onset"))
    written = PianoRoll.from_frames(np.hstack([frames, frames]), with_onsets, before=before)
    assert written.onset.tolist() == frames.tolist()


def test_implied_onsets_are_not_those_of_the_first_frame():
    """A primer cut out of the middle of a piece begins with onsets that nobody played."""
    active = np.array([[1, 0, 0], [1, 1, 0]], dtype=bool)
    roll = PianoRoll(active, np.zeros_like(active), pitches=RANGE)
    assert roll.note_starts().tolist() == [[False] * 3, [False, True, False]]


def test_another_grid_or_pitch_range_is_refused():
    """The model would read nonsense."""
    roll = PianoRoll.silent(4, pitches=RANGE)
    with pytest.raises(GridError, match=r"The roll is on BeatGrid.*4.*BeatGrid.*8"):
        roll.to_frames(FrameLayout(BeatGrid(8), RANGE, planes=("active",)))
    with pytest.raises(PitchRangeError, match=r"'song' has PitchRange.*with_pitches"):
        roll.renamed("song").to_frames(FrameLayout(planes=("active",)))


@pytest.mark.parametrize(
    "frames",
    [np.zeros((4, 5), dtype=bool), np.zeros(6, dtype=bool), np.zeros((4, 6)), np.ones((4, 6), dtype=np.uint8)],
    ids=["columns", "dimensions", "floats", "bytes"],
)
def test_frames_of_another_layout_are_refused(frames):
    """Probabilities or the frames of another model become notes."""
    with pytest.raises(ShapeError, match=r"bool of shape \(frames, 6\), got "):
        PianoRoll.from_frames(frames, FrameLayout(pitches=RANGE, planes=("active", "onset")))


def test_an_onset_needs_an_active_cell():
    """A model's two planes contradict each other unseen."""
    frames = np.array([[0, 0, 0, 1, 0, 0]], dtype=bool)
    with pytest.raises(ShapeError, match="Frame 0, pitch C4: an onset, but the pitch is not active"):
        PianoRoll.from_frames(frames, FrameLayout(pitches=RANGE, planes=("active", "onset")))
