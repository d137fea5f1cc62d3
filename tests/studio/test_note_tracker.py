"""Notes that are found frame by frame are those of the whole roll."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.studio.note_tracker import NoteTracker


@given(st.lists(st.lists(st.sampled_from([0, 1, 2]), min_size=4, max_size=4), min_size=1, max_size=12))
def test_notes_end_as_they_do_in_the_whole_roll(cells: list[list[int]]) -> None:
    """Streamed notes differ from those of the file, or arrive after the player has passed them."""
    planes = np.array(cells)
    parts = (Part("high", pitches=PitchRange(60, 61)), Part("low", pitches=PitchRange(40, 41)))
    velocity = np.where(planes == 2, 1 + np.arange(planes.size).reshape(planes.shape), 0)
    roll = PianoRoll(planes > 0, planes == 2, parts=parts, velocity=velocity)
    whole = list(zip(*(column.tolist() for column in roll.notes()), strict=True))
    tracker, ended = NoteTracker(parts), []
    for active, onset, level in zip(roll.active, roll.onset, roll.velocity, strict=True):
        ended += tracker.add_frame(active, onset, level)
        later = [note for note in whole if note not in ended]
        assert all(start >= tracker.complete_until for start, *_ in later)
    ended += tracker.end()
    assert tracker.complete_until == len(roll)
    assert sorted(ended) == sorted(whole)
