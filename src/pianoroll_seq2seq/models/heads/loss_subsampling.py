"""Subsampled losses: which pitches of a frame are scored in a training step.

Most pitches are silent and far from anything that sounds, and their losses are similar. A loss over a sample of the
pitches, each weighted by the inverse of its inclusion probability, has the same expected value as the full loss
(Horvitz and Thompson, 1952).
"""

import torch
from torch import Tensor

FAR = 3
"""How many of the pitches far from all sounding ones are scored in each frame."""


def sample_pitches(count: int, required: Tensor, near: Tensor) -> tuple[Tensor, Tensor]:
    """Samples pitches of every frame: as many required ones as fit, then near ones, and a few far ones.

    Args:
        count: pitches to draw of each frame, more than ``FAR`` and fewer than there are.
        required: (rows, pitches), whether a pitch must be scored if there is room.
        near: (rows, pitches), whether a pitch comes next.

    Returns:
        The pitches, and the weight of each: (rows, count).
    """
    rank = torch.where(required, 2.0, torch.where(near, 1.0, 0.0))
    order = (rank + torch.rand(rank.shape, device=rank.device)).argsort(dim=1, descending=True)
    num_required = required.sum(dim=1, keepdim=True)
    num_near = (near & ~required).sum(dim=1, keepdim=True)
    num_far = rank.shape[1] - num_required - num_near
    # At least one of every existing kind is drawn, otherwise its loss would be missing.
    required_drawn = torch.minimum(num_required, count - num_far.clamp(max=FAR) - num_near.clamp(max=1))
    far_drawn = torch.maximum(num_far.clamp(max=FAR), count - required_drawn - num_near)
    near_drawn = count - required_drawn - far_drawn
    slot = torch.arange(count, device=rank.device)
    is_required, is_near = slot < required_drawn, slot < required_drawn + near_drawn
    place = torch.where(
        is_required,
        slot,
        torch.where(
            is_near, num_required + slot - required_drawn, num_required + num_near + slot - required_drawn - near_drawn
        ),
    )
    weight = torch.where(
        is_required,
        num_required / required_drawn.clamp(min=1),
        torch.where(is_near, num_near / near_drawn.clamp(min=1), num_far / far_drawn),
    )
    return order.gather(1, place), weight
