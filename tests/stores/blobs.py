"""What the tests of the store in Azure Blob storage share."""

from pathlib import Path

import numpy as np

BLOCK = 1024
"""Bytes that go over in one piece, so that small files have several."""


def some_bytes(size: int, seed: int = 0) -> bytes:
    """Bytes that nothing compresses."""
    return np.random.default_rng(seed).bytes(size)


def parts(folder: Path) -> list[str]:
    """The names in a folder."""
    return sorted(path.name for path in folder.iterdir())
