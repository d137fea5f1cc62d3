"""Conditions: each frame has the condition of its own piece and place, in its own key and at its own tempo."""

import itertools
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from layouts import active_windows

from pianoroll_seq2seq.data.augmentation import Augmentation
from pianoroll_seq2seq.data.conditions import one_hot, pitch_class_vector, stack_conditions, transpose_chroma
from pianoroll_seq2seq.data.splitting import pitch_class_set
from pianoroll_seq2seq.errors import PieceTooShortError, SettingsError, ShapeError
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.windowing import SlidingWindows

PITCHES = PitchRange(41, 80)
"""Not from C on: columns and pitch classes are not the same."""


def song(frames: int, *, seed: int = 0, grid: Any = BeatGrid(4)) -> PianoRoll:
    """Notes of four pitch classes, in the middle of the range so that they can be moved."""
    generator = np.random.default_rng(seed)
    active = np.zeros((frames, len(PITCHES)), bool)
    columns = generator.permutation(12)[:4] + 14
    active[:, columns] = generator.random((frames, 4)) < 0.6
    active[0, columns] = True
    return PianoRoll.from_active(active, grid=grid, pitches=PITCHES, name=f"song {seed}")


def windows(rolls: list[PianoRoll], **changes: Any) -> SlidingWindows:
    return active_windows(rolls, **{"input_frames": 5, "target_frames": 3, "hop": 2} | changes)


def numbered(rolls: list[PianoRoll]) -> list[np.ndarray]:
    """Conditions that say of which piece and which frame they are."""
    return [
        np.stack([np.full(len(roll), piece, float), np.arange(len(roll), dtype=float)], axis=1)
        for piece, roll in enumerate(rolls)
    ]


def classes_of(frames: torch.Tensor) -> set[int]:
    """The pitch classes that sound in some frames."""
    return {(column + PITCHES.lowest) % 12 for column in frames.any(dim=0).nonzero().flatten().tolist()}


# ---- Writing conditions


@given(labels=st.lists(st.sampled_from("abc"), max_size=6))
def test_a_label_is_a_one_in_its_own_column(labels: list[str]) -> None:
    """Two composers share a column, or one has another column in each call."""
    rows = one_hot(labels, classes="cab")
    assert rows.shape == (len(labels), 3)
    assert ["cab"[place] for place in rows.argmax(axis=1)] == labels
    assert (rows.sum(axis=1) == 1).all()


@given(st.sets(st.integers(0, 11)))
def test_pitch_classes_are_twelve_numbers_from_c_on(pitch_classes: set[int]) -> None:
    vector = pitch_class_vector(pitch_classes)
    assert set(np.flatnonzero(vector).tolist()) == pitch_classes
    assert set(vector.tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: one_hot(["a"], ["b", "c"]), "'a' is not one of the classes"),
        (lambda: one_hot(["a"], ["a", "a"]), "once"),
        (lambda: pitch_class_vector([0, 12]), "from 0.*to 11.*12"),
        (lambda: pitch_class_vector([-1]), "modulo 12"),
    ],
)
def test_what_is_no_label_and_no_pitch_class_is_named(make: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make()


# ---- Windows


@given(lengths=st.lists(st.integers(1, 25), min_size=1, max_size=4), hop=st.integers(1, 5))
@pytest.mark.filterwarnings("ignore:.*pieces have fewer")
@pytest.mark.parametrize("short", ["pad", "skip"])
def test_every_frame_has_the_condition_of_its_own_piece_and_place(short: Any, lengths: list[int], hop: int) -> None:
    """A model reads the chord of another bar or of another piece, and learns to ignore conditions."""
    rolls = [song(length, seed=seed) for seed, length in enumerate(lengths)]
    try:
        data = windows(rolls, hop=hop, short=short, conditions=numbered(rolls))
    except PieceTooShortError:
        assert max(lengths) < 8
        return
    inputs, targets, condition = data.conditioned_batch(range(len(data)))
    assert condition is not None
    assert condition.shape == (len(data), 8, data.condition_size)
    assert condition.dtype == torch.float32
    for index, values in enumerate(condition.tolist()):
        piece = int(values[0][0])
        assert rolls[piece] is data.piece_of(index)
        for frame, (own, place) in zip(torch.cat([inputs, targets], 1)[index], values, strict=True):
            assert own == piece
            if place < len(rolls[piece]) - 1:  # the last also applies to the silence after a piece
                assert torch.equal(frame.bool(), torch.tensor(rolls[piece].active[int(place)]))
        assert [place for _, place in values] == [
            min(values[0][1] + frame, len(rolls[piece]) - 1) for frame in range(8)
        ]


def test_a_condition_of_a_piece_is_that_of_each_of_its_frames() -> None:
    rolls = [song(12), song(20, seed=1)]
    labels = one_hot(["b", "a"], classes="ab")
    data = windows(rolls, conditions=labels)
    _, _, condition = data.conditioned_batch(range(len(data)))
    assert condition is not None
    for index, values in enumerate(condition.numpy()):
        assert (values == labels[rolls.index(data.piece_of(index))]).all()


@given(seed=st.integers(0, 999), share=st.sampled_from([1.0, 0.5]), onsets=st.booleans())
def test_pitch_classes_are_transposed_with_the_music(seed: int, share: float, onsets: bool) -> None:
    """The condition says D major and the music is in E flat major: a model learns that scales mean nothing."""
    rolls = [song(30, seed=seed), song(30, seed=seed + 1)]
    values = [np.concatenate([pitch_class_vector(pitch_class_set(roll)), [7.0, 8.0]]) for roll in rolls]
    data = windows(
        rolls,
        input_frames=20,
        target_frames=10,
        conditions=values,
        pitch_classes=True,
        layout=FrameLayout.of(rolls[0], onsets=onsets),
        augmentation=Augmentation(semitones=(-14, 13), share=share),
    )
    inputs, targets, condition = data.conditioned_batch([0, 1] * 20, generator=np.random.default_rng(seed))
    assert condition is not None
    keys = set()
    for window, condition_of_window in zip(torch.cat([inputs, targets], 1), condition, strict=True):
        assert torch.equal(condition_of_window, condition_of_window[:1].expand_as(condition_of_window))
        sounding = set(condition_of_window[0, :12].nonzero().flatten().tolist())
        assert sounding == classes_of(window[:, : len(PITCHES)])  # a whole piece: all of its scale sounds
        assert condition_of_window[0, 12:].tolist() == [7.0, 8.0]
        keys.add(frozenset(sounding))
    assert len(keys) > 5


def test_pitch_classes_stay_by_default() -> None:
    """The twelve styles of a label are taken for pitch classes."""
    rolls = [song(30)]
    data = windows(rolls, conditions=[np.arange(12.0)], augmentation=Augmentation(semitones=(-9, 9)))
    _, _, condition = data.conditioned_batch(range(len(data)), generator=np.random.default_rng(0))
    assert condition is not None
    assert (condition.numpy() == np.arange(12.0)).all()


@given(steps=st.lists(st.integers(-30, 30), min_size=1, max_size=4))
def test_turning_is_adding_to_every_pitch_class(steps: list[int]) -> None:
    table = np.stack([pitch_class_vector({0, 4, 5})] * len(steps))[:, None].repeat(3, axis=1)
    for step, rows in zip(steps, transpose_chroma(table, np.array(steps)), strict=True):
        for row in rows:
            assert set(np.flatnonzero(row).tolist()) == {(tone + step) % 12 for tone in (0, 4, 5)}


@given(seed=st.integers(0, 999))
def test_at_another_pace_conditions_keep_to_their_frames(seed: int) -> None:
    """The bar line drifts away from the music, the more the faster it is."""
    rolls = [song(60, seed=2, grid=SecondsGrid(0.02)), song(40, seed=3, grid=SecondsGrid(0.02))]
    data = windows(rolls, conditions=numbered(rolls), augmentation=Augmentation(tempo=(0.5, 2.0)))
    inputs, targets, condition = data.conditioned_batch(range(len(data)), generator=np.random.default_rng(seed))
    assert condition is not None
    steps = set()
    for window, values in zip(torch.cat([inputs, targets], 1), condition.long().tolist(), strict=True):
        for frame, (piece, place) in zip(window, values, strict=True):
            assert torch.equal(frame.bool(), torch.tensor(rolls[piece].active[place]))
        steps |= {after[1] - before[1] for before, after in itertools.pairwise(values)}
    assert steps >= {0, 1, 2}


@pytest.mark.parametrize("augmentation", [None, Augmentation((-5, 6), share=0.7), Augmentation((-5, 6), (0.7, 1.4))])
def test_the_frames_are_those_without_conditions(augmentation: Augmentation | None) -> None:
    """Telling a model more changes the music it is trained on, and no seed gives the same run as before."""
    rolls = [song(40, grid=SecondsGrid(0.02)), song(25, seed=1, grid=SecondsGrid(0.02))]
    plain = windows(rolls, augmentation=augmentation)
    values = windows(rolls, augmentation=augmentation, conditions=[np.ones(12)] * 2, pitch_classes=True)
    everything = range(len(plain))
    expected = plain.batch(everything, generator=np.random.default_rng(3))
    for found in (
        values.batch(everything, generator=np.random.default_rng(3)),
        values.conditioned_batch(everything, generator=np.random.default_rng(3))[:2],
        plain.conditioned_batch(everything, generator=np.random.default_rng(3))[:2],
    ):
        assert torch.equal(found[0], expected[0])
        assert torch.equal(found[1], expected[1])
    assert plain.conditioned_batch(everything)[2] is None
    assert (plain.condition_size, values.condition_size) == (0, 12)


def test_another_hop_and_another_process_have_the_same_conditions() -> None:
    """evaluate, which sets the hop, or a worker of a DataLoader has other conditions or none."""
    rolls = [song(20), song(30, seed=1)]
    data = windows(rolls, hop=3, conditions=numbered(rolls))
    other = windows(rolls, hop=1, conditions=numbered(rolls)).with_hop(3)
    for again in (other, pickle.loads(pickle.dumps(data))):
        found, expected = again.conditioned_batch(range(len(data)))[2], data.conditioned_batch(range(len(data)))[2]
        assert found is not None
        assert expected is not None
        assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("conditions", "more", "kind", "message"),
    [
        ([np.ones(3)], {}, ShapeError, "1 conditions for 2 pieces"),
        ([np.ones(3), np.ones(4)], {}, ShapeError, r"piece 1 has the shape \(4,\), that of piece 0 \(3,\)"),
        ([np.ones(3), np.ones((1, 2, 3))], {}, ShapeError, r"\(1, 2, 3\)"),
        ([np.ones((12, 3)), np.ones((19, 3))], {}, ShapeError, "song 1 has 19 rows, but the piece has 20 frames"),
        ([np.ones(3), np.full(3, np.nan)], {}, SettingsError, "piece 1.*finite"),
        ([], {}, ShapeError, "no conditions"),
        ([np.ones(11)] * 2, {"pitch_classes": True}, SettingsError, "twelve.*size 11.*pitch_class_vector"),
        (None, {"pitch_classes": True}, SettingsError, "conditions of size 0"),
    ],
)
def test_conditions_that_do_not_fit_are_an_error(conditions: Any, more: Any, kind: Any, message: str) -> None:
    """Not the conditions of one piece beside the frames of the next."""
    with pytest.raises(kind, match=message):
        windows([song(12), song(20, seed=1)], conditions=conditions, **more)


# ---- Side by side


def test_stacked_conditions_repeat_their_last_row() -> None:
    found = stack_conditions(
        [np.array([[1.0], [2.0], [3.0]]), np.array([4.0]), np.array([[5.0], [6.0]])], 3, num_frames=2
    )
    assert found[..., 0].tolist() == [[1, 2, 3], [4, 4, 4], [5, 6, 6]]
    assert stack_conditions(np.array([1.0, 2.0]), 3).tolist() == [[[1.0, 2.0]]] * 3


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ([np.ones(2)] * 2, "2 conditions for 3 continuations"),
        ([np.ones(2), np.ones((4, 2)), np.ones(2)], "continuation 1 covers 4 frames.* have 5"),
    ],
)
def test_too_few_conditions_and_too_short_ones_are_errors(condition: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        stack_conditions(condition, 3, num_frames=5)
