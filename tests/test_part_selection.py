"""Which parts of a score become which parts of a roll."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq import Part, PianoRoll, PitchRange, Score, TempoMap
from pianoroll_seq2seq.errors import MidiError, PitchRangeError, SettingsError
from pianoroll_seq2seq.midi_io.write import to_midi_bytes
from pianoroll_seq2seq.part_selection import choose_parts, distinct_names
from pianoroll_seq2seq.pitches import PIANO
from tests.strategies import note_table

# A file of one track for the tune and its drums, and of two tracks whose names differ in capitals.
BAND = Score(
    note_table([(0, 480, 60, 90, 0), (0, 120, 36, 80, 1), (0, 480, 40, 70, 2), (480, 960, 43, 60, 3)]),
    TempoMap(480),
    (
        Part("tune", track=1, channel=0),
        Part("tune", drums=True, track=1, channel=9),
        Part("Bass", program=33, track=2, channel=1),
        Part("bass", program=34, track=3, channel=2),
    ),
    "band",
)


def _pitches(roll: PianoRoll) -> dict[str, list[int]]:
    return {name: roll[name].notes().pitch.tolist() for name in roll.part_names}


@pytest.mark.parametrize(
    "option",
    [
        *[b"tracks", bytearray(b"x"), 5, True, [], {}, {"tune"}, (name for name in ["tune"])],
        *[[1], [None], [b"tune"], [["tune"]], [""], {1: "tune"}, {None: "tune"}, {("a",): "tune"}],
        *[{"a": None}, {"a": {}}, {"a": {"track": None, "drums": None}}],
        *[{"a": True}, {"a": 1.5}, {"a": ["tune"]}, {"a": b"tune"}, {"a": {"track": 0.0}}],
        *[{"a": {"program": "33"}}, {"a": {"channel": 1.0}}, {"a": {"drums": "yes"}}, {"a": {"drums": 1}}],
        *[{"a": {1: 2, "x": 3}}, [Part("tune"), "Bass"], [Part("tune"), Part("tune")], [Part("tune"), Part("")]],
    ],
)
def test_options_of_another_type_are_refused_before_reading(option: Any) -> None:
    with pytest.raises(SettingsError, match="part"):
        PianoRoll.from_score(BAND, parts=option)
    with pytest.raises(SettingsError, match="part"):
        PianoRoll.from_midi(to_midi_bytes(BAND), parts=option)


def test_a_track_with_drums_gives_its_pitched_notes() -> None:
    expected = {"tune": [60], "Bass": [40]}
    for drums in (None, False):
        assert _pitches(PianoRoll.from_score(BAND, parts=["tune", "Bass"], drums=drums)) == expected
    assert _pitches(PianoRoll.from_score(BAND, parts=["tune"], drums=True)) == {"tune": [36, 60]}
    kit = {"lead": "tune", "kit": {"track": "tune", "drums": True}}
    roll = PianoRoll.from_midi(to_midi_bytes(BAND), parts=kit)
    assert _pitches(roll) == {"lead": [60], "kit": [36]}
    assert [part.drums for part in roll.parts] == [False, True]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([Part("Bass"), Part("bass")], {"Bass": [40], "bass": [43]}),
        ([Part("bass"), Part("TUNE")], {"bass": [43], "TUNE": [60]}),
        ([Part("tune", drums=True), Part("Bass")], {"tune": [36], "Bass": [40]}),
        ([Part("tune 2", drums=True), Part("tune")], {"tune 2": [36], "tune": [60]}),
    ],
)
def test_parts_of_a_layout_are_found_by_name_and_kind(wanted: list[Part], expected: dict[str, list[int]]) -> None:
    assert _pitches(PianoRoll.from_score(BAND, parts=wanted)) == expected


def test_one_track_is_not_read_as_two_parts() -> None:
    with pytest.raises(MidiError, match=r"needs tracks named BASS, bass.*it has one track, 'bass'"):
        PianoRoll.from_score(BAND.select(drums=False).select(track="bass"), parts=[Part("BASS"), Part("bass")])


@given(st.lists(st.sampled_from(["", "a", "a 2", "A", "drums"]), min_size=1, max_size=5), st.data())
def test_the_parts_of_a_file_read_the_file_again(names: list[str], data: st.DataObject) -> None:
    drums = [data.draw(st.booleans()) for _ in names]
    parts = tuple(
        Part(name, drums=kit, track=i, channel=i) for i, (name, kit) in enumerate(zip(names, drums, strict=True))
    )
    score = Score(note_table([(0, 480, 60 + i, 90, i) for i in range(len(parts))]), TempoMap(480), parts)
    roll = PianoRoll.from_score(score, parts="tracks")
    if len(parts) > 1:
        assert PianoRoll.from_score(score, parts=roll.parts) == roll


def test_dropping_all_notes_of_a_part_leaves_it_silent() -> None:
    bass = {"Bass": PitchRange(50, 60)}
    roll = PianoRoll.from_score(BAND, parts=["tune", "Bass"], pitches=bass, outside="drop")
    assert _pitches(roll) == {"tune": [60], "Bass": []}
    with pytest.raises(PitchRangeError, match=r"part 'Bass': 1 of 1 notes are outside.*pass outside='drop'"):
        PianoRoll.from_score(BAND, parts=["tune", "Bass"], pitches=bass)
    with pytest.raises(PitchRangeError, match=r"3 of 3 notes are outside .*PitchRange\(40, 60\)") as info:
        PianoRoll.from_score(BAND, pitches=PitchRange(100, 101), outside="drop")
    assert "pass outside" not in str(info.value)  # it was passed
    with pytest.raises(PitchRangeError, match="2 of 2 notes are outside"):
        PianoRoll.from_score(BAND, parts=["tune", "Bass"], pitches=PitchRange(100, 101), outside="drop")


@pytest.mark.parametrize("pitches", [(60, 71), {"tune": (60, 71)}, 88])
def test_pitches_of_another_type_are_refused(pitches: Any) -> None:
    with pytest.raises(SettingsError, match="PitchRange"):
        PianoRoll.from_score(BAND, parts=["tune"], pitches=pitches)
    if not isinstance(pitches, dict):
        with pytest.raises(SettingsError, match="PitchRange"):
            PianoRoll.from_midi(to_midi_bytes(BAND), pitches=pitches)


def test_many_tracks_of_one_name_take_time_in_proportion() -> None:
    """65,000 tracks of one name took most of an hour: the number after each began at 2 again."""
    count = 20_000
    parts, indices = choose_parts(
        [Part("pad", track=index) for index in range(count)], "tracks", pitches=PIANO, drums=None, label="x"
    )
    assert [part.name for part in parts[:3]] == ["pad", "pad 2", "pad 3"]
    assert indices[-1] == [count - 1]
    assert all(one[0] + 1 == two[0] for one, two in pairwise(indices))
    assert choose_parts(
        [Part("pad", track=index) for index in range(count)], parts, pitches=PIANO, drums=None, label="x"
    ) == (parts, indices)
    by_name = [f"track {index}" for index in range(count)]
    named = [Part(name) for name in by_name]
    assert choose_parts(named, by_name[:2], pitches=PIANO, drums=None, label="x")[1] == [[0], [1]]


@given(st.lists(st.sampled_from(["a", "a 2", "a 2 2", "b", ""])))
def test_distinct_names_are_distinct_and_stay(names: list[str]) -> None:
    found = distinct_names(names)
    assert len(set(found)) == len(names)
    assert all(one.startswith(name) for one, name in zip(found, names, strict=True))
    assert distinct_names(found) == found
