"""Given cells of heads that decide binary variables: special cases. tests/contracts holds what every head promises."""

import itertools
from typing import Any

import pytest
import torch

from pianoroll_seq2seq import FrameLayout, Part, PitchRange
from pianoroll_seq2seq.models.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.models.heads.relative_window import RelativeWindowHead

LAYOUT = FrameLayout(
    planes=("active", "onset"),
    parts=(Part("high", pitches=PitchRange(60, 67)), Part("low", pitches=PitchRange(50, 57))),
)


def head_of(layout: FrameLayout | int, **settings: Any) -> RelativeWindowHead:
    torch.manual_seed(0)
    head = RelativeWindowHead(6, layout, channels=8, window=4, num_frames=2, **settings).eval()
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return head


def test_half_precision_holds_what_is_certain() -> None:
    """Log-odds beyond the largest half-precision number would be infinite, and the loss not a number."""
    frames = torch.tensor([1.0, 0.0, 1.0])
    cells = torch.tensor([True, True, False])
    given = Bernoulli(torch.zeros(3, dtype=torch.float16)).given(frames, cells)
    assert float(given.log_prob(frames)) == pytest.approx(-0.6931, abs=1e-3)


def test_given_columns_may_be_outside_of_those_that_a_head_decides() -> None:
    head = head_of(8, active_columns=(2, 6))
    frames = torch.ones(2, 1, 8)
    cells = torch.tensor([True, False])[:, None, None].expand(2, 1, 8)
    free = head(torch.zeros(2, 1, 6), torch.zeros(2, 1, 8))
    given = free.given(frames, cells)
    assert given.log_prob(frames)[0] == 0
    torch.testing.assert_close(given.log_prob(frames)[1], free.log_prob(frames)[1])
    assert torch.equal(given.sample(generator=torch.Generator().manual_seed(0))[0], frames[0])
    assert torch.equal(given.mean[0], frames[0])


@pytest.mark.parametrize("max_polyphony", [0, 3])
def test_a_subsampled_loss_of_what_is_not_given_is_unbiased(max_polyphony: int) -> None:
    head = head_of(LAYOUT, num_scored_pitches=8, max_polyphony=max_polyphony)
    features = torch.randn(2, 2, 6)
    planes = (torch.rand(2, 2, 2, 16) < 0.3).float()
    frames = torch.cat([planes[:, :, 0], planes[:, :, 0] * planes[:, :, 1]], dim=2)
    past = torch.ones(2, 2, 32)  # every pitch can be held
    cells = torch.tensor([True] * 8 + [False] * 8).repeat(2).expand(2, 2, 32).clone()
    cells[1] = ~cells[1]
    with torch.no_grad():
        exact = head(features, past).given(frames, cells).log_prob(frames)
        head.train()
        many = [values.repeat(800, 1, 1) for values in (features, past, frames, cells)]
        estimates = head(*many[:2]).given(*many[2:]).log_prob(many[2]).view(800, 2, 2)
    error = estimates.std(dim=0) / 800**0.5
    assert error.max() > 0
    assert ((estimates.mean(dim=0) - exact).abs() < 5 * error + 1e-4).all()


@pytest.mark.parametrize("sounding", [0, 2, 3])
@pytest.mark.parametrize("max_polyphony", [1, 2, 5])
def test_the_number_of_pitches_is_one_that_the_given_ones_allow(sounding: int, max_polyphony: int) -> None:
    """If the given part sounded more pitches than the number, all others would be silent, or no frame possible."""
    parts = (Part("high", pitches=PitchRange(60, 61)), Part("low", pitches=PitchRange(50, 52)))
    head = head_of(FrameLayout(planes=("active",), parts=parts), max_polyphony=max_polyphony)
    frames = torch.zeros(4, 1, 5)
    frames[:, 0, :2] = torch.tensor(list(itertools.product((0.0, 1.0), repeat=2)))
    frames[..., 2 : 2 + sounding] = 1
    cells = torch.tensor([False] * 2 + [True] * 3).expand(4, 1, 5)
    given = head(torch.ones(4, 1, 6), torch.zeros(4, 1, 5)).given(frames, cells)
    chances = given.log_prob(frames).exp()
    assert chances.min() > 0
    assert float(chances.detach().sum()) == pytest.approx(1.0, abs=1e-5)
    torch.testing.assert_close(given.mean, (chances[:, None] * frames).sum(dim=0).expand(4, 1, 5), rtol=0, atol=1e-5)
