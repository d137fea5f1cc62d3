"""Loudness normalization: all pieces are equally loud, and none clips."""

import numpy as np

_TARGET_DBFS = -20.0
"""Root mean square of the loud blocks."""
_MAX_PEAK_DBFS = -1.0
_MIN_PEAK_DBFS = -5.9
"""Above -6, so that rounding to 16 bits stays above -6 too."""
_BLOCK_SECONDS = 0.4
_GATE_DB = -10.0


def normalize(samples: np.ndarray, sample_rate: int) -> None:
    """Scales sound in place to a loudness of -20 dBFS, with a peak between -6 and -1 dBFS.

    Loudness is the root mean square of blocks of 400 ms, without blocks that are silent or more than 10 dB below the
    mean of the others. These are the blocks and the relative gate of ITU-R BS.1770-5, without its frequency weighting.

    Args:
        samples: of shape (frames, channels).
        sample_rate: frames per second.
    """
    peak = float(max(samples.max(initial=0.0), -samples.min(initial=0.0)))
    if not peak:
        return
    gain = 10 ** (_TARGET_DBFS / 20) / _loudness(samples, sample_rate)
    lowest, highest = (10 ** (bound / 20) / peak for bound in (_MIN_PEAK_DBFS, _MAX_PEAK_DBFS))
    samples *= np.float32(min(max(gain, lowest), highest))


def _loudness(samples: np.ndarray, sample_rate: int) -> float:
    size = max(round(_BLOCK_SECONDS * sample_rate), 1)
    blocks = (samples[begin : begin + size] for begin in range(0, len(samples), size))
    power = np.array([np.square(block, dtype=np.float64).mean() for block in blocks])
    power = power[power > 0]
    loud = power[power >= power.mean() * 10 ** (_GATE_DB / 10)]
    return float(np.sqrt(loud.mean()))
