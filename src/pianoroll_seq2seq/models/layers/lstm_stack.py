"""``torch.nn.LSTM`` with dropout that is faster to train on a CPU."""

import torch
from torch import Tensor, nn

from pianoroll_seq2seq.models.layers.dropout import Dropout
from pianoroll_seq2seq.models.layers.stepping import Memory


class LSTMStack(nn.LSTM):
    """Layers of LSTM over (batch, frames, inputs), with the parameters and results of ``torch.nn.LSTM``.

    In training with dropout on a CPU the layers run one after another, with masks between them that are cheap to
    sample.

    Args:
        input_size: size of an input.
        hidden_size: units of every layer.
        num_layers: number of layers.
        dropout: dropout probability between layers, 0 <= dropout < 1.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int, dropout: float = 0.0) -> None:
        """Builds the layers."""
        # PyTorch warns about dropout with a single layer.
        dropout = dropout if num_layers > 1 else 0.0
        super().__init__(input_size, hidden_size, num_layers, batch_first=True, dropout=dropout)
        self.between: Dropout = Dropout(self.dropout)

    def forward(self, frames: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:  # type: ignore[override]
        """Outputs of the last layer, (batch, frames, hidden), and the memory of all layers at the end."""
        if frames.device.type == "cpu" and self.training and self.dropout:
            return self._by_layers(frames, memory)
        outputs, memory = super().forward(frames, memory)
        return outputs, memory

    def _by_layers(self, frames: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        hidden, cell = memory or self._zero_memory(frames)
        ends = []
        for layer in range(self.num_layers):
            inputs = self.between(frames) if layer else frames
            start = [hidden[layer : layer + 1], cell[layer : layer + 1]]
            frames, *end = torch._VF.lstm(inputs, start, [*self.all_weights[layer]], True, 1, 0.0, True, False, True)
            ends.append(end)
        return frames, (torch.cat([end[0] for end in ends]), torch.cat([end[1] for end in ends]))

    def _zero_memory(self, frames: Tensor) -> Memory:
        zeros = frames.new_zeros(self.num_layers, len(frames), self.hidden_size)
        return zeros, zeros
