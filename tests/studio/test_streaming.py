"""Streamed parts of a piece: together they are the piece that is cached."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from studio_models import Failing, generation_request, notes_model, small_model

from pianoroll_seq2seq.display.html import player_data
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.sampling import Draw, generate
from pianoroll_seq2seq.studio.generation_request import GenerationRequest
from pianoroll_seq2seq.studio.note_tracker import NoteTracker
from pianoroll_seq2seq.studio.partial_piece import PartialPiece
from pianoroll_seq2seq.studio.streaming import stream_piece

PITCHES = PitchRange(60, 63)


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


@pytest.mark.parametrize("trained", [small_model(), notes_model()], ids=["active", "onsets"])
def test_parts_are_the_cached_piece_and_what_generate_gives(trained: TrainedModel) -> None:
    """The page plays another piece than the download, or than ``generate`` gives with that seed."""
    request = generation_request(trained, num_frames=70, sampler=Draw(0.9), seed=5)
    piece = PartialPiece(request.primer, trained.layout)
    parts = list(stream_piece(request, piece))
    opening, *rest, done = parts
    assert done == {"done": True}
    notes = opening["opening"]["notes"] + [note for part in rest for note in part["notes"]]
    whole = piece.roll()
    assert sorted(notes) == sorted(player_data(whole)["notes"])
    assert rest[-1]["num_frames"] == 70
    assert rest[-1]["seconds"] == pytest.approx(whole.seconds, abs=1e-3)
    following = generate(trained.model, request.primer, num_frames=70, sampler=request.sampler, seed=5)
    assert whole == request.primer + following
    horizon = opening["opening"]["seconds"]
    for part in rest:
        assert all(note[0] >= horizon - 1e-9 for note in part["notes"])  # in time to be played
        assert part["seconds"] >= horizon
        horizon = part["seconds"]


def test_a_failing_model_sends_an_error_and_keeps_its_frames() -> None:
    """The page gets no message if a model fails in the middle."""
    trained = TrainedModel(Failing(after=5), FrameLayout(BeatGrid(4), PITCHES, planes=("active",)), name="failing")
    request = generation_request(trained, num_frames=20)
    piece = PartialPiece(request.primer, trained.layout)
    parts: list[dict[str, Any]] = list(stream_piece(request, piece))
    assert "broken on purpose" in parts[-1]["error"]["message"]
    assert len(piece.roll()) == len(request.primer) + 5
    assert torch.is_grad_enabled()


def test_the_page_draws_drums_too() -> None:
    """The kit lies below the pitches of the tune, outside of the picture."""
    kit, tune = Part("kit", drums=True, pitches=PitchRange(35, 37)), Part("tune", pitches=PITCHES)
    layout = FrameLayout(BeatGrid(4), planes=("active",), parts=(tune, kit))
    primer = PianoRoll.silent(2, parts=layout.parts)
    request = GenerationRequest(TrainedModel(Failing(after=99), layout), primer, 1, Draw(), 0, None)
    opening = next(stream_piece(request, PartialPiece(primer, layout)))["opening"]
    assert (opening["lowest"], opening["highest"]) == (35, 63)
