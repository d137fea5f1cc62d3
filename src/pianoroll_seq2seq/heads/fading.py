"""A past that fades: how much of late each pitch sounded, newer frames counting for more.

At each of several rates, the average of all frames before a step, each weighted by ``decay ** age``. What a head or
a model knows of harmony it takes from here: folded to pitch classes, it is the key and the chord (the tonal context).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

OCTAVE = 12


@dataclass(frozen=True)
class Fading:
    """The fading past at one moment, to go on from.

    Args:
        sums: of the frames so far, weighted, (batch, rates, pitches).
        totals: of the weights, (rates,).
        decays: what is left of a frame after each further one, (rates,).
    """

    sums: Tensor
    totals: Tensor
    decays: Tensor

    @classmethod
    def of(cls, frames: Tensor, decays: Tensor) -> "Fading":
        """After some frames, (batch, frames, pitches), or none."""
        age = torch.arange(frames.shape[1] - 1, -1, -1, device=frames.device)
        weights = decays[:, None] ** age
        return cls(torch.einsum("rt,btp->brp", weights, frames), weights.sum(dim=1), decays)

    def after(self, frame: Tensor) -> "Fading":
        """With one frame more, (batch, pitches)."""
        sums = self.sums * self.decays[:, None] + frame.unsqueeze(1)
        return Fading(sums, self.totals * self.decays + 1, self.decays)

    @property
    def average(self) -> Tensor:
        """(batch, rates, pitches), each within [0, 1]; zeros before the first frame."""
        return self.sums / self.totals.clamp(min=1)[:, None]


def fading_averages(frames: Tensor, decays: Tensor) -> Tensor:
    """The averages before the first frame, before the second and so on, and after the last.

    Args:
        frames: (batch, frames, pitches).
        decays: (rates,), each in (0, 1).

    Returns:
        (batch, frames + 1, rates, pitches).
    """
    count = frames.shape[1]
    moment = torch.arange(count + 1, device=frames.device)
    age = moment[:, None] - 1 - moment[:-1]  # of each frame at each moment, below 0 if yet to come
    weights = torch.where(age >= 0, decays[:, None, None] ** age.clamp(min=0), 0.0)
    weights = weights / weights.sum(dim=2, keepdim=True).clamp(min=1)
    return torch.einsum("rmt,btp->bmrp", weights, frames)


def by_class(values: Tensor) -> Tensor:
    """Summed over octaves: (..., pitches) to (..., 12), counted from the lowest pitch."""
    octaves = -(-values.shape[-1] // OCTAVE)
    spread = functional.pad(values, (0, octaves * OCTAVE - values.shape[-1]))
    return spread.reshape(*values.shape[:-1], octaves, OCTAVE).sum(dim=-2)


def rotations(device: torch.device | None = None) -> Tensor:
    """Row ``c`` holds the pitch classes c, c + 1, ... as they are counted from class ``c``: (12, 12)."""
    return (torch.arange(OCTAVE, device=device)[:, None] + torch.arange(OCTAVE, device=device)) % OCTAVE
