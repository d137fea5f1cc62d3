"""Loudness: pieces that are as loud as one another, and none that is too loud for its file."""

import numpy as np

_TARGET_DBFS = -20.0
"""Root mean square of what sounds."""
_HIGHEST_PEAK_DBFS = -1.0
_LOWEST_PEAK_DBFS = -6.0
_BLOCK_SECONDS = 0.4
_GATE_DB = -10.0


def normalized(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """The sound at the loudness wanted, its peak between -6 and -1 dB below full scale; silence stays silence.

    Loudness is the root mean square of blocks of 400 ms that are not more than 10 dB below the mean of all that are not
    silent: the blocks and the relative gate of ITU-R BS.1770-5, without its filter for the ear.

    Args:
        samples: (frames, channels).
        sample_rate: frames a second.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    if not peak:
        return samples
    gain = 10 ** (_TARGET_DBFS / 20) / _loudness(samples, sample_rate)
    lowest, highest = (10 ** (bound / 20) / peak for bound in (_LOWEST_PEAK_DBFS, _HIGHEST_PEAK_DBFS))
    return samples * np.float32(min(max(gain, lowest), highest))


def _loudness(samples: np.ndarray, sample_rate: int) -> float:
    size = max(round(_BLOCK_SECONDS * sample_rate), 1)
    begins = np.arange(0, len(samples), size)
    power = np.add.reduceat(np.square(samples).mean(axis=1, dtype=np.float64), begins)
    power /= np.minimum(size, len(samples) - begins)
    power = power[power > 0]
    loud = power[power >= power.mean() * 10 ** (_GATE_DB / 10)]
    return float(np.sqrt(loud.mean()))
