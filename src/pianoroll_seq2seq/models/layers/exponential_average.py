"""Exponentially weighted averages of past frames.

For each of several decay rates: the average of all frames before a step, each weighted by ``decay ** age``. Summed over
octaves it is a chroma vector, from which heads and models read the key and the chord (the tonal context).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

OCTAVE = 12
_MOST_PAIRS = 2**20


@dataclass(frozen=True)
class ExponentialAverage:
    """The averages after some frames, to be updated frame by frame.

    Args:
        sums: weighted sums of the frames so far, (batch, rates, frame_size).
        totals: sums of the weights, (rates,).
        decays: the factor on a frame's weight for each later frame, (rates,).
    """

    sums: Tensor
    totals: Tensor
    decays: Tensor

    @classmethod
    def of(cls, frames: Tensor, decays: Tensor) -> "ExponentialAverage":
        """The averages after frames (batch, frames, frame_size), of which there may be none."""
        age = torch.arange(frames.shape[1] - 1, -1, -1, device=frames.device)
        weights = decays[:, None] ** age
        return cls(torch.einsum("rt,btp->brp", weights, frames), weights.sum(dim=1), decays)

    def after(self, frame: Tensor) -> "ExponentialAverage":
        """The averages after one more frame, (batch, frame_size)."""
        sums = self.sums * self.decays[:, None] + frame.unsqueeze(1)
        return ExponentialAverage(sums, self.totals * self.decays + 1, self.decays)

    @property
    def average(self) -> Tensor:
        """(batch, rates, frame_size), each within [0, 1]; zeros before the first frame."""
        return self.sums / self.totals.clamp(min=1)[:, None]


def exponential_averages(frames: Tensor, decays: Tensor, *, last: int | None = None) -> Tensor:
    """The averages before the first frame, before the second and so on, and after the last.

    Args:
        frames: (batch, frames, frame_size).
        decays: (rates,), each in (0, 1).
        last: computes only this many averages, the latest ones; all by default.

    Returns:
        (batch, frames + 1 or ``last``, rates, frame_size).
    """
    count = frames.shape[1]
    first = 0 if last is None else count + 1 - last
    moments = torch.arange(first, count + 1, device=frames.device)
    # A weight for each pair of a moment and a frame: for a long piece they are computed for some moments at a time.
    parts = torch.split(moments, max(_MOST_PAIRS // max(count, 1), 1))
    if len(parts) == 1:
        return _averages_before(moments, frames, decays)
    averages = frames.new_empty(len(frames), len(moments), len(decays), frames.shape[2])
    for part in parts:
        averages[:, part - first] = _averages_before(part, frames, decays)
    return averages


def _averages_before(moments: Tensor, frames: Tensor, decays: Tensor) -> Tensor:
    """The averages of the frames before some moments: (batch, moments, rates, frame_size)."""
    age = moments[:, None] - 1 - torch.arange(frames.shape[1], device=frames.device)  # below 0 for frames yet to come
    weights = torch.where(age >= 0, decays[:, None, None] ** age.clamp(min=0), 0.0)
    weights = weights / weights.sum(dim=2, keepdim=True).clamp(min=1)
    return torch.einsum("rmt,btp->bmrp", weights, frames)


def chroma(values: Tensor) -> Tensor:
    """Summed over octaves: (..., pitches) to (..., 12), counted from the lowest pitch."""
    octaves = -(-values.shape[-1] // OCTAVE)
    spread = functional.pad(values, (0, octaves * OCTAVE - values.shape[-1]))
    return spread.reshape(*values.shape[:-1], octaves, OCTAVE).sum(dim=-2)


def rotations(device: torch.device | None = None) -> Tensor:
    """Row ``c`` holds the pitch classes c, c + 1, ... as they are counted from class ``c``: (12, 12)."""
    return (torch.arange(OCTAVE, device=device)[:, None] + torch.arange(OCTAVE, device=device)) % OCTAVE
