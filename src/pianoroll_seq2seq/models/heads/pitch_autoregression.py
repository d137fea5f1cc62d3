"""Sampling and means of distributions that decide binary variables in order, each given the earlier ones.

The conditionals are a function ``logits_given(values, rows)``: the log-odds (n, variables) of every variable of the
rows (n,) of a batch, given the variables of ``values`` (n, variables) before it. Values at or after a variable are
ignored.
"""

import itertools
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

LogitsGiven = Callable[[Tensor, Tensor], Tensor]

_ROWS = 128
"""Rows evaluated at once. Larger temporary tensors would be mapped into memory and released again at every step."""


def by_rows(compute: Callable[[slice], Tensor], count: int) -> Tensor:
    """The results of a computation over many rows, a few of them at a time, concatenated."""
    if count <= _ROWS:
        return compute(slice(None))
    return torch.cat([compute(slice(begin, begin + _ROWS)) for begin in range(0, count, _ROWS)])


@torch.no_grad()
def sample_skipping_silence(
    logits_given: LogitsGiven, uniform: Float[Tensor, "rows pitches"]
) -> Float[Tensor, "rows pitches"]:
    """An exact sample that skips from one sounding pitch to the next.

    Given all lower pitches, the log-odds of the remaining ones are known as long as none of them sounds: the first
    pitch whose random number is below its probability sounds, and those before it are silent. This takes one pass for
    each sounding pitch and one more, instead of one for each pitch. Equal random numbers give equal frames either way.

    Args:
        logits_given: the conditionals. Only those above the highest sounding pitch are used. Finished rows
            are not evaluated again.
        uniform: random numbers from [0, 1), (rows, pitches).

    Returns:
        Frames (rows, pitches) of zeros and ones, of the dtype of ``uniform``.
    """
    return _sample(logits_given, uniform)[0]


def _sample(logits_given: LogitsGiven, uniform: Tensor, *, keep: bool = False) -> tuple[Tensor, Tensor]:
    """A sample, as :func:`sample_skipping_silence` finds it, and the conditionals.

    Args:
        logits_given: the conditionals.
        uniform: random numbers from [0, 1), (rows, pitches).
        keep: whether to return the probability of each pitch given those of the sample below it, which the last pass
            over each row finds; they have no meaning otherwise.
    """
    conditionals = uniform
    frames = torch.zeros_like(uniform)
    place = torch.arange(uniform.shape[1], device=uniform.device)
    rows = torch.arange(len(uniform), device=uniform.device)
    decided = torch.full_like(rows, -1)  # the latest pitch that sounds of each of the rows
    while len(rows):
        chances = torch.sigmoid(logits_given(frames.index_select(0, rows), rows))
        if keep and len(rows) == len(frames):
            conditionals = chances
        elif keep:
            conditionals[rows] = chances
        sounds = (uniform < chances) & (place > decided[:, None])
        any_sounds, first = sounds.view(torch.uint8).max(dim=1)
        left = any_sounds.nonzero().squeeze(1)
        rows, decided, uniform = (values.index_select(0, left) for values in (rows, first, uniform))
        frames[rows, decided] = 1.0
    return frames, conditionals


@torch.no_grad()
def estimated_mean(
    logits_given: LogitsGiven,
    rows: int,
    pitches: int,
    *,
    device: torch.device,
    num_samples: int = 32,
    variables_of: Callable[[Tensor], Tensor] = lambda frames: frames,
) -> Float[Tensor, "rows variables"]:
    """The probability of each pitch: an estimate, as there is no formula for it; without gradients.

    The mean of the conditionals over some samples, which varies less than the mean of the samples (Rao-Blackwell). Its
    standard error is at most ``0.5 / sqrt(num_samples - 1)`` and mostly far smaller: the random numbers are a Latin
    hypercube sample (the bound is Owen's, 1997). They are the same at every call and for every row, so that equal
    conditionals have equal means. If there are no more possible frames than samples, the mean is exact.

    Args:
        logits_given: the conditionals; rows may come more than once.
        rows: how many rows the batch has.
        pitches: how many pitches a frame has.
        device: where to compute.
        num_samples: how many samples, at least 2.
        variables_of: the variables (n, variables) of frames (n, pitches), if they are more than the pitches.

    Returns:
        (rows, variables).
    """
    if 2**pitches <= num_samples:
        possible = torch.tensor(list(itertools.product((0.0, 1.0), repeat=pitches)), device=device)
        return _mean_of_all(logits_given, rows, variables_of(possible))
    pitches = variables_of(torch.zeros(1, pitches, device=device)).shape[1]
    numbers = stratified_numbers(num_samples, pitches, device)

    def logits_of_repeated(frames: Tensor, chosen: Tensor) -> Tensor:
        return logits_given(frames, chosen % rows)

    sums = []
    step = max(1, _ROWS // max(1, rows))
    for begin in range(0, num_samples, step):
        some = numbers[begin : begin + step]
        _, chances = _sample(logits_of_repeated, some.repeat_interleave(rows, dim=0), keep=True)
        sums.append(chances.view(len(some), rows, pitches).sum(dim=0))
    return torch.stack(sums).sum(dim=0) / num_samples


def stratified_numbers(num_samples: int, variables: int, device: torch.device) -> Float[Tensor, "samples variables"]:
    """Random numbers from [0, 1] for an estimate: a Latin hypercube sample, the same at every call."""
    generator = torch.Generator().manual_seed(0)  # on the CPU, for the same numbers on every device
    stratum = torch.rand(num_samples, variables, generator=generator).argsort(dim=0)
    # Rounding may give exactly 1, which is harmless: the pitch is silent.
    return ((stratum + torch.rand(num_samples, variables, generator=generator)) / num_samples).to(device)


def _mean_of_all(logits_given: LogitsGiven, rows: int, possible: Tensor) -> Tensor:
    """The exact mean, by enumerating all possible values of the variables, (possible, variables)."""
    every = torch.arange(rows, device=possible.device).repeat(len(possible))
    frames = possible.repeat_interleave(rows, dim=0)
    logits = logits_given(frames, every)
    frames = frames.to(logits.dtype)
    nats = functional.binary_cross_entropy_with_logits(logits, frames, reduction="none").sum(dim=1)
    return (torch.exp(-nats)[:, None] * frames).view(len(possible), rows, possible.shape[1]).sum(dim=0)
