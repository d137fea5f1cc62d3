from typing import Any

import numpy as np
import pytest
import torch
from layouts import active_pieces

from pianoroll_seq2seq import (
    Augmentation,
    BeatGrid,
    FrameLayout,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    WholePieces,
    fit,
)
from pianoroll_seq2seq.data.condition_sources import MetricPosition
from pianoroll_seq2seq.data.conditions import pitch_class_vector
from pianoroll_seq2seq.errors import GridError, PieceTooShortError, PitchRangeError, SettingsError, ShapeError
from pianoroll_seq2seq.train.examples import ConditionedExamples, Examples
from pianoroll_seq2seq.train.losses import mean_loss

RANGE = PitchRange(60, 69)


def roll_of(frames: int, seed: int = 0) -> PianoRoll:
    active = np.random.default_rng(seed).random((frames, 10)) < 0.3
    return PianoRoll.from_active(active, pitches=RANGE, name=f"piece of {frames}")


ROLLS = [roll_of(frames, seed) for seed, frames in enumerate([5, 30, 8, 12, 5, 3, 30, 11])]


def test_each_piece_stands_in_one_group() -> None:
    pieces = active_pieces(ROLLS, max_frames_per_batch=40)
    seen = []
    for index in range(len(pieces)):
        inputs, targets = pieces[index]
        names, mask = pieces.names(index), pieces.target_mask([index])
        assert inputs.shape == (len(names), 0, 10)
        assert len(targets) * targets.shape[1] <= 40
        assert mask.shape == targets.shape[:2]
        for row, frames in enumerate(mask.sum(dim=1).tolist()):
            assert names[row] == f"piece of {frames}"
            assert mask[row, :frames].all()
            assert not targets[row, frames:].any()
            seen.append(targets[row, :frames].bool().numpy())
    assert pieces.num_target_frames == sum(map(len, ROLLS)) == sum(map(len, seen))
    for roll in ROLLS:
        assert any(np.array_equal(roll.active, frames) for frames in seen)


def test_repeats_are_in_other_groups() -> None:
    rolls = [roll_of(frames) for frames in range(20, 60)]
    pieces = active_pieces(rolls, max_frames_per_batch=200, repeats=3)
    groups = {frozenset(pieces.names(index)) for index in range(len(pieces))}
    assert pieces.num_target_frames == 3 * sum(map(len, rolls))
    assert len(groups) > len(pieces) / 2
    counts = [name for index in range(len(pieces)) for name in pieces.names(index)]
    assert all(counts.count(roll.name) == 3 for roll in rolls)


def test_silence_before_the_pieces_is_input_and_not_target() -> None:
    inputs, targets = active_pieces(ROLLS, max_frames_per_batch=40, input_frames=4).batch([0, 1])
    assert inputs.shape == (len(targets), 4, 10)
    assert not inputs.any()


def test_a_longer_piece_makes_a_group_of_its_own() -> None:
    pieces = active_pieces(ROLLS, max_frames_per_batch=10)
    assert [pieces.names(index) for index in range(2)] == [("piece of 30",)] * 2


def test_pieces_are_transposed_as_a_whole() -> None:
    narrow = np.zeros((6, 10), dtype=bool)
    narrow[:, 4] = narrow[::2, 6] = True
    pieces = active_pieces(
        [PianoRoll.from_active(narrow, pitches=RANGE)],
        max_frames_per_batch=10,
        augmentation=Augmentation(semitones=(-4, 3)),
    )
    found = set()
    for seed in range(60):
        _, targets = pieces.batch([0], generator=np.random.default_rng(seed))
        lowest = int(targets[0].amax(dim=0).nonzero()[0])
        assert torch.equal(targets[0], torch.from_numpy(np.roll(narrow, lowest - 4, axis=1)).float())
        found.add(lowest)
    assert found == set(range(8))
    _, plain = pieces.batch([0])
    assert torch.equal(plain[0].bool(), torch.from_numpy(narrow))


def test_the_loss_is_of_the_frames_that_count() -> None:
    """Silence after a piece is no music: what a model makes of it must not matter, in training or in validation."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(10, hidden_size=8)
    pieces = active_pieces(ROLLS, max_frames_per_batch=60, input_frames=2)
    assert isinstance(pieces, Examples)
    total, count = 0.0, 0
    model.eval()
    for roll in ROLLS:
        targets = torch.from_numpy(roll.active[None].astype(np.float32))
        total -= float(model(torch.zeros(1, 2, 10), targets).log_prob(targets).detach().sum())
        count += len(roll)
    assert mean_loss(model, pieces) == pytest.approx(total / count, rel=1e-5)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-9)
    history = fit(
        model,
        active_pieces(ROLLS, max_frames_per_batch=1000, input_frames=2),
        pieces,
        epochs=1,
        batch_size=1,
        optimizer=optimizer,
        progress=False,
    )
    assert history.train_losses[0] == pytest.approx(total / count, rel=1e-5)
    assert history.valid_losses[0] == pytest.approx(total / count, rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"max_frames_per_batch": 0}, SettingsError, "max_frames_per_batch"),
        ({"repeats": 0}, SettingsError, "repeats"),
        ({"input_frames": -1}, SettingsError, "input_frames"),
        ({"augmentation": Augmentation(tempo=(0.9, 1.1))}, SettingsError, "tempo"),
        ({"rolls": []}, PieceTooShortError, "no pieces"),
        ({"rolls": [roll_of(0)]}, PieceTooShortError, "piece of 0"),
    ],
)
def test_nonsense_is_refused(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        WholePieces(**{"rolls": ROLLS, "max_frames_per_batch": 40} | settings)


def test_groups_are_counted_from_either_end() -> None:
    pieces = active_pieces(ROLLS, max_frames_per_batch=40)
    assert torch.equal(pieces[-1][1], pieces[len(pieces) - 1][1])
    with pytest.raises(IndexError, match="Group"):
        pieces[len(pieces)]
    assert repr(pieces).startswith("WholePieces(8 pieces in ")


def test_a_layout_with_onsets_has_the_onset_plane() -> None:
    """A model that distinguishes a repeated note from a held one cannot learn from whole pieces."""
    active = np.zeros((6, 10), dtype=bool)
    active[1:, 4] = active[:3, 7] = True
    onset = np.zeros_like(active)
    onset[1, 4] = onset[3, 4] = True  # repeated without a gap; the other note began before the piece
    roll = PianoRoll(active, onset, pitches=RANGE)
    layout = FrameLayout.of(roll, onsets=True)
    pieces = WholePieces(
        [roll, roll[:4]], max_frames_per_batch=20, input_frames=3, augmentation=Augmentation((-4, 2)), layout=layout
    )
    assert pieces.layout == layout
    inputs, targets = pieces.batch([0])
    assert inputs.shape == (2, 3, 20)
    assert np.array_equal(targets[0].bool().numpy(), roll.to_frames(layout))
    assert np.array_equal(targets[1, :4].bool().numpy(), roll[:4].to_frames(layout))
    _, transposed = pieces.batch([0], generator=np.random.default_rng(2))
    step = int(transposed[0, 0, :10].nonzero()[0]) - 7
    assert step != 0
    assert np.array_equal(transposed[0].bool().numpy(), roll.transpose(step).to_frames(layout))


def test_another_layout_is_refused() -> None:
    """Frames mean other pitches or times than the model learns them as."""
    with pytest.raises(PitchRangeError, match=r"piece of 5.*PitchRange"):
        WholePieces(ROLLS, max_frames_per_batch=40, layout=FrameLayout(pitches=PitchRange(61, 70), planes=("active",)))
    with pytest.raises(GridError, match="BeatGrid"):
        WholePieces(ROLLS, max_frames_per_batch=40, layout=FrameLayout(BeatGrid(8), RANGE, planes=("active",)))


# ---- Conditions


def _numbered(rolls: list[PianoRoll]) -> list[np.ndarray]:
    """Conditions that say of which piece and which frame they are."""
    return [
        np.stack([np.full(len(roll), piece), np.arange(len(roll))], axis=1).astype(np.float32)
        for piece, roll in enumerate(rolls)
    ]


@pytest.mark.parametrize("input_frames", [0, 3])
def test_each_frame_has_its_condition(input_frames: int) -> None:
    """The conditions of another piece or frame: a shorter piece repeats its last row, silence before it the first."""
    rolls = [roll.renamed(str(piece)) for piece, roll in enumerate(ROLLS)]
    pieces = active_pieces(
        rolls,
        max_frames_per_batch=40,
        input_frames=input_frames,
        conditions=_numbered(rolls),
        augmentation=Augmentation(semitones=(-3, 3)),
    )
    assert pieces.condition_size == 2
    assert isinstance(pieces, ConditionedExamples)
    seen = []
    for index in range(len(pieces)):
        _, targets, condition = pieces.conditioned_batch([index], generator=np.random.default_rng(index))
        assert condition is not None
        assert condition.shape == (len(targets), input_frames + targets.shape[1], 2)
        assert np.array_equal(targets, pieces.batch([index], generator=np.random.default_rng(index))[1])
        for row, name in zip(condition, pieces.names(index), strict=True):
            last = len(rolls[int(name)]) - 1
            assert (row[:, 0] == int(name)).all()
            assert row[:, 1].tolist() == np.clip(np.arange(-input_frames, targets.shape[1]), 0, last).tolist()
            seen.append(int(name))
    assert sorted(seen) == list(range(len(rolls)))
    plain = active_pieces(rolls, max_frames_per_batch=40)
    assert plain.condition_size == 0
    assert plain.conditioned_batch([0])[2] is None


def test_a_source_computes_the_conditions() -> None:
    """The place in the bar follows the padding, or is transposed."""
    narrow = np.zeros((20, 10), dtype=bool)
    narrow[:, 4] = True
    rolls = [PianoRoll.from_active(narrow[:frames], pitches=RANGE) for frames in (20, 18)]
    source = MetricPosition()
    pieces = active_pieces(
        rolls, max_frames_per_batch=40, conditions=source, augmentation=Augmentation(semitones=(-4, 3))
    )
    _, _, condition = pieces.conditioned_batch([0], generator=np.random.default_rng(0))
    assert condition is not None
    assert {row[17].tolist() == row[19].tolist() for row in condition.numpy()} == {True, False}
    assert np.array_equal(condition[:, :18].numpy(), np.stack([source(rolls[1])] * 2))


def test_pitch_classes_are_transposed_with_the_piece() -> None:
    narrow = np.zeros((6, 10), dtype=bool)
    narrow[:, 4] = True
    chord = np.append(pitch_class_vector({(RANGE.lowest + 4) % 12}), 7)
    pieces = active_pieces(
        [PianoRoll.from_active(narrow, pitches=RANGE)],
        max_frames_per_batch=10,
        augmentation=Augmentation(semitones=(-4, 3)),
        conditions=[chord],
        pitch_classes=True,
    )
    for seed in range(8):
        _, targets, condition = pieces.conditioned_batch([0], generator=np.random.default_rng(seed))
        assert condition is not None
        sounding = (RANGE.lowest + int(targets[0, 0].argmax())) % 12
        assert condition[0, 0].nonzero().flatten().tolist() == [sounding, 12]


def test_conditions_belong_to_what_a_run_is_resumed_with() -> None:
    """A run goes on with other conditions, and nobody notices."""
    settings: dict[str, Any] = {"max_frames_per_batch": 40}
    conditions = _numbered(ROLLS)
    prints = [
        active_pieces(ROLLS, **settings, conditions=changed).fingerprint()
        for changed in (None, conditions, [conditions[0] + 1, *conditions[1:]])
    ]
    assert prints[0] != prints[1] != prints[2] != prints[0]
    assert active_pieces(ROLLS, **settings, conditions=_numbered(ROLLS)).fingerprint() == prints[1]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"conditions": _numbered(ROLLS)[1:]}, ShapeError, "7 conditions for 8 pieces"),
        ({"conditions": _numbered(ROLLS)[::-1]}, ShapeError, "the piece has 5 frames"),
        ({"conditions": np.zeros((8, 11)), "pitch_classes": True}, SettingsError, "twelve"),
        ({"pitch_classes": True}, SettingsError, "twelve"),
        ({"conditions": MetricPosition}, SettingsError, r"such as MetricPosition\(\), got its class"),
    ],
)
def test_conditions_that_do_not_fit_are_refused(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        WholePieces(ROLLS, max_frames_per_batch=40, **settings)


def test_a_conditional_model_is_trained_on_whole_pieces() -> None:
    """Training on whole pieces does not pass their conditions to the model."""
    torch.manual_seed(0)
    roll = roll_of(24)
    conditions = [np.tile(np.float32([[1], [0]]), (12, 1))]
    pieces = active_pieces([roll], max_frames_per_batch=40, input_frames=2, conditions=conditions)
    model = Seq2SeqLSTM(10, hidden_size=8, condition_size=1)
    fit(model, pieces, epochs=1, batch_size=1, progress=False)
    with pytest.raises(SettingsError, match="condition"):
        fit(
            model,
            active_pieces([roll], max_frames_per_batch=40, input_frames=2),
            epochs=1,
            batch_size=1,
            progress=False,
        )
