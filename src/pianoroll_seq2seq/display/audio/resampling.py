"""Conversion to another sample rate."""

import numpy as np
from jaxtyping import Float32

from pianoroll_seq2seq.errors import MissingExtraError


def resampled(
    samples: Float32[np.ndarray, "frames channels"], *, from_rate: int, to_rate: int, num_frames: int
) -> Float32[np.ndarray, "num_frames channels"]:
    """Resamples sound with soxr, which filters out frequencies that the new rate cannot hold.

    Args:
        samples: of shape (frames, channels); silence is assumed after them.
        from_rate: frames per second of the samples.
        to_rate: frames per second of the result.
        num_frames: length of the result.

    Raises:
        MissingExtraError: soxr is not installed.
    """
    if from_rate == to_rate and len(samples) == num_frames:
        return samples
    try:
        import soxr
    except ImportError as error:
        raise MissingExtraError("soxr", "audio", "Sound at another rate than a SoundFont's") from error
    result: np.ndarray = soxr.resample(samples, from_rate, to_rate)[:num_frames]
    return np.pad(result, ((0, num_frames - len(result)), (0, 0)))
