"""Constants and functions that the tests of Azure Blob storage share."""

from pathlib import Path

import numpy as np

BLOCK = 1024
"""Bytes of a block, so that small files have several."""


def some_bytes(size: int, seed: int = 0) -> bytes:
    """Bytes that cannot be compressed."""
    return np.random.default_rng(seed).bytes(size)


def parts(folder: Path) -> list[str]:
    """The names in a folder."""
    return sorted(path.name for path in folder.iterdir())
