"""Sampling and means of distributions that decide binary variables in order, each given the earlier ones.

The conditionals are a function ``logits_given(values, rows)``: the log-odds (n, variables) of every variable of the
rows (n,) of a batch, given the variables of ``values`` (n, variables) before it. Values at or after a variable are
ignored.

With an onset plane each pitch has a second variable, its onset, which is decided right after it and only if it sounds.
These variables come last: their log-odds are those of an onset given that the pitch sounds.
"""

import itertools
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from pianoroll_seq2seq.models.heads.onset_decisions import decision_nats

LogitsGiven = Callable[[Tensor, Tensor], Tensor]

_ROWS = 128
"""Rows evaluated at once. Larger temporary tensors would be mapped into memory and released again at every step."""


def by_rows(compute: Callable[[slice], Tensor], count: int, at_once: int = _ROWS) -> Tensor:
    """The results of a computation over many rows, a few of them at a time, concatenated."""
    if count <= at_once:
        return compute(slice(None))
    return torch.cat([compute(slice(begin, begin + at_once)) for begin in range(0, count, at_once)])


@torch.no_grad()
def sample_skipping_silence(
    logits_given: LogitsGiven, uniform: Float[Tensor, "rows variables"], num_onsets: int = 0
) -> Float[Tensor, "rows variables"]:
    """An exact sample that skips from one sounding pitch to the next.

    Given all lower pitches, the log-odds of the remaining ones are known as long as none of them sounds: the first
    pitch whose random number is below its probability sounds, and those before it are silent. This takes one pass for
    each sounding pitch and one more, instead of one for each pitch. Equal random numbers give equal frames either way.

    Args:
        logits_given: the conditionals. Only those above the highest sounding pitch are used. Finished rows
            are not evaluated again.
        uniform: random numbers from [0, 1), (rows, variables).
        num_onsets: how many of the variables are onsets, the last ones.

    Returns:
        Values (rows, variables) of zeros and ones, of the dtype of ``uniform``.
    """
    return _sample(logits_given, uniform, num_onsets)[0]


def _sample(
    logits_given: LogitsGiven, uniform: Tensor, num_onsets: int, *, keep: bool = False
) -> tuple[Tensor, Tensor]:
    """A sample, as :func:`sample_skipping_silence` finds it, and the conditionals.

    Args:
        logits_given: the conditionals.
        uniform: random numbers from [0, 1), (rows, variables).
        num_onsets: how many of the variables are onsets.
        keep: whether to return the probability of each variable given those of the sample before it, which the last
            pass over each row finds; they have no meaning otherwise.
    """
    conditionals = uniform
    frames = torch.zeros_like(uniform)
    num_pitches = uniform.shape[1] - num_onsets  # and the variables before the pitches
    place = torch.arange(num_pitches, device=uniform.device)
    rows = torch.arange(len(uniform), device=uniform.device)
    decided = torch.full_like(rows, -1)  # the latest pitch that sounds of each of the rows
    while len(rows):
        chances = torch.sigmoid(logits_given(frames.index_select(0, rows), rows))
        if keep and len(rows) == len(frames):
            conditionals = chances
        elif keep:
            conditionals[rows] = chances
        sounds = (uniform[:, :num_pitches] < chances[:, :num_pitches]) & (place > decided[:, None])
        any_sounds, first = sounds.view(torch.uint8).max(dim=1)
        left = any_sounds.nonzero().squeeze(1)
        rows, decided, uniform = (values.index_select(0, left) for values in (rows, first, uniform))
        frames[rows, decided] = 1.0
        if num_onsets:
            begins = (uniform < chances.index_select(0, left)).to(frames.dtype)
            is_pitch = decided >= num_pitches - num_onsets
            onset = (decided + num_onsets)[is_pitch]
            frames[rows[is_pitch], onset] = begins[is_pitch, onset]
    if keep and num_onsets:
        sounding, onsets = conditionals[:, -2 * num_onsets : -num_onsets], conditionals[:, -num_onsets:]
        conditionals = torch.cat([conditionals[:, :num_pitches], sounding * onsets], dim=1)
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
    has_onsets: bool = False,
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
        variables_of: the variables (n, variables) of frames, if they are more than the columns.
        has_onsets: whether frames are (n, 2 * pitches), with an onset plane, and not (n, pitches).

    Returns:
        (rows, variables).
    """
    states = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)) if has_onsets else ((0.0,), (1.0,))
    num_onsets = pitches if has_onsets else 0
    if len(states) ** pitches <= num_samples:
        every = torch.tensor(list(itertools.product(states, repeat=pitches)), device=device)
        return _mean_of_all(logits_given, rows, variables_of(every.transpose(1, 2).flatten(1)), num_onsets)
    variables = variables_of(torch.zeros(1, pitches + num_onsets, device=device)).shape[1]
    numbers = stratified_numbers(num_samples, variables, device)

    def logits_of_repeated(frames: Tensor, chosen: Tensor) -> Tensor:
        return logits_given(frames, chosen % rows)

    sums = []
    step = max(1, _ROWS // max(1, rows))
    for begin in range(0, num_samples, step):
        some = numbers[begin : begin + step]
        _, chances = _sample(logits_of_repeated, some.repeat_interleave(rows, dim=0), num_onsets, keep=True)
        sums.append(chances.view(len(some), rows, variables).sum(dim=0))
    return torch.stack(sums).sum(dim=0) / num_samples


def stratified_numbers(num_samples: int, variables: int, device: torch.device) -> Float[Tensor, "samples variables"]:
    """Random numbers from [0, 1] for an estimate: a Latin hypercube sample, the same at every call."""
    generator = torch.Generator().manual_seed(0)  # on the CPU, for the same numbers on every device
    stratum = torch.rand(num_samples, variables, generator=generator).argsort(dim=0)
    # Rounding may give exactly 1, which is harmless: the pitch is silent.
    return ((stratum + torch.rand(num_samples, variables, generator=generator)) / num_samples).to(device)


def _mean_of_all(logits_given: LogitsGiven, rows: int, possible: Tensor, num_onsets: int) -> Tensor:
    """The exact mean, by enumerating all possible values of the variables, (possible, variables)."""
    every = torch.arange(rows, device=possible.device).repeat(len(possible))
    frames = possible.repeat_interleave(rows, dim=0)
    logits = logits_given(frames, every)
    frames = frames.to(logits.dtype)
    nats = decision_nats(logits, frames, num_onsets).sum(dim=1)
    return (torch.exp(-nats)[:, None] * frames).view(len(possible), rows, possible.shape[1]).sum(dim=0)
