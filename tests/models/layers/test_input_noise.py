"""Wrong notes in what a model reads: consistent over the planes."""

import pytest
import torch
from torch import Tensor

from pianoroll_seq2seq import FrameLayout, Part, PitchRange
from pianoroll_seq2seq.models.layers.input_noise import add_input_noise, flip_notes
from pianoroll_seq2seq.models.note_columns import note_columns

PARTS = (Part("high", pitches=PitchRange(60, 79)), Part("low", pitches=PitchRange(40, 59)))
PLANES = ("active", "onset", "velocity")


def music(num_planes: int, frames: int = 200) -> tuple[FrameLayout, Tensor]:
    layout = FrameLayout(planes=PLANES[:num_planes], parts=PARTS)
    generator = torch.Generator().manual_seed(0)
    active = torch.rand(2, frames, 40, generator=generator) < 0.2
    onset = active & (torch.rand(active.shape, generator=generator) < 0.5)
    velocity = onset * torch.randint(1, 128, active.shape, generator=generator) / 127
    return layout, torch.cat([active.float(), onset.float(), velocity][:num_planes], dim=2)


@pytest.mark.parametrize("num_planes", [1, 2, 3])
def test_no_velocity_without_onset_and_no_onset_without_note(num_planes: int) -> None:
    """A model would learn from frames that no roll has."""
    layout, frames = music(num_planes)
    torch.manual_seed(0)
    noisy = add_input_noise(frames, 0.1, note_columns(layout), training=True)
    planes = noisy.chunk(num_planes, dim=2)
    assert 0.08 < float((planes[0] != frames[..., :40]).float().mean()) < 0.12
    assert set(noisy[..., : 40 * min(2, num_planes)].unique().tolist()) == {0.0, 1.0}
    if num_planes > 1:
        assert not ((planes[1] > 0) & (planes[0] == 0)).any()
        assert (planes[1] != frames[..., 40:80]).any()
    if num_planes > 2:
        assert torch.equal(planes[2] > 0, planes[1] > 0)
        kept = (planes[1] > 0) & (frames[..., 40:80] > 0)
        assert torch.equal(planes[2][kept], frames[..., 80:][kept])
        steps = planes[2] * 127
        torch.testing.assert_close(steps, steps.round(), atol=1e-4, rtol=0)


def test_acts_in_training_only() -> None:
    layout, frames = music(3)
    assert torch.equal(add_input_noise(frames, 0.3, note_columns(layout), training=False), frames)
    assert torch.equal(add_input_noise(frames, 0.0, note_columns(layout), training=True), frames)


def test_only_chosen_cells_change() -> None:
    layout, frames = music(3)
    flipped = torch.zeros(2, 200, 40, dtype=torch.bool)
    flipped[0, 5, 7] = True
    noisy = flip_notes(frames, flipped, note_columns(layout))
    changed = (noisy != frames).any(dim=2).nonzero().tolist()
    assert changed == [[0, 5]]
    assert noisy[0, 5, 7] == 1 - frames[0, 5, 7]
