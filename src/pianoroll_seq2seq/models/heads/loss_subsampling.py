"""Subsampled losses: which pitches of a frame are scored in a training step.

Most pitches are silent and far from anything that sounds, and their losses are alike. A loss over a sample of the
pitches, each weighted by the inverse of its inclusion probability, has the same expected value as the full loss
(Horvitz and Thompson, 1952).
"""

import torch
from torch import Tensor

FAR = 3
"""How many of the pitches far from all sounding ones are scored in each frame."""


def sample_pitches(count: int, surely: Tensor, nearby: Tensor) -> tuple[Tensor, Tensor]:
    """Samples pitches of every frame: as many required ones as fit, then near ones, and a few far ones.

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
