"""``torch.nn.LSTM``, by quicker ways to the same results."""

import torch
from torch import Tensor, nn

from pianoroll_seq2seq.models.dropout import Dropout

Memory = tuple[Tensor, Tensor]
"""Hidden and cell state of a stack of LSTM layers, each (layers, batch, hidden)."""

_MOST_BY_CELLS = 16
"""Up to this batch, on a CPU, cells are quicker for a single step than the fused layer (benchmarks/generate.py)."""


class LSTMStack(nn.LSTM):
    """Layers of LSTM over (batch, frames, inputs), with the parameters and results of ``torch.nn.LSTM``.

    On a CPU it takes two other ways where they are quicker: in training with dropout one layer after another, with
    masks that are cheap to draw; and for a single frame of a small batch, where ``torch.nn.LSTM`` spends most of
    its time on preparations, one cell after another.

    Args:
        inputs: size of a frame.
        hidden: units of every layer.
        layers: how many.
        dropout: share of units silenced between layers in training, 0 <= dropout < 1.
    """

    def __init__(self, inputs: int, hidden: int, layers: int, dropout: float = 0.0) -> None:
        """Builds the layers."""
        # PyTorch warns of dropout where there is a single layer and nothing between.
        super().__init__(inputs, hidden, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.between = Dropout(self.dropout)

    def forward(self, frames: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:  # type: ignore[override]
        """Outputs of the last layer, (batch, frames, hidden), and the memory of all layers at the end."""
        if frames.device.type == "cpu":
            if self.training and self.dropout:
                return self._by_layers(frames, memory)
            if frames.shape[1] == 1 and len(frames) <= _MOST_BY_CELLS and not torch.is_grad_enabled():
                return self._by_cells(frames, memory or self._silence(frames))
        outputs, memory = super().forward(frames, memory)
        return outputs, memory

    def _by_layers(self, frames: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        hidden, cell = memory or self._silence(frames)
        ends = []
        for layer in range(self.num_layers):
            inputs = self.between(frames) if layer else frames
            start = [hidden[layer : layer + 1], cell[layer : layer + 1]]
            frames, *end = torch._VF.lstm(inputs, start, self._weights(layer), True, 1, 0.0, True, False, True)
            ends.append(end)
        return frames, (torch.cat([end[0] for end in ends]), torch.cat([end[1] for end in ends]))

    def _by_cells(self, frames: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        output = frames[:, 0]
        hidden, cell = [], []
        for layer in range(self.num_layers):
            state = (memory[0][layer], memory[1][layer])
            output, inner = torch._VF.lstm_cell(output, state, *self._weights(layer))
            hidden.append(output)
            cell.append(inner)
        return output.unsqueeze(1), (torch.stack(hidden), torch.stack(cell))

    def _weights(self, layer: int) -> list[Tensor]:
        weights: list[Tensor] = self._flat_weights[4 * layer : 4 * layer + 4]  # type: ignore[assignment]
        return weights

    def _silence(self, frames: Tensor) -> Memory:
        zeros = frames.new_zeros(self.num_layers, len(frames), self.hidden_size)
        return zeros, zeros
