"""The quicker ways of the models against PyTorch's own."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pianoroll_seq2seq.dropout import Dropout, chosen
from pianoroll_seq2seq.models.lstm_stack import LSTMStack
from pianoroll_seq2seq.models.stepping import Cells, Fused, Single, stepping

pytestmark = pytest.mark.usefixtures("one_thread")


def stack(inputs: int = 5, hidden: int = 4, layers: int = 2, **changes: Any) -> LSTMStack:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return LSTMStack(inputs, hidden, layers, **changes)


def reference(ours: LSTMStack) -> nn.LSTM:
    theirs = nn.LSTM(ours.input_size, ours.hidden_size, ours.num_layers, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    return theirs


def memory(ours: LSTMStack, batch: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    shape = (ours.num_layers, batch, ours.hidden_size)
    return torch.randn(shape, dtype=dtype), torch.randn(shape, dtype=dtype)


@settings(deadline=None, max_examples=40)
@given(
    batch=st.sampled_from([1, 2, 64, 65]), layers=st.integers(1, 3), hidden=st.integers(1, 9), inputs=st.integers(1, 9)
)
def test_frame_by_frame_is_the_same_as_all_at_once(batch: int, layers: int, hidden: int, inputs: int) -> None:
    """A continuation drifts away from what the model would have said."""
    ours = stack(inputs, hidden, layers).eval()
    frames = (torch.rand(batch, 12, inputs) < 0.3).float()
    start = memory(ours, batch)
    with torch.no_grad():
        expected, _ = reference(ours)(frames, start)
        state = stepping(ours, start)
        for index in range(12):
            output, state = state.step(frames[:, index])
            torch.testing.assert_close(output, expected[:, index], rtol=1e-5, atol=1e-6)


def test_the_way_follows_from_the_size() -> None:
    """A single continuation goes the slow way, or a large batch does."""
    ours = stack()
    with torch.no_grad():
        assert isinstance(stepping(ours, memory(ours, 1)), Single)
        assert isinstance(stepping(ours, memory(ours, 2)), Cells)
        assert isinstance(stepping(ours, memory(ours, 65)), Fused)
        assert isinstance(stepping(ours.double(), memory(ours, 1, torch.float64)), Single)
        assert isinstance(stepping(ours.bfloat16(), memory(ours, 1, torch.bfloat16)), Cells)
    assert isinstance(stepping(ours, memory(ours, 1)), Fused)  # gradients may be wanted


@pytest.mark.parametrize("batch", [1, 3, 70])
def test_two_continuations_go_on_from_one_state(batch: int) -> None:
    """Trying one frame changes what comes after another."""
    ours = stack().eval()
    with torch.no_grad():
        state = stepping(ours, memory(ours, batch))
        ones, zeros = torch.ones(batch, 5), torch.zeros(batch, 5)
        first, after = state.step(ones)
        state.step(zeros)
        after.step(zeros)
        again, _ = state.step(ones)
    assert torch.equal(first, again)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_weights_are_those_of_the_model(batch: int) -> None:
    """Cells keep weights of their own: memory twice, and another model after further training."""
    ours = stack().eval()
    with torch.no_grad():
        state = stepping(ours, memory(ours, batch))
    first = state.weights[0][0]  # type: ignore[attr-defined]
    pointer = first.data_ptr() if isinstance(first, Tensor) else first.__array_interface__["data"][0]
    assert pointer == ours.weight_ih_l0.data_ptr()


def test_gradients_flow_through_single_steps() -> None:
    """Whoever trains frame by frame gets an error, or no gradient."""
    ours = stack()
    output, state = stepping(ours, memory(ours, 1)).step(torch.ones(1, 5))
    output, _ = state.step(torch.ones(1, 5))
    output.sum().backward()  # type: ignore[no-untyped-call]
    assert ours.weight_hh_l0.grad is not None
    assert ours.weight_hh_l0.grad.abs().sum() > 0


def test_layers_one_by_one_are_the_same_stack() -> None:
    """With dropout another model is trained than the one that generates: layers in another order, say."""
    ours = stack(layers=3, dropout=1e-9).train()  # so little that nothing is dropped
    frames = torch.rand(4, 6, 5)
    for start in (None, memory(ours, 4)):
        found, (hidden, cell) = ours(frames, start)
        expected, (expected_hidden, expected_cell) = reference(ours)(frames, start)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(hidden, expected_hidden)
        torch.testing.assert_close(cell, expected_cell)


def test_dropout_is_between_the_layers_only() -> None:
    """What the first layer hears, or what the last says, is silenced too; or nothing is."""
    ours = stack(layers=2, dropout=0.5).train()
    frames = torch.rand(4, 6, 5)
    first, _ = ours(frames)
    second, _ = ours(frames)
    assert not torch.equal(first, second)
    assert (first != 0).all()
    assert torch.equal(ours.eval()(frames)[0], ours(frames)[0])
    lone = stack(layers=1, dropout=0.5).train()
    assert torch.equal(lone(frames)[0], lone(frames)[0])


@pytest.mark.parametrize("share", [0.003, 0.25, 0.3, 0.5, 0.9])
def test_as_many_are_chosen_as_asked_for(share: float) -> None:
    """More or fewer units are silenced than asked for, or neighbours share a fate."""
    torch.manual_seed(0)
    picked = chosen(torch.Size([400, 1000]), share, torch.device("cpu"))
    error = (share * (1 - share) / picked.numel()) ** 0.5
    assert abs(float(picked.float().mean()) - share) < 4 * error + 1 / 65536
    numbers = picked.float().numpy().ravel()
    for distance in (1, 2, 3, 4, 8):
        assert abs(np.corrcoef(numbers[:-distance], numbers[distance:])[0, 1]) < 0.01


@pytest.mark.parametrize(("share", "none"), [(0.0, True), (1e-9, True), (0.999_999, False)])
def test_shares_at_the_ends(share: float, none: bool) -> None:
    """A share close to 0 or 1 wraps around to its opposite."""
    picked = chosen(torch.Size([1000]), share, torch.device("cpu"))
    assert bool(picked.any()) is not none


@pytest.mark.parametrize("shape", [(0,), (1,), (3,), (2, 3, 5)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    """Sizes that are no multiple of four fail."""
    assert chosen(torch.Size(shape), 0.5, torch.device("cpu")).shape == shape


def test_dropout_keeps_the_mean() -> None:
    """Activations are larger in training than afterwards."""
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
