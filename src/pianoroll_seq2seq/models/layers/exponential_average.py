"""Exponentially weighted averages of past frames.

For each of several decay rates: the average of all frames before a step, each weighted by ``decay ** age``. Summed over
octaves it is a chroma vector, from which heads and models read the key and the chord (the tonal context).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

OCTAVE = 12
_FRAMES_AT_ONCE = 256


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
    frames = frames.to(torch.promote_types(frames.dtype, decays.dtype))
    with torch.autocast(frames.device.type, enabled=False):  # sums over a whole piece
        return torch.cat(list(_averages(frames, decays, first)), dim=1)


def _averages(frames: Tensor, decays: Tensor, first: int) -> Iterator[Tensor]:
    """The averages before frame ``first``, and after each frame from it on, some frames at a time.

    Computed at once they would need a weight for each pair of frames: memory in proportion to the square of a piece.
    """
    before = ExponentialAverage.of(frames[:, :first], decays)
    yield before.average.unsqueeze(1)
    for begin in range(first, frames.shape[1], _FRAMES_AT_ONCE):
        some = frames[:, begin : begin + _FRAMES_AT_ONCE]
        ages = torch.arange(some.shape[1], device=frames.device)
        age = ages[:, None] - ages  # below 0 for frames yet to come
        weights = torch.where(age >= 0, decays[:, None, None] ** age.clamp(min=0), 0.0)
        faded = decays[:, None] ** (ages + 1)
        sums = torch.einsum("rmt,btp->bmrp", weights, some) + torch.einsum("rm,brp->bmrp", faded, before.sums)
        totals = faded * before.totals[:, None] + weights.sum(dim=2)
        yield sums / totals.T.clamp(min=1).unsqueeze(2)
        before = ExponentialAverage(sums[:, -1], totals[:, -1], decays)


def chroma(values: Tensor) -> Tensor:
    """Summed over octaves: (..., pitches) to (..., 12), counted from the lowest pitch."""
    octaves = -(-values.shape[-1] // OCTAVE)
    spread = functional.pad(values, (0, octaves * OCTAVE - values.shape[-1]))
    return spread.reshape(*values.shape[:-1], octaves, OCTAVE).sum(dim=-2)


def rotations(device: torch.device | None = None) -> Tensor:
    """Row ``c`` holds the pitch classes c, c + 1, ... as they are counted from class ``c``: (12, 12)."""
    return (torch.arange(OCTAVE, device=device)[:, None] + torch.arange(OCTAVE, device=device)) % OCTAVE
