"""Masks that are cheap to sample: their probability, and dropout by them."""

import numpy as np
import pytest
import torch

from pianoroll_seq2seq.models.layers.dropout import Dropout, bernoulli_mask

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("p", [0.003, 0.25, 0.3, 0.5, 0.9])
def test_masks_have_the_probability_and_are_independent(p: float) -> None:
    """More or fewer units would be dropped, or neighbouring ones together."""
    torch.manual_seed(0)
    mask = bernoulli_mask(torch.Size([400, 1000]), p, torch.device("cpu"))
    error = (p * (1 - p) / mask.numel()) ** 0.5
    assert abs(float(mask.float().mean()) - p) < 4 * error + 1 / 65536
    numbers = mask.float().numpy().ravel()
    for distance in (1, 2, 3, 4, 8):
        assert abs(np.corrcoef(numbers[:-distance], numbers[distance:])[0, 1]) < 0.01


@pytest.mark.parametrize(("p", "none"), [(0.0, True), (1e-9, True), (0.999_999, False)])
def test_probabilities_near_0_and_1(p: float, none: bool) -> None:
    """They would wrap around to their opposites."""
    mask = bernoulli_mask(torch.Size([1000]), p, torch.device("cpu"))
    assert bool(mask.any()) is not none


@pytest.mark.parametrize("shape", [(0,), (1,), (3,), (2, 3, 5)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    """Sizes that are no multiple of four would fail."""
    assert bernoulli_mask(torch.Size(shape), 0.5, torch.device("cpu")).shape == shape


def test_dropout_keeps_the_mean() -> None:
    """Activations would be larger in training than in evaluation."""
    torch.manual_seed(0)
    layer = Dropout(0.3).train()
    values = torch.ones(300, 1000, requires_grad=True)
    dropped = layer(values)
    assert float(dropped.detach().mean()) == pytest.approx(1.0, abs=0.01)
    assert sorted(dropped.detach().unique().tolist()) == pytest.approx([0.0, 1 / 0.7], rel=1e-4)
    dropped.sum().backward()
    assert torch.equal(values.grad, dropped.detach())
    assert layer.eval()(values) is values
    assert Dropout(0.0).train()(values) is values
    assert layer.train()(values.bfloat16()).dtype == torch.bfloat16
