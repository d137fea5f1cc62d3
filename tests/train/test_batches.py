"""Batches prepared in the background."""

import threading

import numpy as np
import pytest
import torch
from run_helpers import make_windows

from pianoroll_seq2seq import Augmentation
from pianoroll_seq2seq.train.batches import Batches, BatchIndices

pytestmark = pytest.mark.usefixtures("one_thread")


def test_batches_are_those_of_the_indices() -> None:
    """A batch is overwritten by a later one while it is in use, or they come in another order."""
    data = make_windows(frames=40)
    indices = [
        BatchIndices(np.random.default_rng(seed).integers(0, len(data), 1 + seed % 4), [seed]) for seed in range(50)
    ]
    for each, batch in zip(indices, Batches(data, torch.device("cpu"), 4)(indices), strict=True):
        expected = data.batch(each.examples)
        for _ in range(3):  # however long it is used
            torch.rand(1000).sum()
        assert torch.equal(batch.inputs, expected[0])
        assert torch.equal(batch.targets, expected[1])


def test_augmentation_depends_on_the_seed_only() -> None:
    """A resumed run trains on other variations than one that never stopped."""
    data = make_windows(frames=40, augmentation=Augmentation(semitones=(-2, 2)))
    indices = [BatchIndices(np.arange(4), [seed]) for seed in range(6)]
    whole = [batch.inputs.clone() for batch in Batches(data, torch.device("cpu"), 4)(indices)]
    rest = [batch.inputs.clone() for batch in Batches(data, torch.device("cpu"), 4)(indices[3:])]
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(rest, whole[3:], strict=True))
    assert not torch.equal(whole[0], whole[1])


def test_an_error_in_the_thread_is_raised_here() -> None:
    """Windows that cannot be read leave training waiting for ever."""
    batches = Batches(make_windows(frames=40), torch.device("cpu"), 4)(
        [BatchIndices(np.array([0]), [0]), BatchIndices(np.array([10_000]), [0])]
    )
    next(batches)
    with pytest.raises(IndexError):
        next(batches)


def test_no_thread_is_left_behind() -> None:
    """Every interrupted epoch leaves a thread that holds its windows in memory."""
    before = threading.active_count()
    batches = Batches(make_windows(frames=40), torch.device("cpu"), 4)(
        BatchIndices(np.array([index]), [0]) for index in range(20)
    )
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
