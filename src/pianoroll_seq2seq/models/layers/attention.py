"""Attention of a decoder over the outputs of an encoder.

Without attention a decoder knows the input only through the encoder's final state, from which early frames fade. With
attention it reads all outputs of the encoder, with new weights for every frame that it writes.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Attention(nn.Module):
    """Scaled dot-product attention whose result is combined with the decoder's output.

    For the decoder's output h and the encoder's outputs e_s (Luong, Pham and Manning, 2015,
    https://arxiv.org/abs/1508.04025: global attention, "general" score):

        w_s = softmax over s of (Q h) . e_s / sqrt(hidden),  c = sum of w_s e_s,  features = tanh(W [c; h])

    The division by sqrt(hidden) is that of Vaswani et al. (2017, https://arxiv.org/abs/1706.03762): without it the
    weights of a wide layer begin as all or nothing, where they learn slowly.

    Args:
        hidden_size: size of the outputs of both.
    """

    def __init__(self, hidden_size: int) -> None:
        """Builds the layers."""
        super().__init__()
        self.scale: float = 1 / math.sqrt(hidden_size)
        self.query: nn.Linear = nn.Linear(hidden_size, hidden_size, bias=False)
        self.combine: nn.Linear = nn.Linear(2 * hidden_size, hidden_size, bias=False)

    def forward(
        self, outputs: Float[Tensor, "batch target hidden"], encoded: Float[Tensor, "batch input hidden"]
    ) -> Float[Tensor, "batch target hidden"]:
        """The decoder's outputs, each combined with its context vector."""
        context = self.weights(outputs, encoded) @ encoded
        return torch.tanh(self.combine(torch.cat([context, outputs], dim=2)))

    def weights(
        self, outputs: Float[Tensor, "batch target hidden"], encoded: Float[Tensor, "batch input hidden"]
    ) -> Float[Tensor, "batch target input"]:
        """The attention weights of each decoder step over the encoder's steps. They sum to one."""
        return torch.softmax(self.query(outputs) @ encoded.transpose(1, 2) * self.scale, dim=2)
