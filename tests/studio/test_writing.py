"""Pieces as they are written: what is sent in parts is the piece that is kept."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from studio_models import Failing, notes_model, small_model, wish_for

from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import Draw, generate
from pianoroll_seq2seq.studio.writing import Draft, OpenNotes, written
from pianoroll_seq2seq.trained import TrainedModel
from pianoroll_seq2seq.web import music

PITCHES = PitchRange(60, 63)


@given(st.lists(st.lists(st.sampled_from([0, 1, 2]), min_size=4, max_size=4), min_size=1, max_size=12))
def test_notes_end_as_they_do_in_the_whole_roll(cells: list[list[int]]) -> None:
    """Notes that are sent one by one are other notes than those of the file, or the player runs ahead of them."""
    planes = np.array(cells)
    roll = PianoRoll(planes > 0, planes == 2, pitches=PITCHES)
    open_notes, ended = OpenNotes(), []
    for active, onset in zip(roll.active, roll.onset, strict=True):
        ended += open_notes.hear(active, onset)
        later = [note for note in zip(*(each.tolist() for each in roll.notes()), strict=True) if note not in ended]
        assert all(start >= open_notes.known_until for start, _, _ in later)
    ended += open_notes.end()
    assert open_notes.known_until == len(roll)
    assert sorted(ended) == sorted(zip(*(each.tolist() for each in roll.notes()), strict=True))


@pytest.mark.parametrize("trained", [small_model(), notes_model()], ids=["active", "onsets"])
def test_what_is_sent_is_what_is_kept_and_what_the_model_plays(trained: TrainedModel) -> None:
    """One hears another piece than one downloads, or than ``generate`` writes with that seed."""
    wish = wish_for(trained, frames=70, sampler=Draw(0.9), seed=5)
    piece = Draft(wish.primer)
    parts = list(written(wish, piece))
    opening, *rest, done = parts
    assert done == {"done": True}
    notes = opening["music"]["notes"] + [note for part in rest for note in part["notes"]]
    whole = piece.roll()
    assert sorted(notes) == sorted(music(whole)["notes"])
    assert rest[-1]["frames"] == 70
    assert rest[-1]["seconds"] == pytest.approx(whole.seconds, abs=1e-3)
    following = generate(trained.model, wish.primer, frames=70, sampler=wish.sampler, seed=5, onsets=trained.onsets)
    assert whole == wish.primer + following
    horizon = opening["music"]["seconds"]
    for part in rest:
        assert all(note[0] >= horizon - 1e-9 for note in part["notes"])  # nothing comes too late to be played
        assert part["seconds"] >= horizon
        horizon = part["seconds"]


def test_a_model_that_fails_says_so_and_leaves_what_it_wrote() -> None:
    """A model that breaks in the middle takes the page with it, without a word."""
    wish = wish_for(TrainedModel(Failing(after=5), BeatGrid(4), PITCHES, name="failing"), frames=20)
    piece = Draft(wish.primer)
    parts: list[dict[str, Any]] = list(written(wish, piece))
    assert "broken on purpose" in parts[-1]["error"]["message"]
    assert len(piece.roll()) == len(wish.primer) + 5
    assert torch.is_grad_enabled()
