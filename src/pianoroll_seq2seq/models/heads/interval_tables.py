"""Sums of what intervals say: for each pitch, the interval from each of some sources to it is looked up in a table."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

_FEW_ROWS = 64
"""So few rows look up single intervals; more rows look up whole windows of the tables."""


def interval_sums(sources: Tensor, tables: Tensor, *, lowest: int, size: int) -> Tensor:
    """The sum over sources of what the intervals from them to some pitches say.

    Args:
        sources: a pitch for each table, -1 for none, (rows, tables).
        tables: what each interval says, from the largest one down to the largest one up, (tables, intervals, channels).
        lowest: the first of the pitches, and
        size: how many they are.

    Returns:
        (rows, size, channels).
    """
    width, highest = tables.shape[1], tables.shape[1] // 2  # intervals, and the highest pitch
    present = sources >= 0
    if len(sources) <= _FEW_ROWS:
        place = torch.arange(lowest + highest, lowest + highest + size, device=sources.device)
        begins = torch.arange(0, len(tables) * width, width, device=sources.device)
        index = (place.unsqueeze(1) + begins) - sources.clamp(min=0).unsqueeze(1)  # (rows, size, tables)
        weights = present.to(tables.dtype).unsqueeze(1).expand_as(index)
        sums = functional.embedding_bag(
            index.flatten(0, 1), tables.flatten(0, 1), mode="sum", per_sample_weights=weights.flatten(0, 1)
        )
    else:
        number = torch.arange(len(tables), device=sources.device)
        index = number * (highest + 1) + highest - sources
        ends = functional.pad(present.sum(dim=1).cumsum(dim=0), (1, 0))
        windows: Any = _Windows.apply(tables, lowest, size)  # type: ignore[no-untyped-call]
        sums = functional.embedding_bag(index[present], windows, ends, mode="sum", include_last_offset=True)
    return sums.view(len(sources), size, tables.shape[2])


class _Windows(torch.autograd.Function):
    """For each pitch that a source may have, the window of each table with the intervals from it to some pitches.

    The highest source comes first. The gradient of ``Tensor.unfold`` takes several times as long.
    """

    @staticmethod
    def forward(ctx: Any, tables: Tensor, lowest: int, size: int) -> Tensor:
        """(tables, intervals, channels) to (tables * source pitches, size * channels)."""
        ctx.window, ctx.shape = (lowest, size), tables.shape
        windows = tables.unfold(1, size, 1)[:, lowest : lowest + tables.shape[1] // 2 + 1]
        return windows.transpose(2, 3).flatten(2).flatten(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """Each interval occurs in many windows."""
        (lowest, size), (tables, _, channels) = ctx.window, ctx.shape
        windows = grad.view(tables, -1, size, channels)
        total = grad.new_zeros(ctx.shape)
        for place in range(windows.shape[1]):
            total[:, lowest + place : lowest + place + size] += windows[:, place]
        return total, None, None
