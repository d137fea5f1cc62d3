"""Attention of a decoder over every step of an encoder.

What an encoder remembers at its end is all that a decoder begins with, and early frames fade from it. With attention
the decoder looks at the encoder's outputs themselves, anew for every frame it writes.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Attention(nn.Module):
    """Scaled dot-product attention, whose answer is mixed with what the decoder said.

    For the decoder's output h and the encoder's outputs e_s (Luong, Pham and Manning, 2015,
    https://arxiv.org/abs/1508.04025: global attention, "general" score):

        w_s = softmax over s of (Q h) . e_s / sqrt(hidden),  c = sum of w_s e_s,  features = tanh(W [c; h])

    The division by sqrt(hidden) is that of Vaswani et al. (2017, https://arxiv.org/abs/1706.03762): without it the
    weights of a wide layer begin as all or nothing, where they learn slowly.

    Args:
        hidden: size of the outputs of both.
    """

    def __init__(self, hidden: int) -> None:
        """Builds both layers."""
        super().__init__()
        self.scale: float = 1 / math.sqrt(hidden)
        self.query: nn.Linear = nn.Linear(hidden, hidden, bias=False)
        self.combine: nn.Linear = nn.Linear(2 * hidden, hidden, bias=False)

    def forward(
        self, outputs: Float[Tensor, "batch target hidden"], encoded: Float[Tensor, "batch input hidden"]
    ) -> Float[Tensor, "batch target hidden"]:
        """The decoder's outputs, each mixed with what it looked at of the encoder's."""
        context = self.weights(outputs, encoded) @ encoded
        return torch.tanh(self.combine(torch.cat([context, outputs], dim=2)))

    def weights(
        self, outputs: Float[Tensor, "batch target hidden"], encoded: Float[Tensor, "batch input hidden"]
    ) -> Float[Tensor, "batch target input"]:
        """How much each of the decoder's outputs looks at each of the encoder's: shares that sum to one."""
        return torch.softmax(self.query(outputs) @ encoded.transpose(1, 2) * self.scale, dim=2)
