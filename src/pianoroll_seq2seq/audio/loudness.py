"""Loudness: pieces that are as loud as one another, and none that is too loud for its file."""

import numpy as np

_TARGET_DBFS = -20.0
"""Root mean square of what sounds."""
_HIGHEST_PEAK_DBFS = -1.0
_LOWEST_PEAK_DBFS = -5.9
"""So that it is not below -6 in 16 bits either."""
_BLOCK_SECONDS = 0.4
_GATE_DB = -10.0


def normalize(samples: np.ndarray, sample_rate: int) -> None:
    """Brings sound, in place, to the loudness wanted, its peak between -6 and -1 dB below full scale.

    Loudness is the root mean square of blocks of 400 ms that are not more than 10 dB below the mean of all that are not
    silent: the blocks and the relative gate of ITU-R BS.1770-5, without its filter for the ear. Silence stays silence.

    Args:
        samples: (frames, channels).
        sample_rate: frames a second.
    """
    peak = float(max(samples.max(initial=0.0), -samples.min(initial=0.0)))
    if not peak:
        return
    gain = 10 ** (_TARGET_DBFS / 20) / _loudness(samples, sample_rate)
    lowest, highest = (10 ** (bound / 20) / peak for bound in (_LOWEST_PEAK_DBFS, _HIGHEST_PEAK_DBFS))
    samples *= np.float32(min(max(gain, lowest), highest))


def _loudness(samples: np.ndarray, sample_rate: int) -> float:
    size = max(round(_BLOCK_SECONDS * sample_rate), 1)
    blocks = (samples[begin : begin + size] for begin in range(0, len(samples), size))
    power = np.array([np.square(block, dtype=np.float64).mean() for block in blocks])
    power = power[power > 0]
    loud = power[power >= power.mean() * 10 ** (_GATE_DB / 10)]
    return float(np.sqrt(loud.mean()))
