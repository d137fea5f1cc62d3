"""A corpus of any size that takes little of the disk."""

from pathlib import Path

import numpy as np
from written_corpus import write_manifest, write_shard

from pianoroll_seq2seq import PianoRoll, SecondsGrid

FRAMES, WIDTH = 200_000, 11
BYTES = 2 * FRAMES * WIDTH
"""Of a shard."""


def write_large_corpus(folder: Path, shards: int) -> None:
    """Random frames at 50 a second, two pieces a shard; ten shards are on the disk, the others links to them."""
    folder.mkdir()
    block = np.random.default_rng(0).integers(0, 256, (2, FRAMES, WIDTH), dtype=np.uint8)
    entries = []
    for number in range(shards):
        name = f"{number:05}"
        if number >= 10:  # a name of its own, and pages of its own where it is mapped
            (folder / f"{name}.npy").hardlink_to(folder / f"{number % 10:05}.npy")
        pieces = [_piece(f"{name}-{half}.mid", half * FRAMES // 2) for half in (0, 1)]
        entries.append(write_shard(folder, name, {f"{name}.npy": block}, pieces))
    write_manifest(folder, PianoRoll.silent(1, grid=SecondsGrid(0.02)), entries)


def _piece(source: str, offset: int) -> dict[str, object]:
    return {
        "source": source,
        "file_sha256": "0" * 64,
        "roll_sha256": "0" * 64,
        "velocity_sha256": None,
        "offset": offset,
        "frames": FRAMES // 2,
        "onsets": 0,
        "programs": [0],
        "ticks_per_beat": 480,
        "tempo": [[0, 500_000]],
        "time_signatures": [],
        "key_signatures": [],
        "labels": {},
    }
