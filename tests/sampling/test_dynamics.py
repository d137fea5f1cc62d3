"""Velocities for music that has none."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pianoroll_seq2seq import FrameLayout, PianoRoll, PitchRange, Seq2SeqLSTM, SlidingWindows, add_dynamics, generate
from pianoroll_seq2seq.errors import GridError, PitchRangeError, SettingsError, ShapeError
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.train import fit

PITCHES = PitchRange(60, 65)


def _scale(repeats: int = 8) -> PianoRoll:
    """A scale up and down, whose low half is soft and whose high half is loud."""
    order = np.array([0, 1, 2, 3, 4, 5, 4, 3, 2, 1] * repeats)
    roll = PianoRoll.from_active(order[:, None] == np.arange(6), pitches=PITCHES)
    return replace(roll, velocity=np.where(roll.onset, np.where(np.arange(6) < 3, 30, 110), 0))


@pytest.fixture(scope="module")
def model() -> Seq2SeqLSTM:
    torch.manual_seed(1)
    roll = _scale(4)
    layout = FrameLayout.of(roll, velocity=True)
    trained = Seq2SeqLSTM(layout, hidden_size=24)
    windows = SlidingWindows([roll], input_frames=4, target_frames=8, hop=1, layout=layout)
    optimizer = torch.optim.Adam(trained.parameters(), lr=1e-2)
    fit(trained, windows, epochs=20, batch_size=8, optimizer=optimizer, seed=1, progress=False)
    return trained


def test_a_flat_roll_is_played_as_the_data(model: Seq2SeqLSTM) -> None:
    """The velocities are noise, or those of other notes."""
    flat = _scale(3).with_velocity(None)
    played = add_dynamics(model, flat, seed=2)
    assert np.array_equal(played.active, flat.active)
    assert np.array_equal(played.onset, flat.onset)
    notes = played.notes()
    low, high = (notes.velocity[keep] for keep in (notes.pitch < 63, notes.pitch >= 63))
    assert np.median(low) < 55
    assert np.median(high) > 90


def test_velocities_depend_on_the_seed_alone(model: Seq2SeqLSTM) -> None:
    flat = _scale(2).with_velocity(None)
    assert add_dynamics(model, flat, seed=3) == add_dynamics(model, flat, seed=3)
    assert add_dynamics(model, flat, seed=3) == add_dynamics(model, flat.with_velocity(1), seed=3)
    assert add_dynamics(model, flat, seed=3) != add_dynamics(model, flat, seed=4)


def test_generated_music_has_velocities(model: Seq2SeqLSTM) -> None:
    primer = _scale(2)
    song = generate(model, primer, num_frames=40, seed=1)
    assert song.velocity is not None
    assert np.array_equal(song.velocity > 0, song.onset)
    assert (primer + song)[: len(primer)] == primer


def test_a_note_held_from_before_has_no_velocity(model: Seq2SeqLSTM) -> None:
    active = np.ones((3, 6), dtype=bool)
    roll = PianoRoll(active, np.zeros_like(active), pitches=PITCHES)
    assert not add_dynamics(model, roll).velocity.any()


def test_parts_keep_their_own_velocities() -> None:
    parts = (Part("high", pitches=PitchRange(60, 63)), Part("low", 32, pitches=PitchRange(40, 42)))
    roll = PianoRoll.from_active(np.eye(14, 7, dtype=bool), parts=parts)
    played = add_dynamics(Seq2SeqLSTM(FrameLayout.of(roll, velocity=True), hidden_size=8), roll)
    assert played.parts == parts
    assert np.array_equal(played.velocity > 0, roll.onset)


def test_music_or_models_that_do_not_fit_are_named(model: Seq2SeqLSTM) -> None:
    flat = _scale(1)
    with pytest.raises(SettingsError, match=r"needs a model of velocities.*velocity=True"):
        add_dynamics(Seq2SeqLSTM(FrameLayout.of(flat, onsets=True), hidden_size=8), flat)
    with pytest.raises(GridError, match="frames on"):
        add_dynamics(model, replace(flat, grid=BeatGrid(3)))
    with pytest.raises(PitchRangeError, match="with_pitches"):
        add_dynamics(model, flat.with_pitches(PitchRange(60, 70)))
    with pytest.raises(ShapeError, match="no frames"):
        add_dynamics(model, flat[:0])
    with pytest.raises(SettingsError, match="temperature"):
        add_dynamics(model, flat, temperature=0)
