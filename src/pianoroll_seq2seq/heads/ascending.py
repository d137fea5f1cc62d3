"""What distributions share that decide the pitches of a frame from the lowest to the highest, each given those below.

The conditionals come as a function ``logits_given(frames, rows)``: the log-odds (n, pitches) of every pitch of the rows
(n,) of a batch, given those of ``frames`` (n, pitches) below it; what stands at a pitch and above it does not matter.
"""

import itertools
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

LogitsGiven = Callable[[Tensor, Tensor], Tensor]

_SIDE_BY_SIDE = 512
"""Rows decided at once when there are many draws of few rows."""


@torch.no_grad()
def draw_by_jumps(logits_given: LogitsGiven, uniform: Float[Tensor, "rows pitches"]) -> Float[Tensor, "rows pitches"]:
    """An exact draw that jumps from one sounding pitch to the next.

    With all lower pitches decided and none sounding since, all remaining log-odds are known at once: the first pitch
    whose number is below its probability sounds, those before it are silent. So it takes one pass for each pitch that
    sounds and one more, where pitch by pitch it takes one for each; equal numbers give equal frames either way.

    Args:
        logits_given: the conditionals. Only those above the highest pitch that sounds are looked at. Rows that are
            decided are not asked about again.
        uniform: numbers drawn evenly from [0, 1), (rows, pitches).

    Returns:
        Frames (rows, pitches) of zeros and ones, of the same kind of float as the numbers.
    """
    frames = torch.zeros_like(uniform)
    place = torch.arange(uniform.shape[1], device=uniform.device)
    rows = torch.arange(len(uniform), device=uniform.device)
    decided = torch.full_like(rows, -1)  # the latest pitch that sounds of each of the rows
    while len(rows):
        chances = torch.sigmoid(logits_given(frames.index_select(0, rows), rows))
        sounds = (uniform < chances) & (place > decided[:, None])
        any_sounds, first = sounds.view(torch.uint8).max(dim=1)
        left = any_sounds.nonzero().squeeze(1)
        rows, decided, uniform = (values.index_select(0, left) for values in (rows, first, uniform))
        frames[rows, decided] = 1.0
    return frames


@torch.no_grad()
def estimated_mean(
    logits_given: LogitsGiven,
    rows: int,
    pitches: int,
    *,
    device: torch.device,
    draws: int = 32,
    decisions_of: Callable[[Tensor], Tensor] = lambda frames: frames,
) -> Float[Tensor, "rows decisions"]:
    """The probability of each pitch: an estimate, as there is no formula for it; without gradients.

    The mean of the conditionals over some draws, which varies less than that of the draws themselves (Rao and
    Blackwell). Its standard error is at most ``0.5 / sqrt(draws - 1)``, and mostly far less: the numbers behind the
    draws are spread evenly over [0, 1) for each pitch (Latin hypercube; the bound is Owen's, 1997). They are the same
    at every call and for every row, so that equal conditionals have equal means. Where there are no more frames at
    all than draws, the mean is exact.

    Args:
        logits_given: the conditionals; rows may come more than once.
        rows: how many rows the batch has.
        pitches: how many pitches a frame has.
        device: where to compute.
        draws: how many draws, at least 2.
        decisions_of: what is decided of frames (n, pitches), from the left to the right, where that is more than their
            pitches: (n, decisions).

    Returns:
        (rows, decisions).
    """
    if 2**pitches <= draws:
        possible = torch.tensor(list(itertools.product((0.0, 1.0), repeat=pitches)), device=device)
        return _mean_of_all(logits_given, rows, decisions_of(possible))
    pitches = decisions_of(torch.zeros(1, pitches, device=device)).shape[1]
    generator = torch.Generator().manual_seed(0)  # on the CPU, for the same numbers on every device
    stratum = torch.rand(draws, pitches, generator=generator).argsort(dim=0)
    # Rounding may give a 1, which is none of [0, 1) but does no harm: the pitch is silent.
    uniform = ((stratum + torch.rand(draws, pitches, generator=generator)) / draws).to(device)

    def logits_of_repeated(frames: Tensor, chosen: Tensor) -> Tensor:
        return logits_given(frames, chosen % rows)

    sums = []
    step = max(1, _SIDE_BY_SIDE // max(1, rows))
    for begin in range(0, draws, step):
        some = uniform[begin : begin + step]
        every = torch.arange(rows, device=device).repeat(len(some))
        frames = draw_by_jumps(logits_of_repeated, some.repeat_interleave(rows, dim=0))
        chances = torch.sigmoid(logits_given(frames, every))
        sums.append(chances.view(len(some), rows, pitches).sum(dim=0))
    return torch.stack(sums).sum(dim=0) / draws


def _mean_of_all(logits_given: LogitsGiven, rows: int, possible: Tensor) -> Tensor:
    """The exact mean, by going through all that can be decided: (possible, decisions)."""
    every = torch.arange(rows, device=possible.device).repeat(len(possible))
    frames = possible.repeat_interleave(rows, dim=0)
    logits = logits_given(frames, every)
    frames = frames.to(logits.dtype)
    nats = functional.binary_cross_entropy_with_logits(logits, frames, reduction="none").sum(dim=1)
    return (torch.exp(-nats)[:, None] * frames).view(len(possible), rows, possible.shape[1]).sum(dim=0)
