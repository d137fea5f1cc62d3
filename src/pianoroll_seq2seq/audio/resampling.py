"""Another sample rate, without what does not fit into it."""

import math

import numpy as np
from jaxtyping import Float32

_HALF_TAPS = 32
"""Half the length of the filter, in frames of the lower rate."""
_KEPT_SHARE = 0.9
"""Frequencies are kept up to this share of what the lower rate can hold."""
_AT_ONCE = 2**16
"""Frames made at once, so that memory is not filled with more than the result."""


def resampled(
    samples: Float32[np.ndarray, "before channels"], *, before: int, after: int, frames: int
) -> Float32[np.ndarray, "after channels"]:
    """Sound at another rate: each new frame is a weighted sum of those around it (a sinc in a Hann window).

    Args:
        samples: of shape (frames, channels); it is silent before and after them.
        before: their frames a second.
        after: frames a second of the result, no more than ``before``.
        frames: how many of them.
    """
    if before == after and len(samples) == frames:
        return samples
    common = math.gcd(before, after)
    phases, period = after // common, before // common  # after so many frames of each rate both begin one together
    half = math.ceil(_HALF_TAPS * before / after)
    kernels = _kernels(phases, period, half, after / before)
    result = np.zeros((frames, samples.shape[1]), dtype=np.float32)
    repeats = max(_AT_ONCE // phases, 1)
    for first in range(0, frames, repeats * phases):
        begin = first // phases * period
        around = _part(samples, begin - half, begin + repeats * period + half + 1)
        made = result[first : first + repeats * phases]
        for phase in range(min(phases, len(made))):
            start = phase * period // phases
            windows = np.lib.stride_tricks.sliding_window_view(around[start:], kernels.shape[1], axis=0)[::period]
            wanted = made[phase::phases]
            wanted[:] = windows[: len(wanted)] @ kernels[phase]
    return result


def _kernels(phases: int, period: int, half: int, ratio: float) -> Float32[np.ndarray, "phases taps"]:
    """The weights of the frames from ``half`` before to ``half + 1`` after, for each place between two frames."""
    between = (np.arange(phases) * period % phases) / phases
    place = np.arange(-half, half + 2) - between[:, None]
    window = np.where(np.abs(place) <= half + 1, np.cos(np.pi * place / (2 * half + 2)) ** 2, 0.0)
    weights = np.sinc(_KEPT_SHARE * ratio * place) * window
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)


def _part(samples: np.ndarray, begin: int, end: int) -> np.ndarray:
    """The frames from ``begin`` to ``end``, with silence where there are none."""
    there = samples[max(begin, 0) : max(end, 0)]
    lead = max(-begin, 0)
    return np.pad(there, ((lead, end - begin - lead - len(there)), (0, 0)))
