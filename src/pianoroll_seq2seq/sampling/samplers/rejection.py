"""Rejection sampling: frames that do not suit are sampled again."""

from collections.abc import Callable

import torch
from torch import Tensor

from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.sampling.free_cells import FreeCells
from pianoroll_seq2seq.sampling.samplers.contract import Sampler


def sample_accepted(
    sampler: Sampler,
    distribution: FrameDistribution,
    accepted: Callable[[Tensor], Tensor],
    *,
    tries: int,
    generator: torch.Generator,
) -> Tensor:
    """Frames (batch, frame_size), each sampled until it is accepted, or ``tries`` times; the last one stays.

    Args:
        sampler: samples the frames.
        distribution: of batch shape (batch,).
        accepted: which frames (batch, frame_size) are kept, (batch,); it gets whole frames, given cells included.
        tries: at least 1.
        generator: of the sampler.
    """

    def rejects(frame: Tensor) -> Tensor:
        return ~accepted(distribution.whole(frame) if isinstance(distribution, FreeCells) else frame)

    frame = sampler(distribution, generator=generator)
    rejected = rejects(frame)
    for _ in range(tries - 1):
        if not rejected.any():
            break
        again = sampler(distribution, generator=generator)
        frame = torch.where(rejected.unsqueeze(-1), again, frame)
        rejected = rejected & rejects(frame)
    return frame
