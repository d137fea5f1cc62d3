"""What is made of valid planes is valid without checking them, and no copy can be written to."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq import Meter, PianoRoll, PitchRange, TimeSignature
from pianoroll_seq2seq.controllers import CONTROL_CHANGE, Controllers
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from tests.strategies import note_table, part_rolls

OPERATIONS: dict[str, Callable[[PianoRoll, int], PianoRoll]] = {
    "a slice": lambda roll, k: roll[k : len(roll) - 1],
    "a slice of a slice": lambda roll, k: roll[k:][-3:],
    "a sum": lambda roll, k: roll + roll[k:].with_velocity(None) + roll,
    "a part": lambda roll, k: roll[roll.part_names[k % len(roll.parts)]],
    "parts": lambda roll, k: roll[list(roll.part_names[::-1])],
    "merged": lambda roll, k: roll.merged(drums=True),
    "a stack": lambda roll, k: PianoRoll.stack({"one": roll.merged(drums=True), "two": roll.merged(drums=True)}),
    "transposed": lambda roll, k: roll.transpose(k - 2),
    "other pitches": lambda roll, k: roll.with_pitches({name: PitchRange(0, 127) for name in roll.part_names}),
    "louder": lambda roll, k: roll.with_velocity(100 + k),
    "renamed": lambda roll, k: roll.renamed("x"),
}


@given(part_rolls(), st.integers(0, 4), st.sampled_from(list(OPERATIONS)))
def test_operations_give_valid_rolls(roll: PianoRoll, k: int, operation: str) -> None:
    roll = replace(roll, meter=Meter([TimeSignature(0, 3, 4)]), name="song")
    try:
        made = OPERATIONS[operation](roll, k)
    except PianoRollSeq2SeqError:
        return
    checked = replace(made)  # validates
    assert made == checked
    assert (made.parts, made.pitches, made.name) == (checked.parts, checked.pitches, checked.name)
    assert made.meter.time_signatures[0].numerator == 3
    assert made.name == ("x" if operation == "renamed" else "song")
    for plane in _arrays(made):
        assert not plane.flags.writeable
        assert plane.dtype == np.uint8 if plane is made.velocity else plane.dtype == np.bool_


def _arrays(value: Any) -> list[np.ndarray]:
    return [one for one in vars(value).values() if isinstance(one, np.ndarray)]


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))],
    ids=["copy", "deep", "pickle"],
)
@pytest.mark.parametrize(
    "value",
    [
        PianoRoll.from_active(np.eye(3, 88, dtype=bool)).with_velocity(64),
        note_table([(0, 480, 60, 90, 0)]),
        Controllers([0], [0], [CONTROL_CHANGE], [64], [127]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_copies_are_equal_and_read_only(value: Any, copied: Callable[[Any], Any]) -> None:
    again = copied(value)
    assert again == value
    assert _arrays(again)
    assert not any(array.flags.writeable for array in _arrays(again))
    with pytest.raises(TypeError, match="unhashable"):
        hash(again)


def test_a_drum_kit_alone_is_no_pitched_part() -> None:
    roll = _with_a_kit()
    assert roll["kit"].transpose(1) == roll.transpose(1)["kit"] == roll["kit"]
    assert roll["kit"] != replace(roll["kit"], parts=(replace(roll["kit"].parts[0], drums=False),))


def _with_a_kit() -> PianoRoll:
    tune = PianoRoll.from_active(np.eye(4, 12, dtype=bool), pitches=PitchRange(60, 71))
    roll = PianoRoll.stack({"tune": tune, "kit": tune})
    return replace(roll, parts=(roll.parts[0], replace(roll.parts[1], drums=True)))
