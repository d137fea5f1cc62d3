"""Parts and velocities of a roll: every operation keeps them, and every file gives them back."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq import (
    BeatGrid,
    FrameLayout,
    KeySignature,
    Meter,
    NoteTable,
    Part,
    PianoRoll,
    PitchRange,
    Score,
    TempoMap,
    TimeSignature,
    concatenate,
)
from pianoroll_seq2seq.errors import (
    GridError,
    MidiError,
    NoNotesError,
    PitchRangeError,
    SettingsError,
    ShapeError,
)
from pianoroll_seq2seq.midi_io.write import to_midi_bytes
from tests.strategies import note_table, part_rolls

RIGHT, LEFT, KIT = (
    Part("right", program=40, track=1, channel=0),
    Part("left", program=32, track=2, channel=1),
    Part("kit", drums=True, track=3, channel=9),
)


def _score(rows: list[tuple[int, ...]], parts: tuple[Part, ...] = (RIGHT, LEFT, KIT)) -> Score:
    return Score(note_table(rows), TempoMap(480), parts, "song")


TRIO = _score(
    [
        (0, 480, 72, 90, 0),
        (480, 960, 74, 70, 0),
        (0, 960, 48, 50, 1),
        (0, 120, 36, 110, 2),
        (480, 600, 38, 111, 2),
    ]
)


def test_a_roll_of_tracks_has_their_names_programs_and_velocities() -> None:
    roll = PianoRoll.from_score(TRIO, parts="tracks")
    assert roll.parts == (RIGHT, LEFT, KIT)
    assert roll.active.shape == (8, 3 * 88)
    assert [roll[name].notes().velocity.tolist() for name in roll.part_names] == [[90, 70], [50], [110, 111]]
    assert roll["kit"].parts[0].drums
    assert roll.pitches == PitchRange(21, 108)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["left", "right"], {"left": [48], "right": [72, 74]}),
        ({"melody": "right", "bass": 2}, {"melody": [72, 74], "bass": [48]}),
        ({"bass": {"program": 32}, "beat": {"drums": True}}, {"bass": [48], "beat": [36, 38]}),
        ({"hands": {"drums": False}}, {"hands": [48, 72, 74]}),
    ],
)
def test_parts_are_selected(parts: Any, expected: dict[str, list[int]]) -> None:
    for roll in (
        PianoRoll.from_score(TRIO, parts=parts),
        PianoRoll.from_midi(to_midi_bytes(TRIO), parts=parts),
    ):
        assert {name: roll[name].notes().pitch.tolist() for name in roll.part_names} == expected


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        (["right", "tuba"], MidiError, "part 'tuba': no part with track='tuba'.*track 1 'right'"),
        ({"a": "right", "b": 1}, SettingsError, "parts 'a' and 'b' both select track 1 'right'"),
        (["left", "left"], SettingsError, "'left' twice"),
        ("all", SettingsError, "parts must be None, 'tracks'.*got 'all'"),
        ({}, SettingsError, "parts must be None"),
        ({"a": {"voice": 1}}, SettingsError, "'a' selects by .'voice'.*track, program, channel or drums"),
        ({"": "left"}, SettingsError, "name"),
    ],
)
def test_wrong_selections_name_the_part(parts: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        PianoRoll.from_score(TRIO, parts=parts)


def test_pitches_are_given_by_part() -> None:
    ranges = {"right": PitchRange(60, 84), "left": PitchRange(36, 59)}
    roll = PianoRoll.from_score(TRIO, parts=["right", "left"], pitches=ranges)
    assert [part.pitches for part in roll.parts] == list(ranges.values())
    assert roll.columns("left") == slice(25, 49)
    assert roll.pitches == PitchRange(36, 84)
    with pytest.raises(SettingsError, match="pitches for 'tuba', but its parts are"):
        PianoRoll.from_score(TRIO, parts=["right"], pitches={"tuba": PitchRange(1, 2)})
    with pytest.raises(SettingsError, match=r"need parts=\.\.\."):
        PianoRoll.from_score(TRIO, pitches=ranges)
    with pytest.raises(PitchRangeError, match="part 'right': 2 of 2 notes are outside"):
        PianoRoll.from_score(TRIO, parts=["right"], pitches={"right": PitchRange(10, 20)})


def test_drums_are_a_part_of_their_own_unless_left_out() -> None:
    assert PianoRoll.from_score(TRIO, parts="tracks", drums=False).part_names == ("right", "left")
    assert PianoRoll.from_score(TRIO).notes().pitch.tolist() == [48, 72, 74]
    assert PianoRoll.from_score(TRIO, drums=True).notes().pitch.tolist() == [36, 38, 48, 72, 74]


def test_tracks_without_a_name_or_with_the_same_get_one() -> None:
    parts = tuple(Part(name, track=index) for index, name in enumerate(["", "pad", "pad", "pad 2"]))
    score = _score([(0, 480, 60 + part, 80, part) for part in range(4)], parts)
    assert PianoRoll.from_score(score, parts="tracks").part_names == ("track 0", "pad", "pad 2", "pad 2 2")


@given(part_rolls())
def test_a_roll_of_parts_goes_to_midi_and_back(roll: PianoRoll) -> None:
    data = to_midi_bytes(roll.to_score())
    sounding = [name for name in roll.part_names if roll[name].active.any()]
    if not sounding:
        with pytest.raises(NoNotesError):
            PianoRoll.from_midi(data, parts="tracks", grid=roll.grid)
        return
    pitches = {part.name: part.pitches for part in roll.parts if part.name in sounding}
    read = PianoRoll.from_midi(data, parts="tracks", grid=roll.grid, pitches=pitches)
    assert read == _complete(roll[sounding])
    if roll.velocity is None:
        assert set(read.notes().velocity) == {100}


def _complete(roll: PianoRoll) -> PianoRoll:
    """The roll, with an onset and a velocity where a note sounds in the first frame without one: a file begins it."""
    onset = roll.note_starts()
    onset[:1] |= roll.active[:1]
    velocity = None
    if roll.velocity is not None:
        known = roll.velocity[roll.velocity > 0]
        middle = round(float(np.median(known))) if len(known) else 100
        velocity = np.where(onset & (roll.velocity == 0), np.uint8(middle), roll.velocity)
    return PianoRoll(roll.active, onset, roll.grid, roll.pitches, roll.tempo, velocity=velocity, parts=roll.parts)


@given(part_rolls(), st.data())
def test_slices_and_sums_keep_parts_and_velocities(roll: PianoRoll, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(roll)))
    assert roll[:cut].parts == roll.parts
    assert roll[:cut] + roll[cut:] == roll


@given(part_rolls())
def test_parts_are_taken_apart_and_stacked_again(roll: PianoRoll) -> None:
    assert PianoRoll.stack([roll[name] for name in roll.part_names]) == roll
    backwards = list(reversed(roll.part_names))
    assert roll[backwards][list(roll.part_names)] == roll


@given(part_rolls())
def test_frames_of_parts_and_velocities_go_there_and_back(roll: PianoRoll) -> None:
    layout = FrameLayout.of(roll, onsets=True, velocity=roll.velocity is not None)
    frames = roll.to_frames(layout)
    assert frames.shape == (len(roll), layout.frame_size)
    again = PianoRoll.from_frames(frames, layout, tempo=roll.tempo)
    assert np.array_equal(again.active, roll.active)
    assert np.array_equal(again.onset, roll.note_starts())
    if roll.velocity is not None:
        known = roll.velocity > 0
        assert np.array_equal(again.velocity[known], roll.velocity[known])
    for part in roll.parts:
        assert np.array_equal(frames[:, layout.columns("active", part.name)] > 0, roll[part.name].active)


@given(part_rolls(), st.integers(-3, 3))
def test_transposing_leaves_drums_alone(roll: PianoRoll, semitones: int) -> None:
    try:
        moved = roll.transpose(semitones)
    except PitchRangeError:
        return
    for part in roll.parts:
        shift = 0 if part.drums else semitones
        assert np.array_equal(moved[part.name].notes().pitch, roll[part.name].notes().pitch + shift)
    assert moved.transpose(-semitones) == roll


@given(part_rolls())
def test_merging_is_the_union_with_the_louder_velocity(roll: PianoRoll) -> None:
    pitched = [part for part in roll.parts if not part.drums]
    if len(roll.parts) > 1 and not pitched:
        with pytest.raises(NoNotesError, match="only drums"):
            roll.merged()
        return
    merged = roll.merged()
    assert len(merged.parts) == 1
    for pitch in range(merged.pitches.lowest, merged.pitches.highest + 1):
        cells = [
            (part.name, pitch - part.pitches.lowest)
            for part in (pitched or roll.parts)
            if part.pitches.lowest <= pitch <= part.pitches.highest
        ]
        column = merged.active[:, pitch - merged.pitches.lowest]
        expected = np.zeros_like(column)
        for name, place in cells:
            expected |= roll[name].active[:, place]
        assert np.array_equal(column, expected)
        if roll.velocity is not None:
            loudest = np.zeros(len(roll), dtype=np.uint8)
            for name, place in cells:
                loudest = np.maximum(loudest, roll[name].velocity[:, place])
            assert np.array_equal(merged.velocity[:, pitch - merged.pitches.lowest], loudest)


@given(part_rolls())
def test_wider_pitch_ranges_keep_the_notes(roll: PianoRoll) -> None:
    wider = roll.with_pitches({name: PitchRange(0, 127) for name in roll.part_names})
    for before, after in zip(roll.notes(), wider.notes(), strict=True):
        assert np.array_equal(before, after)
    assert wider.with_pitches({part.name: part.pitches for part in roll.parts}) == roll


def test_the_louder_of_two_notes_in_one_frame_counts() -> None:
    score = _score([(0, 480, 60, 80, 0), (10, 480, 60, 120, 0), (20, 480, 60, 90, 0)], (RIGHT,))
    assert PianoRoll.from_score(score).notes().velocity.tolist() == [120]


def test_velocities_may_be_left_out() -> None:
    roll = PianoRoll.from_midi(to_midi_bytes(TRIO), velocity=False)
    assert roll.velocity is None
    assert roll == PianoRoll.from_midi(to_midi_bytes(TRIO))  # unknown velocities are not compared
    assert set(roll.to_score().notes.velocity) == {100}
    assert set(roll.to_score(velocity=64).notes.velocity) == {64}


def test_notes_without_a_velocity_get_the_median_of_the_others() -> None:
    roll = PianoRoll.from_score(TRIO)  # velocities 50, 70, 90
    assert roll[1:].to_score().notes.velocity.tolist() == [70, 70, 70]
    unknown = roll.with_velocity(None)
    assert (roll + unknown).notes().velocity.tolist() == [50, 70, 90, 70, 70, 70]
    stacked = PianoRoll.stack({"loud": roll.with_velocity(120), "unknown": unknown})
    assert set(stacked["unknown"].notes().velocity) == {120}


@pytest.mark.parametrize(
    ("velocity", "message"),
    [
        (np.array([[0], [0]]), "Frame 0, pitch C4 has an onset and the velocity 0"),
        (np.array([[128], [0]]), "velocity 128.*1..127"),
        (np.array([[-1], [0]]), "velocity -1"),
        (np.array([[90], [1]]), "Frame 1, pitch C4 has no onset and the velocity 1"),
        (np.array([[0.5], [0]]), "integers of shape"),
        (np.array([90, 0]), "integers of shape"),
    ],
)
def test_wrong_velocities_name_the_cell(velocity: np.ndarray, message: str) -> None:
    active = np.ones((2, 1), dtype=bool)
    onset = np.array([[True], [False]])
    with pytest.raises(ShapeError, match=message):
        PianoRoll(active, onset, pitches=PitchRange(60, 60), velocity=velocity)


@pytest.mark.parametrize("velocity", [0, 128, -1, 64.5])
def test_one_velocity_for_all_is_in_range(velocity: Any) -> None:
    with pytest.raises(ShapeError, match=r"1\.\.127"):
        PianoRoll.from_score(TRIO).with_velocity(velocity)


def test_parts_need_names_of_their_own() -> None:
    silence = PianoRoll.silent(2)
    with pytest.raises(SettingsError, match="several parts are named 'a'"):
        PianoRoll.stack([PianoRoll.stack({"a": silence}), PianoRoll.stack({"a": silence})])
    with pytest.raises(SettingsError, match="part 1 of 2 has no name"):
        PianoRoll.stack([silence, silence])
    with pytest.raises(SettingsError, match="roll of 2 parts"):
        PianoRoll.stack({"both": PianoRoll.stack({"a": silence, "b": silence})})
    with pytest.raises(ShapeError, match="at least one"):
        PianoRoll.stack([])
    with pytest.raises(SettingsError, match="must be Part objects"):
        FrameLayout(parts=("melody",), planes=("active",))  # type: ignore[arg-type]


def test_rolls_of_other_lengths_or_grids_do_not_stack() -> None:
    short, long = PianoRoll.silent(2), PianoRoll.silent(5)
    with pytest.raises(ShapeError, match=r"part 'a' of 2 frames and the part 'b' of 5.*silent\(3"):
        PianoRoll.stack({"a": short, "b": long})
    with pytest.raises(GridError, match="one grid"):
        PianoRoll.stack({"a": short, "b": PianoRoll.silent(2, grid=BeatGrid(3))})
    with pytest.raises(GridError, match="one tempo"):
        PianoRoll.stack({"a": short, "b": PianoRoll.silent(2, tempo=TempoMap(240))})


def test_parts_that_are_missing_are_named() -> None:
    roll = PianoRoll.from_score(TRIO, parts="tracks")
    with pytest.raises(SettingsError, match=r"no part 'tuba'. Its parts are \['right', 'left', 'kit'\]"):
        roll["tuba"]
    with pytest.raises(SettingsError, match="has no parts"):
        roll[[]]
    with pytest.raises(SettingsError, match="no part 'tuba'"):
        roll.with_pitches({"tuba": PitchRange()})


def test_a_model_of_other_parts_says_so() -> None:
    roll = PianoRoll.from_score(TRIO, parts="tracks")
    layout = FrameLayout.of(roll[["left", "right"]], onsets=False)
    with pytest.raises(PitchRangeError, match=r"has the parts right, left, kit.*expects the parts left, right.*roll\["):
        roll.to_frames(layout)
    with pytest.raises(PitchRangeError, match=r"one part.*roll\.merged\(\)"):
        roll.to_frames(FrameLayout(planes=("active",)))
    with pytest.raises(PitchRangeError, match=r"part 'left', has PitchRange.*with_pitches\("):
        roll[["left", "right"]].to_frames(
            FrameLayout(parts=(Part("left", pitches=PitchRange(30, 60)), Part("right")), planes=("active",))
        )
    with pytest.raises(PitchRangeError, match="'kit', is drums, but the model expects pitched"):
        roll[["left", "kit"]].to_frames(FrameLayout(parts=(Part("left"), Part("kit")), planes=("active",)))
    assert roll["left"].to_frames(FrameLayout(planes=("active",))).shape == (8, 88)  # a model of one part reads any


def test_velocities_that_a_layout_needs_are_asked_for() -> None:
    roll = PianoRoll.from_score(TRIO, velocity=False)
    with pytest.raises(ShapeError, match=r"'song' has no velocities.*roll\.with_velocity\(80\)"):
        roll.to_frames(FrameLayout.of(roll, velocity=True))


def test_rolls_of_other_parts_do_not_follow_one_another() -> None:
    roll = PianoRoll.from_score(TRIO, parts="tracks")
    with pytest.raises(PitchRangeError, match="parts"):
        concatenate([roll, roll[["left", "right"]]])


def test_signatures_stay_with_the_music() -> None:
    meter = Meter([TimeSignature(0, 3, 4)], [KeySignature(0, fifths=2)])
    score = Score(NoteTable([0], [480 * 6], [60], [80], [0]), TempoMap(480), meter=meter)
    roll = PianoRoll.from_score(score)
    assert roll.bar_frames().tolist() == [0, 12]
    assert roll.beat_frames().tolist() == [0, 4, 8, 12, 16, 20]
    assert roll.to_score().meter == meter
    assert PianoRoll.from_midi(to_midi_bytes(score)).meter == meter
    assert (roll[:10] + roll[10:]).meter == meter
    assert str(roll.transpose(1).meter.key_signatures[0]) == "Eb major"
    assert PianoRoll.silent(32).bar_frames().tolist() == [0, 16]  # 4/4 if it is unknown
    assert roll == roll[:10].renamed("x") + roll[10:]


def test_a_silent_roll_has_the_parts_of_a_model() -> None:
    layout = FrameLayout(
        parts=(Part("high", pitches=PitchRange(60, 80)), Part("low", pitches=PitchRange(40, 59))), planes=("active",)
    )
    assert PianoRoll.silent(3, parts=layout.parts).to_frames(layout).shape == (3, 41)


def test_layouts_of_parts_are_described() -> None:
    layout = FrameLayout(
        parts=(Part("high", 40, pitches=PitchRange(60, 80)), Part("kit", drums=True)), planes=("active",)
    )
    from pianoroll_seq2seq.checkpoint.descriptions import build, describe

    assert build(describe(layout)) == layout
    assert build(describe(FrameLayout(pitches=PitchRange(30, 40), planes=("active",)))) == FrameLayout(
        pitches=PitchRange(30, 40), planes=("active",)
    )


def test_the_repr_names_the_parts() -> None:
    assert repr(PianoRoll.from_score(TRIO, parts="tracks")) == (
        "PianoRoll('song', 8 frames x 264 pitches in 3 parts right, left, kit, 5 notes with velocities, "
        "BeatGrid(frames_per_beat=4))"
    )
