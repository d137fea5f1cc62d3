"""Frame layouts: columns, checks, and the way through JSON."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq import BeatGrid, FrameLayout, PianoRoll, PitchRange, SecondsGrid
from pianoroll_seq2seq.checkpoint import build, describe
from pianoroll_seq2seq.errors import GridError, PitchRangeError, SettingsError, ShapeError
from pianoroll_seq2seq.layout import frame_size_of

PLANES = [("active",), ("active", "onset")]


@st.composite
def layouts(draw: st.DrawFn) -> FrameLayout:
    lowest = draw(st.integers(0, 120))
    pitches = PitchRange(lowest, draw(st.integers(lowest, 127)))
    grid = draw(st.one_of(st.integers(1, 24).map(BeatGrid), st.sampled_from([SecondsGrid(0.02), SecondsGrid(1 / 60)])))
    return FrameLayout(grid, pitches, draw(st.sampled_from(PLANES)))  # type: ignore[arg-type]


@given(layout=layouts())
def test_the_columns_of_the_planes_are_adjacent_and_cover_the_frame(layout: FrameLayout) -> None:
    """A column would belong to two planes, or to none."""
    columns = [index for plane in layout.planes for index in range(*layout.columns(plane).indices(layout.frame_size))]
    assert columns == list(range(layout.frame_size))
    assert layout.frame_size == len(layout.planes) * len(layout.pitches) == frame_size_of(layout)
    assert layout.has_onsets == (len(layout.planes) == 2)


@given(layout=layouts(), data=st.data())
def test_the_pitches_of_the_columns_are_those_of_a_roll(layout: FrameLayout, data: st.DataObject) -> None:
    """A note would be read as another pitch."""
    column = data.draw(st.integers(0, len(layout.pitches) - 1))
    active = np.zeros((3, len(layout.pitches)), dtype=bool)
    active[1, column] = True
    roll = PianoRoll.from_active(active, grid=layout.grid, pitches=layout.pitches)
    (pitch,) = roll.notes().pitch.tolist()
    frames = roll.to_frames(layout)
    assert frames.shape == (3, layout.frame_size)
    assert layout.column_pitches()[frames[1]].tolist() == [pitch] * len(layout.planes)
    assert PianoRoll.from_frames(frames, layout) == roll


@given(layout=layouts())
def test_json_gives_the_same_layout(layout: FrameLayout) -> None:
    """A checkpoint must restore the layout of its model."""
    again = build(json.loads(json.dumps(describe(layout))))
    assert again == layout
    assert hash(again) == hash(layout)


@given(layout=layouts(), other=layouts())
def test_only_equal_layouts_are_accepted(layout: FrameLayout, other: FrameLayout) -> None:
    """Frames of another layout would mean something else."""
    layout.check(layout, "It")
    layout.check_same(layout, "It")
    if other == layout:
        return
    with pytest.raises((GridError, PitchRangeError, ShapeError), match=r"^It "):
        layout.check_same(other, "It")


@pytest.mark.parametrize(
    ("other", "error", "message"),
    [
        (
            FrameLayout(BeatGrid(8), planes=("active",)),
            GridError,
            r"The primer is on BeatGrid.*=8.*expects frames on BeatGrid.*=4",
        ),
        (FrameLayout(SecondsGrid(0.02), planes=("active",)), GridError, r"Read the music again with grid=BeatGrid"),
        (
            FrameLayout(pitches=PitchRange(36, 81), planes=("active",)),
            PitchRangeError,
            r"roll\.with_pitches\(PitchRange\(lowest=21, highest=108",
        ),
    ],
)
def test_errors_say_what_was_expected_what_came_and_the_fix(
    other: FrameLayout, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        FrameLayout(planes=("active",)).check(other, "The primer")
    roll = PianoRoll.silent(4, grid=other.grid, pitches=other.pitches)
    with pytest.raises(error):
        roll.to_frames(FrameLayout(planes=("active",)))


def test_other_planes_are_named() -> None:
    with pytest.raises(
        ShapeError, match=r"planes \('active',\), but the model expects \('active', 'onset'\).*model\.layout"
    ):
        FrameLayout.of(FrameLayout(planes=("active",)), onsets=True).check_same(
            FrameLayout(planes=("active",)), "The windows"
        )


@pytest.mark.parametrize(
    "planes",
    [(), ("onset",), ("onset", "active"), ("active", "active"), ("active", "velocity"), "active", ["active", 3]],
)
def test_wrong_planes_are_errors(planes: Any) -> None:
    with pytest.raises(SettingsError, match=r"planes must be \('active',\), \('active', 'onset'\) or"):
        FrameLayout(planes=planes)


def test_a_plane_that_is_missing_is_an_error() -> None:
    with pytest.raises(SettingsError, match="not 'onset'"):
        FrameLayout(planes=("active",)).columns("onset")


def test_a_list_of_planes_becomes_a_tuple() -> None:
    """JSON has lists."""
    assert FrameLayout(planes=["active", "onset"]) == FrameLayout(planes=("active", "onset"))  # type: ignore[arg-type]


def test_frame_sizes_below_one_are_errors() -> None:
    assert frame_size_of(5) == 5
    with pytest.raises(SettingsError, match="at least one column, got 0"):
        frame_size_of(0)


def test_layout_of_a_roll() -> None:
    roll = PianoRoll.silent(4, grid=BeatGrid(3), pitches=PitchRange(50, 60))
    assert FrameLayout.of(roll, onsets=False) == FrameLayout(BeatGrid(3), PitchRange(50, 60), planes=("active",))
    assert FrameLayout.of(roll, onsets=True).frame_size == 22


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"grid": 4}, "needs a FrameGrid.*got 4"), ({"pitches": 12}, "needs a PitchRange.*got 12")],
    ids=["grid", "pitches"],
)
def test_parts_of_other_types_are_refused(arguments: dict[str, Any], named: str) -> None:
    """A layout is made of numbers, and fails much later in words about something else."""
    with pytest.raises(SettingsError, match=named):
        FrameLayout(**arguments)
