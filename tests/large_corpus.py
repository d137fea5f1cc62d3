"""A corpus of any size that takes little of the disk."""

import json
from pathlib import Path

import numpy as np

from pianoroll_seq2seq import PianoRoll, SecondsGrid, build_corpus

FRAMES, WIDTH = 200_000, 11
BYTES = 2 * FRAMES * WIDTH
"""Of a shard."""


def write_large_corpus(folder: Path, shards: int) -> None:
    """Random frames at 50 a second, two pieces a shard; ten shards are on the disk, the others links to them."""
    source = folder.with_name(f"{folder.name} midi")
    source.mkdir()
    PianoRoll.from_active(np.ones((1, 88), bool), grid=SecondsGrid(0.02)).to_midi(source / "a.mid")
    build_corpus(source, folder, grid=SecondsGrid(0.02), progress=False)
    manifest = json.loads((folder / "manifest.json").read_text())
    piece = json.loads((folder / "00000.json").read_text())["pieces"][0]
    block = np.random.default_rng(0).integers(0, 256, (2, FRAMES, WIDTH), dtype=np.uint8)
    manifest["shards"] = []
    for number in range(shards):
        name = f"{number:05}"
        manifest["shards"].append({"name": name, "pieces": 2, "frames": FRAMES})
        pieces = [piece | {"offset": offset, "frames": FRAMES // 2} for offset in (0, FRAMES // 2)]
        (folder / f"{name}.json").write_text(json.dumps({"frames": FRAMES, "pieces": pieces, "failures": []}))
        if number < 10:
            np.save(folder / f"{name}.npy", block)
        else:  # a name of its own, and pages of its own where it is mapped
            (folder / f"{name}.npy").hardlink_to(folder / f"{number % 10:05}.npy")
    (folder / "manifest.json").write_text(json.dumps(manifest))
