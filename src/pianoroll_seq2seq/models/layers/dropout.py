"""Dropout with masks that are cheap to sample on a CPU.

PyTorch samples a double for every unit, which takes a fifth of a training step of the 2017 model in bfloat16. Sixteen
bits are enough for a mask.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

_STEPS = 2**16


def bernoulli_mask(shape: torch.Size, p: float, device: torch.device) -> Tensor:
    """Booleans of a shape, each true with probability ``p``; on a CPU to the nearest 1/65536.

    Sampled from PyTorch's default generator of the device.
    """
    if device.type != "cpu":
        return torch.rand(shape, device=device) < p
    count = shape.numel()
    words = torch.empty(-(-count // 4), dtype=torch.int64).random_(torch.iinfo(torch.int64).min, None)
    # Probabilities that round to 0 or 1 have no threshold in 16 bits: take the nearest one.
    threshold = min(max(round(p * _STEPS), 0), _STEPS - 1) - _STEPS // 2
    return (words.view(torch.int16)[:count] < threshold).view(shape)


class Dropout(nn.Module):
    """Like ``torch.nn.Dropout``.

    Args:
        p: probability of a unit to be zeroed, 0 <= p < 1; on a CPU to the nearest 1/65536.
    """

    def __init__(self, p: float) -> None:
        """Stores the probability."""
        super().__init__()
        self.p = p

    def forward(self, values: Tensor) -> Tensor:
        """Values of the same shape."""
        if not self.training or self.p == 0:
            return values
        if values.device.type != "cpu":
            return functional.dropout(values, self.p, training=True)
        p = round(self.p * _STEPS) / _STEPS
        kept = ~bernoulli_mask(values.shape, p, values.device)
        return values * kept.to(values.dtype).mul_(1 / (1 - p))
