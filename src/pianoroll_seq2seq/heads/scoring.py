"""Which pitches of a frame to score in training, where to score all would take most of the time.

Most pitches of a frame are silent and far from anything that sounds, and every decision about them is alike. A loss
over a sample of the pitches, each weighted by the inverse of its chance to be drawn, has the same mean as the loss
over all (Horvitz and Thompson, 1952).
"""

import torch
from torch import Tensor

FAR = 3
"""Pitches far from all that sounds of which so many are scored a frame."""


def scored(count: int, surely: Tensor, nearby: Tensor) -> tuple[Tensor, Tensor]:
    """Draws pitches of every frame: as many of the sure ones as there is room for, then near ones, and a few far ones.

    Args:
        count: pitches to draw of each frame, more than ``FAR`` and fewer than there are.
        surely: (rows, pitches), whether a pitch is to be scored if there is room.
        nearby: the same of those that come next.

    Returns:
        The pitches, and the weight of each: (rows, count).
    """
    rank = torch.where(surely, 2.0, torch.where(nearby, 1.0, 0.0))
    order = (rank + torch.rand(rank.shape, device=rank.device)).argsort(dim=1, descending=True)
    sure = surely.sum(dim=1, keepdim=True)
    near = (nearby & ~surely).sum(dim=1, keepdim=True)
    far = rank.shape[1] - sure - near
    # At least one is drawn of every kind that there is: otherwise its loss would be missing.
    from_sure = torch.minimum(sure, count - far.clamp(max=FAR) - near.clamp(max=1))
    from_far = torch.maximum(far.clamp(max=FAR), count - from_sure - near)
    from_near = count - from_sure - from_far
    slot = torch.arange(count, device=rank.device)
    is_sure, is_near = slot < from_sure, slot < from_sure + from_near
    place = torch.where(
        is_sure, slot, torch.where(is_near, sure + slot - from_sure, sure + near + slot - from_sure - from_near)
    )
    weight = torch.where(
        is_sure, sure / from_sure.clamp(min=1), torch.where(is_near, near / from_near.clamp(min=1), far / from_far)
    )
    return order.gather(1, place), weight
