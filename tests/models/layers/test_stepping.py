"""LSTM steps by each of the three ways, against ``torch.nn.LSTM``."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pianoroll_seq2seq.models.layers.lstm_stack import LSTMStack
from pianoroll_seq2seq.models.layers.stepping import CellStepper, FusedStepper, NumPyStepper, lstm_stepper

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


@given(
    batch=st.sampled_from([1, 2, 64, 65]), layers=st.integers(1, 3), hidden=st.integers(1, 9), inputs=st.integers(1, 9)
)
def test_step_by_step_gives_what_the_stack_gives(batch: int, layers: int, hidden: int, inputs: int) -> None:
    """A continuation would drift away from the model's distribution."""
    ours = stack(inputs, hidden, layers).eval()
    frames = (torch.rand(batch, 12, inputs) < 0.3).float()
    start = memory(ours, batch)
    with torch.no_grad():
        expected, _ = reference(ours)(frames, start)
        state = lstm_stepper(ours, start)
        for index in range(12):
            output, state = state.step(frames[:, index])
            torch.testing.assert_close(output, expected[:, index], rtol=1e-5, atol=1e-6)


def test_the_stepper_depends_on_the_batch_size() -> None:
    """A single continuation or a large batch would be slow."""
    ours = stack()
    with torch.no_grad():
        assert isinstance(lstm_stepper(ours, memory(ours, 1)), NumPyStepper)
        assert isinstance(lstm_stepper(ours, memory(ours, 2)), CellStepper)
        assert isinstance(lstm_stepper(ours, memory(ours, 65)), FusedStepper)
        assert isinstance(lstm_stepper(ours.double(), memory(ours, 1, torch.float64)), NumPyStepper)
        assert isinstance(lstm_stepper(ours.bfloat16(), memory(ours, 1, torch.bfloat16)), CellStepper)
    assert isinstance(lstm_stepper(ours, memory(ours, 1)), FusedStepper)  # gradients may be needed


@pytest.mark.parametrize("batch", [1, 3, 70])
def test_one_state_may_be_continued_twice(batch: int) -> None:
    """A beam search tries several next frames from one state."""
    ours = stack().eval()
    with torch.no_grad():
        state = lstm_stepper(ours, memory(ours, batch))
        ones, zeros = torch.ones(batch, 5), torch.zeros(batch, 5)
        first, after = state.step(ones)
        state.step(zeros)
        after.step(zeros)
        again, _ = state.step(ones)
    assert torch.equal(first, again)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_weights_are_shared_with_the_model(batch: int) -> None:
    """Copies would take memory twice, and go stale with further training."""
    ours = stack().eval()
    with torch.no_grad():
        state = lstm_stepper(ours, memory(ours, batch))
    first = state.weights[0][0]  # type: ignore[attr-defined]
    pointer = first.data_ptr() if isinstance(first, Tensor) else first.__array_interface__["data"][0]
    assert pointer == ours.weight_ih_l0.data_ptr()


def test_gradients_flow_through_single_steps() -> None:
    """Training frame by frame would raise an error, or have no gradient."""
    ours = stack()
    output, state = lstm_stepper(ours, memory(ours, 1)).step(torch.ones(1, 5))
    output, _ = state.step(torch.ones(1, 5))
    output.sum().backward()  # type: ignore[no-untyped-call]
    assert ours.weight_hh_l0.grad is not None
    assert ours.weight_hh_l0.grad.abs().sum() > 0
