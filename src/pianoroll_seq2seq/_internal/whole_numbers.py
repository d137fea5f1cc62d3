"""Whole numbers of Python and of NumPy."""

import numpy as np


def is_whole(value: object) -> bool:
    """Whether a value is an integer, whatever an annotation says."""
    return isinstance(value, int | np.integer)
