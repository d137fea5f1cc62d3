"""Dropout whose masks are cheap on a CPU.

PyTorch draws a double for every unit; that is a fifth of a training step of the 2017 model in bfloat16. A quarter of a
64-bit word decides as well.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

_SHARES = 2**16


def chosen(shape: torch.Size, share: float, device: torch.device) -> Tensor:
    """Booleans of a shape, each true with a probability of ``share`` to the nearest 1/65536, on a CPU.

    On other devices the share is exact. Drawn from PyTorch's default generator of the device.
    """
    if device.type != "cpu":
        return torch.rand(shape, device=device) < share
    count = shape.numel()
    words = torch.empty(-(-count // 4), dtype=torch.int64).random_(torch.iinfo(torch.int64).min, None)
    # A share that rounds to 0 or to 1 has no threshold within 16 bits: the nearest there is.
    threshold = min(max(round(share * _SHARES), 0), _SHARES - 1) - _SHARES // 2
    return (words.view(torch.int16)[:count] < threshold).view(shape)


class Dropout(nn.Module):
    """As ``torch.nn.Dropout``: in training, units are silenced at random and the others made up for it.

    Args:
        share: of the units silenced, 0 <= share < 1; on a CPU to the nearest 1/65536.
    """

    def __init__(self, share: float) -> None:
        """Notes the share."""
        super().__init__()
        self.share = share

    def forward(self, values: Tensor) -> Tensor:
        """Values of the same shape."""
        if not self.training or self.share == 0:
            return values
        if values.device.type != "cpu":
            return functional.dropout(values, self.share, training=True)
        share = round(self.share * _SHARES) / _SHARES
        kept = ~chosen(values.shape, share, values.device)
        return values * kept.to(values.dtype).mul_(1 / (1 - share))
