"""Exponentially weighted averages of past frames, against a plain loop."""

from typing import Any

import pytest
import torch

from pianoroll_seq2seq.models.layers import exponential_average
from pianoroll_seq2seq.models.layers.exponential_average import (
    ExponentialAverage,
    chroma,
    exponential_averages,
    rotations,
)

DECAYS = torch.tensor([0.5, 0.9], dtype=torch.float64)


def some_frames(count: int) -> torch.Tensor:
    return (torch.rand(2, count, 14, generator=torch.Generator().manual_seed(3)) < 0.3).double()


def plain_average(frames: torch.Tensor, moment: int, decay: float) -> torch.Tensor:
    total, weights = torch.zeros_like(frames[:, 0]), 0.0
    for age, frame in enumerate(reversed(range(moment))):
        total += decay**age * frames[:, frame]
        weights += decay**age
    return total / max(weights, 1.0)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_averages_are_those_of_a_plain_loop(count: int) -> None:
    frames = some_frames(count)
    averages = exponential_averages(frames, DECAYS)
    assert averages.shape == (2, count + 1, 2, 14)
    for moment in range(count + 1):
        for rate, decay in enumerate(DECAYS.tolist()):
            torch.testing.assert_close(averages[:, moment, rate], plain_average(frames, moment, decay))


def test_updates_frame_by_frame_give_the_same_averages() -> None:
    frames = some_frames(9)
    averages = exponential_averages(frames, DECAYS)
    for known in (0, 1, 4):
        state = ExponentialAverage.of(frames[:, :known], DECAYS)
        torch.testing.assert_close(state.average, averages[:, known])
        for frame in range(known, 9):
            state = state.after(frames[:, frame])
            torch.testing.assert_close(state.average, averages[:, frame + 1])


def test_no_frames_are_silence() -> None:
    assert not exponential_averages(some_frames(1)[:, :0], DECAYS).any()


def test_chroma_sums_over_octaves_and_rotates() -> None:
    values = torch.arange(14.0)
    classes = chroma(values)
    assert classes.tolist() == [0 + 12, 1 + 13, *range(2, 12)]
    assert classes[rotations()[3]].tolist() == [*range(3, 12), 12, 14, 2]


def test_long_pieces_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights of all pairs of frames are in memory at once: 3 GB for a primer of 10,000 frames."""
    frames = (torch.rand(2, 50, 7, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    decays = torch.tensor([0.5, 0.9])
    whole = {last: exponential_averages(frames, decays, last=last) for last in (None, 1, 20)}
    pairs: list[int] = []
    real = torch.where

    def where(condition: torch.Tensor, *values: Any) -> torch.Tensor:
        pairs.append(condition.numel())
        return real(condition, *values)

    monkeypatch.setattr(exponential_average, "_FRAMES_AT_ONCE", 20)
    monkeypatch.setattr(torch, "where", where)
    for last, expected in whole.items():
        torch.testing.assert_close(exponential_averages(frames, decays, last=last), expected)
    assert max(pairs) <= 400


def test_long_pieces_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of more frames than are read at once, as the recipes train: the sums are of single precision."""
    monkeypatch.setattr(exponential_average, "_FRAMES_AT_ONCE", 20)
    frames = (torch.rand(2, 50, 7, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    expected = exponential_averages(frames, DECAYS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(exponential_averages(frames, DECAYS), expected)
