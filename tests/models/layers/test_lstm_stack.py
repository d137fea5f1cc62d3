"""The LSTM stack with its own dropout, against ``torch.nn.LSTM``."""

from typing import Any

import torch
from torch import Tensor, nn

from pianoroll_seq2seq.models.layers.lstm_stack import LSTMStack


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


def test_layers_one_by_one_equal_the_fused_stack() -> None:
    """With dropout another model would be trained than the one that generates."""
    ours = stack(layers=3, dropout=1e-9).train()  # too little to drop anything
    frames = torch.rand(4, 6, 5)
    for start in (None, memory(ours, 4)):
        found, (hidden, cell) = ours(frames, start)
        expected, (expected_hidden, expected_cell) = reference(ours)(frames, start)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(hidden, expected_hidden)
        torch.testing.assert_close(cell, expected_cell)


def test_dropout_acts_between_the_layers_only() -> None:
    """The inputs of the first layer or the outputs of the last would be dropped too, or nothing."""
    ours = stack(layers=2, dropout=0.5).train()
    frames = torch.rand(4, 6, 5)
    first, _ = ours(frames)
    second, _ = ours(frames)
    assert not torch.equal(first, second)
    assert (first != 0).all()
    assert torch.equal(ours.eval()(frames)[0], ours(frames)[0])
    lone = stack(layers=1, dropout=0.5).train()
    assert torch.equal(lone(frames)[0], lone(frames)[0])
