"""Another sample rate, without what does not fit into it."""

import numpy as np
from jaxtyping import Float32

from pianoroll_seq2seq.errors import MissingExtraError


def resampled(
    samples: Float32[np.ndarray, "before channels"], *, before: int, after: int, frames: int
) -> Float32[np.ndarray, "after channels"]:
    """Sound at another rate, by the package soxr.

    Args:
        samples: of shape (frames, channels); it is silent after them.
        before: their frames a second.
        after: frames a second of the result.
        frames: how many of them.

    Raises:
        MissingExtraError: soxr is not installed.
    """
    if before == after and len(samples) == frames:
        return samples
    try:
        import soxr
    except ImportError as error:
        raise MissingExtraError("soxr", "audio", "Sound at another rate than a SoundFont's") from error
    made: np.ndarray = soxr.resample(samples, before, after)[:frames]
    return np.pad(made, ((0, frames - len(made)), (0, 0)))
