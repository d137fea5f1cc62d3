"""The encoder of the sequence-to-sequence models."""

from torch import Tensor, nn

from pianoroll_seq2seq.models.layers.conditioning import ConditionSequence
from pianoroll_seq2seq.models.layers.lstm_stack import LSTMStack
from pianoroll_seq2seq.models.layers.stepping import Memory


class Encoder(nn.Module):
    """A stack of LSTM layers over input frames and their conditions.

    Args:
        input_size: columns of a frame and of its condition.
        hidden_size: units of every layer.
        num_layers: number of layers.
        dropout: dropout probability between layers.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int, dropout: float) -> None:
        """Builds the layers."""
        super().__init__()
        self.lstm: LSTMStack = LSTMStack(input_size, hidden_size, num_layers, dropout)

    def forward(self, inputs: Tensor, conditions: ConditionSequence) -> tuple[Tensor, Memory]:
        """Outputs (batch, input_frames, hidden_size), and the memory of every layer after the last frame."""
        outputs, memory = self.lstm(conditions.concat_past(inputs))
        return outputs, memory


def decoder_memory(memory: Memory, num_layers: int) -> Memory:
    """The initial memory of a decoder's layers, each (layers, batch, hidden_size), from the encoder's.

    Each decoder layer starts from the encoder layer of the same number, counted from the top if the encoder has more
    layers. If it has fewer, the remaining decoder layers start from its last one.
    """
    hidden, cell = memory
    last = len(hidden) - 1
    unused = max(len(hidden) - num_layers, 0)
    layers = [min(unused + layer, last) for layer in range(num_layers)]
    return hidden[layers], cell[layers]
