"""Arrays: if these fail, music from or for another program is other music than it was."""

import numpy as np
import pytest
from announcements import announced
from hypothesis import given
from hypothesis import strategies as st
from strategies import planes, rolls
from typechecker import as_users_have_it

from pianoroll_seq2seq.errors import (
    SettingsError,
    ShapeError,
)
from pianoroll_seq2seq.interop import (
    roll_from_array,
    roll_to_array,
)
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import ALL_PITCHES, PIANO, PitchRange

AXIS_ORDERS = st.sampled_from(["frames_first", "pitches_first"])


@given(rolls(), AXIS_ORDERS, st.none() | st.integers(1, 127))
def test_what_sounds_goes_to_an_array_and_back(roll, axis_order, velocity):
    """A user's own model would be trained on other music, and its output be other music."""
    array, warned = announced(lambda: roll_to_array(roll, axis_order=axis_order, velocity=velocity))
    assert array.dtype == np.uint8
    assert np.array_equal(array if axis_order == "frames_first" else array.T, roll.active * (velocity or 1))
    back = roll_from_array(
        array, axis_order=axis_order, grid=roll.grid, pitches=roll.pitches, tempo=roll.tempo, name="x"
    )
    assert back == PianoRoll.from_active(roll.active, grid=roll.grid, pitches=roll.pitches, tempo=roll.tempo)
    assert back.name == "x"
    lost = len(roll.notes().pitch) - len(back.notes().pitch)
    assert [message.split()[0] for message in warned] == ([str(lost)] if lost else [])


@given(planes(), st.sampled_from([np.float16, np.float32, np.float64, np.int64, np.uint8]), AXIS_ORDERS)
def test_a_cell_sounds_above_the_threshold_alone(both, dtype, axis_order):
    """Probabilities of exactly one half are silent, as in sampling; velocities above 0 sound."""
    active, _ = both
    pitches = PitchRange(0, active.shape[1] - 1)
    low, high = (0.5, 0.75) if np.issubdtype(dtype, np.floating) else (3, 4)
    values = np.where(active, high, low).astype(dtype)
    roll = roll_from_array(
        values if axis_order == "frames_first" else values.T, axis_order=axis_order, pitches=pitches, threshold=low
    )
    assert roll == PianoRoll.from_active(active, pitches=pitches)


def test_the_pitches_of_the_usual_widths_are_known():
    """88 columns begin at A0, 128 at MIDI 0: off by 21, every piece would be transposed."""
    assert roll_from_array(np.eye(88)).pitches == PIANO
    assert roll_from_array(np.zeros((128, 3)), axis_order="pitches_first").pitches == ALL_PITCHES


@pytest.mark.parametrize(
    ("array", "arguments", "message"),
    [
        (
            np.zeros((128, 40)),
            {},
            r"shape \(128, 40\).*40 pitches, expected 88 or 128\. Pass axis_order='pitches_first'",
        ),
        (np.zeros((40, 88)), {"axis_order": "pitches_first"}, r"Pass axis_order='frames_first'"),
        (np.zeros((40, 49)), {}, r"expected 88 or 128\. Pass pitches=.* with 49 pitches"),
        (np.zeros((40, 88)), {"pitches": PitchRange(60, 62)}, r"88 pitches, expected 3\."),
        (np.zeros((4, 40, 88)), {}, r"expected a matrix of numbers or bools, got float64 of shape \(4, 40, 88\)"),
        (np.zeros((40, 88), dtype=complex), {}, "got complex128"),
        (np.full((40, 88), "x"), {}, "got <U1"),
        (np.diag([1.0, np.nan, 1.0]), {"pitches": PitchRange(60, 62)}, "NaN in frame 1, column 1"),
    ],
)
def test_an_array_that_is_no_roll_is_refused(array, arguments, message):
    """The message shows what came and the way out, and names the piece."""
    with pytest.raises(ShapeError, match="^song: .*" + message):
        roll_from_array(array, name="song", **arguments)


def test_other_axis_orders_and_velocities_are_refused():
    """A typo would turn time into pitch; velocity 0 would silence every note."""
    roll = PianoRoll.from_active(np.eye(88, dtype=bool))
    with pytest.raises(SettingsError, match="'time_first'"):
        as_users_have_it(roll_from_array)(np.eye(88), axis_order="time_first")
    with pytest.raises(SettingsError, match="'time_first'"):
        as_users_have_it(roll_to_array)(roll, axis_order="time_first")
    for velocity in (0, 128):
        with pytest.raises(SettingsError, match=rf"1\.\.127, got {velocity}"):
            roll_to_array(roll, velocity=velocity)


def test_velocities_go_to_arrays_and_back():
    """Music for pretty_midi or for a plot is at one loudness."""
    array = np.array([[64, 0], [64, 0], [0, 90], [30, 90]], dtype=np.uint8)
    roll = roll_from_array(array, pitches=PitchRange(60, 61), velocities=True)
    assert roll.velocity.tolist() == [[64, 0], [0, 0], [0, 90], [30, 0]]
    assert np.array_equal(roll_to_array(roll, velocities=True), array)
    assert roll_to_array(roll[1:], velocities=True).tolist() == [[60, 0], [0, 90], [30, 90]]  # the median
    assert roll_to_array(roll.with_velocity(None), velocities=True).max() == 100


@pytest.mark.parametrize("value", [0.3, 128, 1e9])
def test_a_velocity_out_of_range_names_its_cell(value):
    array = np.array([[0.0, 0.0], [0.0, value]])
    with pytest.raises(ShapeError, match=r"in frame 1, column 1; velocities are 1\.\.127"):
        roll_from_array(array, pitches=PitchRange(60, 61), velocities=True)


def test_one_velocity_or_those_of_the_notes():
    with pytest.raises(SettingsError, match="not both"):
        roll_to_array(PianoRoll.silent(2), velocity=64, velocities=True)
