"""One frame at a time through a stack of LSTM layers, by whichever way is quickest for its size.

``torch.nn.LSTM`` called for a single frame spends most of its time on preparations. On a CPU PyTorch's cell takes a
third of that for a small batch, and for a single continuation NumPy's product of matrix and vector halves it again
(``benchmarks/generate.py`` measures all three). They share the weights with the stack and agree to float32's rounding.
A state is a value: two continuations may go on from one.
"""

from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

Memory: TypeAlias = tuple[Tensor, Tensor]
"""Hidden and cell state of a stack of LSTM layers, each (layers, batch, hidden)."""

_MOST_BY_CELLS = 64
"""From the next batch on the fused layers are as quick as cells, or quicker."""


@runtime_checkable
class Stepping(Protocol):
    """The memory of a stack between two frames, and how to go on from it."""

    def step(self, frames: Tensor) -> "tuple[Tensor, Stepping]":
        """Hears one frame (batch, inputs); returns the last layer's output (batch, hidden) and the memory after it."""
        ...


def stepping(stack: nn.LSTM, memory: Memory) -> Stepping:
    """The quickest way to go on from a memory, frame by frame."""
    hidden, cell = memory
    batch = hidden.shape[1]
    if hidden.device.type != "cpu" or batch > _MOST_BY_CELLS or torch.is_grad_enabled():
        return Fused(stack, memory)
    weights: list[list[Tensor]] = [[*layer] for layer in stack.all_weights]
    if batch == 1 and hidden.dtype in (torch.float32, torch.float64):
        return Single.of(weights, hidden[:, 0].numpy(), cell[:, 0].numpy())
    return Cells(tuple(map(tuple, weights)), tuple(zip(hidden, cell, strict=True)))


@dataclass(frozen=True)
class Fused:
    """By ``torch.nn.LSTM`` itself: on a GPU, for many continuations, and where gradients are wanted."""

    stack: nn.LSTM
    memory: Memory

    def step(self, frames: Tensor) -> "tuple[Tensor, Fused]":
        """See :class:`Stepping`."""
        outputs, memory = self.stack(frames.unsqueeze(1), self.memory)
        return outputs[:, 0], Fused(self.stack, memory)


@dataclass(frozen=True)
class Cells:
    """By PyTorch's cell, one layer after another."""

    weights: tuple[tuple[Tensor, ...], ...]
    layers: tuple[tuple[Tensor, Tensor], ...]

    def step(self, frames: Tensor) -> "tuple[Tensor, Cells]":
        """See :class:`Stepping`."""
        layers = []
        for weights, memory in zip(self.weights, self.layers, strict=True):
            frames, cell = torch.lstm_cell(frames, memory, *weights)
            layers.append((frames, cell))
        return frames, Cells(self.weights, tuple(layers))


@dataclass(frozen=True)
class Single:
    """By NumPy, for one continuation.

    A cell's gates are sigmoids but for the third, and sigmoid(x) = (1 + tanh(x / 2)) / 2: one call gives all four.
    """

    weights: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]
    scale: np.ndarray
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]

    @classmethod
    def of(cls, weights: list[list[Tensor]], hidden: np.ndarray, cell: np.ndarray) -> "Single":
        """With views of the weights."""
        views = tuple((w.detach().numpy(), u.detach().numpy(), (b + c).detach().numpy()) for w, u, b, c in weights)
        size = hidden.shape[1]
        scale = np.full(4 * size, 0.5, dtype=hidden.dtype)
        scale[2 * size : 3 * size] = 1.0
        return cls(views, scale, tuple(zip(hidden, cell, strict=True)))

    def step(self, frames: Tensor) -> "tuple[Tensor, Single]":
        """See :class:`Stepping`."""
        output = frames[0].numpy()
        size = len(self.scale) // 4
        layers = []
        for (of_input, of_hidden, bias), (hidden, before) in zip(self.weights, self.layers, strict=True):
            gates = of_input @ output
            gates += of_hidden @ hidden
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
        return torch.from_numpy(output).unsqueeze(0), Single(self.weights, self.scale, tuple(layers))
