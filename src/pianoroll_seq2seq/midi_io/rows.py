"""Rows of integers that loops fill, compiled or not."""

from array import array
from typing import Any

import numpy as np


def columns_of(rows: Any, count: int) -> list[np.ndarray]:
    """The first ``count`` integers of each row."""
    return [np.frombuffer(row, np.int64, count) if count else np.zeros(0, np.int64) for row in rows]


def numpy_rows(rows: int, size: int) -> np.ndarray:
    """Integers in rows, not yet set, for compiled loops."""
    return np.empty((rows, size), dtype=np.int64)


def machine_rows(rows: int, size: int) -> "list[array[int]]":
    """The same, all 0, for plain Python, which takes twice as long with numpy's."""
    return [array("q", bytes(8 * size)) for _ in range(rows)]
