"""Parts: their fields, and many of them."""

from typing import Any

import numpy as np
import pytest

from pianoroll_seq2seq import FrameLayout, Part, PianoRoll, PitchRange
from pianoroll_seq2seq.errors import MidiError, PitchRangeError, SettingsError


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"name": None}, SettingsError, "name of a part must be a text.*got None"),
        ({"name": 3}, SettingsError, "got 3"),
        ({"program": 1.5}, MidiError, "'melody': program must be in 0..127, got 1.5"),
        ({"program": "piano"}, MidiError, "got 'piano'"),
        ({"program": 128}, MidiError, "got 128"),
        ({"drums": "no"}, SettingsError, "drums must be True or False, got 'no'"),
        ({"pitches": (60, 71)}, SettingsError, r"pitches must be a PitchRange.*got \(60, 71\)"),
    ],
)
def test_wrong_fields_are_named(fields: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Part(**{"name": "melody", **fields})


@pytest.mark.parametrize("parts", [5, Part("melody"), "melody", ["melody"], [None]])
def test_parts_of_another_type_are_refused(parts: Any) -> None:
    with pytest.raises(SettingsError, match="part"):
        FrameLayout(parts=parts)


def test_names_cannot_control_a_terminal() -> None:
    red = Part("\x1b[31mred\n\u202e", pitches=PitchRange(60, 60))
    other = Part("other", pitches=PitchRange(60, 60))
    roll = PianoRoll.silent(2, parts=(red, other))
    with pytest.raises(PitchRangeError) as parts_error:
        roll.to_frames(FrameLayout(parts=(other, red)))
    with pytest.raises(SettingsError) as name_error:
        roll["tuba"]
    texts = [repr(roll), repr(FrameLayout.of(roll)), str(parts_error.value), str(name_error.value)]
    assert all(text.isprintable() for text in texts)
    assert all("\\x1b[31mred" in text for text in texts)


def test_many_parts_are_listed_in_part_and_take_time_in_proportion() -> None:
    """Thousands of parts took minutes: each name was compared with all others."""
    parts = tuple(Part(f"part {index}", pitches=PitchRange(60, 60)) for index in range(8_000))
    roll = PianoRoll.from_active(np.eye(1, len(parts), 7, dtype=bool), parts=parts)
    assert roll[list(roll.part_names)] == roll
    assert roll.merged().active.tolist() == [[True]]
    assert len(repr(roll)) < 500
    for wrong in (lambda: roll["tuba"], lambda: roll.to_frames(FrameLayout.of(roll[["part 1", "part 2"]]))):
        with pytest.raises((SettingsError, PitchRangeError)) as info:
            wrong()
        assert len(str(info.value)) < 1000
        assert "7988 more" in str(info.value)


@pytest.mark.parametrize(
    ("names", "expected", "fix"),
    [
        (["a", "b", "c"], ["c", "a"], r"roll\[\['c', 'a'\]\]"),
        (["a", "b"], ["x", "y"], r"parts=\{'x': \.\.\., 'y': \.\.\.\}"),
        ([""], ["x", "y"], r"PianoRoll.stack\(\{'x': \.\.\., 'y': \.\.\.\}\)"),
        (["a", "b"], [""], r"roll.merged\(\)"),
    ],
)
def test_the_fix_for_other_parts_can_be_done(names: list[str], expected: list[str], fix: str) -> None:
    roll = PianoRoll.silent(2, parts=[Part(name) for name in names])
    with pytest.raises(PitchRangeError, match=fix):
        roll.to_frames(FrameLayout(parts=tuple(Part(name) for name in expected)))
