"""One step at a time through a stack of LSTM layers, by the fastest way for the batch size.

``torch.nn.LSTM`` has a large overhead for a single step. On a CPU PyTorch's cell takes a third of that time for a small
batch, and NumPy's matrix-vector product halves it again for batch size 1 (``benchmarks/generate.py`` measures all
three). All share the weights of the stack and agree up to float32 rounding. A state is a value: two continuations may
start from the same one.
"""

from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

Memory: TypeAlias = tuple[Tensor, Tensor]
"""Hidden and cell state of a stack of LSTM layers, each (layers, batch, hidden)."""

_MOST_BY_CELLS = 64
"""The largest batch for which cells are faster than the fused layers."""


@runtime_checkable
class LSTMStepper(Protocol):
    """The memory of a stack between two steps, with a method for the next step."""

    def step(self, inputs: Tensor) -> "tuple[Tensor, LSTMStepper]":
        """One step for inputs (batch, input_size): the last layer's output (batch, hidden), and the next stepper."""
        ...


def lstm_stepper(stack: nn.LSTM, memory: Memory) -> LSTMStepper:
    """The fastest stepper for a memory, by device and batch size."""
    hidden, cell = memory
    batch = hidden.shape[1]
    if hidden.device.type != "cpu" or batch > _MOST_BY_CELLS or torch.is_grad_enabled():
        return FusedStepper(stack, memory)
    weights: list[list[Tensor]] = [[*layer] for layer in stack.all_weights]
    if batch == 1 and hidden.dtype in (torch.float32, torch.float64):
        return NumPyStepper.of(weights, hidden[:, 0].numpy(), cell[:, 0].numpy())
    return CellStepper(tuple(map(tuple, weights)), tuple(zip(hidden, cell, strict=True)))


@dataclass(frozen=True)
class FusedStepper:
    """Steps by ``torch.nn.LSTM``: on a GPU, for large batches, and with gradients."""

    stack: nn.LSTM
    memory: Memory

    def step(self, inputs: Tensor) -> "tuple[Tensor, FusedStepper]":
        """See :class:`LSTMStepper`."""
        outputs, memory = self.stack(inputs.unsqueeze(1), self.memory)
        return outputs[:, 0], FusedStepper(self.stack, memory)


@dataclass(frozen=True)
class CellStepper:
    """Steps by PyTorch's LSTM cell, one layer after another."""

    weights: tuple[tuple[Tensor, ...], ...]
    layers: tuple[tuple[Tensor, Tensor], ...]

    def step(self, inputs: Tensor) -> "tuple[Tensor, CellStepper]":
        """See :class:`LSTMStepper`."""
        layers = []
        for weights, memory in zip(self.weights, self.layers, strict=True):
            inputs, cell = torch.lstm_cell(inputs, memory, *weights)
            layers.append((inputs, cell))
        return inputs, CellStepper(self.weights, tuple(layers))


@dataclass(frozen=True)
class NumPyStepper:
    """Steps by NumPy, for batch size 1.

    A cell's gates are sigmoids but for the third, and sigmoid(x) = (1 + tanh(x / 2)) / 2: one call gives all four.
    """

    weights: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]
    scale: np.ndarray
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]

    @classmethod
    def of(cls, weights: list[list[Tensor]], hidden: np.ndarray, cell: np.ndarray) -> "NumPyStepper":
        """A stepper with views of the weights."""
        views = tuple((w.detach().numpy(), u.detach().numpy(), (b + c).detach().numpy()) for w, u, b, c in weights)
        size = hidden.shape[1]
        scale = np.full(4 * size, 0.5, dtype=hidden.dtype)
        scale[2 * size : 3 * size] = 1.0
        return cls(views, scale, tuple(zip(hidden, cell, strict=True)))

    def step(self, inputs: Tensor) -> "tuple[Tensor, NumPyStepper]":
        """See :class:`LSTMStepper`."""
        output = inputs[0].numpy()
        size = len(self.scale) // 4
        layers = []
        for (input_weights, hidden_weights, bias), (hidden, before) in zip(self.weights, self.layers, strict=True):
            gates = input_weights @ output
            gates += hidden_weights @ hidden
            gates += bias
            gates *= self.scale
            np.tanh(gates, out=gates)
            shares = gates * 0.5
            shares += 0.5
            cell = shares[size : 2 * size] * before
            cell += shares[:size] * gates[2 * size : 3 * size]
            output = np.tanh(cell)
            output *= shares[3 * size :]
            layers.append((output, cell))
        return torch.from_numpy(output).unsqueeze(0), NumPyStepper(self.weights, self.scale, tuple(layers))
