"""What models over whole pieces read of the past: all at once, and frame by frame."""

import math

import pytest
import torch

from pianoroll_seq2seq import FrameLayout, Part, PitchRange
from pianoroll_seq2seq.models.layers.past_features import PastFeatures

PARTS = FrameLayout(
    parts=(Part("high", pitches=PitchRange(60, 64)), Part("low", pitches=PitchRange(50, 53))),
    planes=("active", "onset"),
)


def music(size: int) -> torch.Tensor:
    drawn = (torch.rand(2, 20, size, generator=torch.Generator().manual_seed(0)) < 0.3).double()
    drawn[:, 5:9] = drawn[:, 5:6]
    return drawn


@pytest.mark.parametrize("layout", [13, PARTS])
def test_all_at_once_and_frame_by_frame_agree(layout: FrameLayout | int) -> None:
    features = PastFeatures(layout).double()
    frames = music(13 if isinstance(layout, int) else layout.frame_size)
    whole = features(frames, frames)
    assert whole.shape == (2, 21, features.size)
    past = features.start(frames[:, :0])
    for frame in range(20):
        torch.testing.assert_close(features.step(past)[:, 0], whole[:, frame])
        past = features.after(frames[:, frame], past)
    torch.testing.assert_close(features.step(past)[:, 0], whole[:, 20])
    torch.testing.assert_close(features.step(features.start(frames[:, :7]))[:, 0], whole[:, 7])


def test_repeats_are_counted_for_all_columns_and_for_each_part() -> None:
    features, frames = PastFeatures(PARTS).double(), torch.zeros(1, 4, PARTS.frame_size).double()
    frames[0, :, 0] = 1  # the upper part stays
    frames[0, [0, 1, 2, 3], [5, 5, 6, 6]] = 1
    clock = 23
    counted = features(frames, frames)[0, 1:, -clock - 3 : -clock]
    expected = torch.tensor([[1, 1, 1], [2, 2, 2], [1, 3, 1], [2, 4, 2]]).double()
    torch.testing.assert_close(counted, (1 + expected).log() / 2)


def test_the_clock_counts_frames_in_cycles() -> None:
    features, frames = PastFeatures(3).double(), torch.zeros(1, 40, 3).double()
    clock = features(frames, frames)[0, :, -23:]
    assert clock[7, -1].item() == pytest.approx(math.log(8) / 4)
    torch.testing.assert_close(clock[3, 6], clock[19, 6])  # the phase of 16 frames
    assert not torch.allclose(clock[3, 6], clock[11, 6])
