"""The mixture of tasks that training draws."""

import numpy as np
import pytest

from pianoroll_seq2seq import FillTasks, Part, PianoRoll, PitchRange, WholePieces
from pianoroll_seq2seq.errors import SettingsError

PARTS = (Part("soprano"), Part("alto"), Part("bass"))
ONLY = {"continuing": 0.0, "harmonizing": 0.0, "infilling": 0.0, "both": 0.0}


def drawn(tasks: FillTasks, *, count: int = 300, frames: int = 40, parts: tuple[Part, ...] = PARTS) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [tasks.draw(frames, parts, generator)[0] for _ in range(count)]


def test_continuing_gives_a_beginning_and_never_the_end() -> None:
    tasks = FillTasks(**ONLY | {"continuing": 1.0}, known_end=1.0)
    generator = np.random.default_rng(0)
    masks, ends = zip(*(tasks.draw(40, PARTS, generator) for _ in range(300)), strict=True)
    assert not any(ends)
    lengths = [int(mask.all(axis=1).sum()) for mask in masks]
    for mask, length in zip(masks, lengths, strict=True):
        assert mask[:length].all()
        assert not mask[length:].any()
    assert 120 < lengths.count(0) < 190
    assert max(lengths) < 40


def test_harmonizing_gives_some_parts_and_never_all() -> None:
    masks = drawn(FillTasks(**ONLY | {"harmonizing": 1.0}))
    assert all((mask == mask[0]).all() for mask in masks)
    assert {tuple(mask[0].tolist()) for mask in masks} == {
        (bool(number & 1), bool(number & 2), bool(number & 4)) for number in range(1, 7)
    }
    chosen = drawn(FillTasks(**ONLY | {"harmonizing": 1.0}, subsets=(("soprano",), ("soprano", "bass"))))
    assert {tuple(mask[0].tolist()) for mask in chosen} == {(True, False, False), (True, False, True)}


def runs(given: np.ndarray) -> list[int]:
    """The lengths of the stretches of equal values, without those that the piece cuts."""
    changes = np.flatnonzero(np.diff(given.astype(int))) + 1
    return np.diff(changes).tolist()


def test_infilling_leaves_out_stretches_of_all_parts() -> None:
    masks = drawn(FillTasks(**ONLY | {"infilling": 1.0}, stretch_frames=(5, 9)), frames=60)
    assert all((mask == mask[:, :1]).all() for mask in masks)
    assert {length for mask in masks for length in runs(mask[:, 0])} == {5, 6, 7, 8, 9}
    assert 0.45 < np.mean([mask.mean() for mask in masks]) < 0.55
    assert 100 < sum(bool(mask[0, 0]) for mask in masks) < 200
    short = drawn(FillTasks(**ONLY | {"infilling": 1.0}, stretch_frames=(50, 60)))
    assert not any(mask.any() for mask in short)
    assert not any(mask.all() for mask in drawn(FillTasks(**ONLY | {"infilling": 1.0}, stretch_frames=(8, 30))))


def test_both_gives_some_parts_and_the_others_outside_stretches() -> None:
    masks = drawn(FillTasks(**ONLY | {"both": 1.0}, stretch_frames=(8, 8)))
    for mask in masks:
        throughout = mask.all(axis=0)
        assert 0 < throughout.sum() < 3
        others = mask[:, ~throughout]
        assert (others == others[:, :1]).all()
        assert set(runs(others[:, 0])) <= {8}


def test_a_piece_of_one_part_is_infilled_where_it_would_be_harmonized() -> None:
    masks = drawn(FillTasks(**ONLY | {"harmonizing": 1.0}, stretch_frames=(8, 8)), parts=(Part(),))
    assert all(set(runs(mask[:, 0])) <= {8} for mask in masks)


def test_whole_pieces_draw_tasks_from_the_generator_and_validate_with_fixed_ones() -> None:
    """Validation losses of two epochs compare the same tasks; training sees new ones in each."""
    parts = (Part("high", pitches=PitchRange(60, 63)), Part("low", pitches=PitchRange(48, 51)))
    rolls = [PianoRoll.silent(length, parts=parts) for length in (20, 30, 31, 64)]
    tasks = FillTasks(continuing=0.1, harmonizing=0, infilling=1, both=0, stretch_frames=(3, 6))
    pieces = WholePieces(rolls, max_frames_per_batch=96, tasks=tasks, input_frames=2)
    assert pieces.has_tasks
    for group in range(len(pieces)):
        _, targets = pieces.batch([group])
        mask, ends = pieces.given([group])
        assert mask.shape == (*targets.shape[:1], 2 + targets.shape[1], 2)
        assert mask[:, :2].all()
        assert not mask[:, 2:][~pieces.target_mask([group])].any()
        again, _ = pieces.given([group])
        assert (mask == again).all()
        lengths = 2 + pieces.target_mask([group]).sum(dim=1)
        assert ((ends == 0) | (ends == lengths)).all()
    first, second = (pieces.given([0], generator=np.random.default_rng(seed))[0] for seed in (1, 2))
    assert not (first == second).all()
    to_fill = sum(
        int((~pieces.given([group])[0][:, 2:].all(dim=2) & pieces.target_mask([group])).sum())
        for group in range(len(pieces))
    )
    assert pieces.num_target_frames == to_fill < sum(map(len, rolls))
    assert pieces.fingerprint() != WholePieces(rolls, max_frames_per_batch=96, input_frames=2).fingerprint()


@pytest.mark.parametrize(
    "settings",
    [
        ONLY,
        {"continuing": -1.0},
        {"known_end": 1.5},
    ],
    ids=str,
)
def test_refuses_numbers_out_of_range(settings: dict) -> None:
    with pytest.raises(SettingsError, match="shares of the tasks must be at least 0"):
        FillTasks(**settings)


@pytest.mark.parametrize("lengths", [(0, 4), (8, 4), (1.5, 2.5), (4,), (1, 2, 3), ("a", "b")], ids=str)
def test_refuses_other_stretches(lengths: tuple) -> None:
    with pytest.raises(SettingsError, match=r"stretch_frames must be two whole numbers .* got \("):
        FillTasks(stretch_frames=lengths)


def test_refuses_subsets_of_other_parts_or_of_all() -> None:
    rolls = [PianoRoll.silent(8, parts=PARTS)]
    for subset in (("tenor",), (), ("soprano", "alto", "bass")):
        with pytest.raises(SettingsError, match=r"names of some parts, but not of all.*soprano, alto, bass"):
            WholePieces(rolls, max_frames_per_batch=8, tasks=FillTasks(subsets=(subset,)))
