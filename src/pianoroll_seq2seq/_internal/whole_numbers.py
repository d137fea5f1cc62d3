"""Numbers of Python and of NumPy, whatever an annotation says."""

from numbers import Real

import numpy as np


def is_whole(value: object) -> bool:
    """Whether a value is an integer."""
    return isinstance(value, int | np.integer)


def is_real(value: object) -> bool:
    """Whether a value is a real number: of Python or NumPy, such as 0.5."""
    return isinstance(value, Real)
