"""Rolls that were read: their planes are filled when they are first used, and nobody else notices."""

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from midi_bytes import NOTE, smf
from strategies import SONG_FILES, file_bytes

from pianoroll_seq2seq import BeatGrid, Part, PianoRoll, TempoMap, read_midi
from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq.pianoroll.unchecked import notes_of
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.quantize import place_parts

EVERYTHING = {"pitches": PitchRange(0, 127), "drums": True}


def _read() -> PianoRoll:
    roll = PianoRoll.from_midi(smf(NOTE))
    assert notes_of(roll) is not None
    return roll


def _filled() -> PianoRoll:
    roll = _read()
    return PianoRoll(roll.active, roll.onset, roll.grid, roll.pitches, roll.tempo, roll.name, roll.velocity)


@pytest.mark.parametrize("plane", ["active", "onset", "velocity"])
def test_any_plane_fills_all(plane):
    """Whichever is used first; and none can be written to."""
    roll = _read()
    values = getattr(roll, plane)
    assert notes_of(roll) is None
    assert getattr(roll, plane) is values
    assert not any(each.flags.writeable for each in (roll.active, roll.onset, roll.velocity))


def test_length_and_name_need_no_planes():
    """What sorts files out costs no plane."""
    roll = _read()
    assert (len(roll), roll.seconds, roll.part_names, roll.plane_size) == (
        len(_filled()),
        _filled().seconds,
        ("",),
        88,
    )
    assert notes_of(roll) is not None


@pytest.mark.parametrize(
    "other",
    [copy.copy, copy.deepcopy, lambda roll: pickle.loads(pickle.dumps(roll)), replace],
    ids=["copy", "deepcopy", "pickle", "replace"],
)
def test_copies_are_equal(other):
    """Before and after the planes are filled."""
    roll = _read()
    assert other(roll) == roll
    assert other(roll) == _filled()
    assert not other(roll).active.flags.writeable


def test_a_pickle_has_the_notes_not_the_planes():
    """A roll that goes to another process is as small as its notes."""
    roll = PianoRoll.from_midi(smf(NOTE), grid=BeatGrid(480))
    size = len(pickle.dumps(roll))
    assert roll.active.any()
    assert size * 10 < len(pickle.dumps(roll))


def test_threads_get_the_same_music():
    """Two threads may fill at the same time."""
    for _ in range(20):
        roll = _read()
        with ThreadPoolExecutor(8) as pool:
            planes = list(pool.map(lambda roll: np.array(roll.active), [roll] * 32))
        assert all(np.array_equal(each, _filled().active) for each in planes)


def test_the_fields_are_those_of_every_roll():
    """No field is missing, unknown attributes raise as usual, and None means no velocities."""
    roll = PianoRoll.from_midi(smf(NOTE), velocity=False)
    assert roll.velocity is None
    assert [getattr(roll, each.name) for each in fields(roll)][3] == roll.pitches
    assert {each.name for each in fields(roll)} <= set(dir(roll))
    with pytest.raises(AttributeError, match="'PianoRoll' object has no attribute 'volume'"):
        roll.volume  # noqa: B018
    assert not hasattr(PianoRoll.__new__(PianoRoll), "active")


def test_a_new_name_fills_nothing():
    """Folders of files give their rolls names."""
    roll = _read().renamed("x")
    assert notes_of(roll) is not None
    assert (roll.name, roll) == ("x", _filled())


@pytest.mark.parametrize("compiled", [False, True], ids=["numpy", "numba"])
def test_an_unfilled_roll_keeps_its_notes_alone(compiled):
    """An array may be a view of all that the reader found."""
    if compiled:
        pytest.importorskip("numba", reason="the extra fast is not installed")
    with loops.forced(compiled):
        notes = notes_of(PianoRoll.from_midi(smf(NOTE)))
    arrays = [notes.onset_frame, notes.end_frame, notes.column, notes.velocity]
    assert [array.base for array in arrays] == [None] * 4
    assert [array.itemsize for array in arrays] == [4, 4, 4, 1]


def test_a_roll_is_copied_while_another_thread_fills_it():
    """A writer of checkpoints pickles a roll that the training uses."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            for _ in range(100):
                roll = _read()
                tasks = [pool.submit(pickle.dumps, roll), pool.submit(copy.deepcopy, roll)]
                assert roll.active.any()
                assert pickle.loads(tasks[0].result()) == tasks[1].result() == roll
    finally:
        sys.setswitchinterval(interval)


def test_columns_are_counted_beyond_a_byte():
    """symusic's pitches have 8 bits, and NumPy 1 would add the columns of the parts before in as many."""
    pitch = np.array([60], dtype=np.int8)
    notes = [[np.array([0]), np.array([480]), pitch]] * 4
    parts = [Part(str(index), pitches=PitchRange(0, 127)) for index in range(4)]
    placed = place_parts(notes, parts, tempo=TempoMap(), grid=BeatGrid(1))
    assert placed.column.tolist() == [60, 188, 316, 444]


@given(SONG_FILES)
def test_a_score_gives_the_same_roll(file):
    """By way of the score, or without it."""
    data = file_bytes(file)
    score = read_midi(data)
    if not len(score.notes):
        return
    roll, other = PianoRoll.from_midi(data, **EVERYTHING), PianoRoll.from_score(score, **EVERYTHING)
    assert len(roll) == len(other)
    assert roll == other
    assert len(roll) == len(other) == len(roll.active)
