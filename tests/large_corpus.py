"""A corpus of any size that takes little of the disk."""

import hashlib
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from pianoroll_seq2seq import PianoRoll, SecondsGrid, build_corpus
from pianoroll_seq2seq.data.corpus.format import (
    Index,
    ShardEntry,
    array_files,
    read_index,
    read_manifest,
    sealed,
    write_json,
)

FRAMES, WIDTH = 200_000, 11
BYTES = 2 * FRAMES * WIDTH
"""Of a shard."""


def write_large_corpus(folder: Path, shards: int) -> None:
    """Random frames at 50 a second, two pieces a shard; ten shards are on the disk, the others links to them."""
    source = folder.with_name(f"{folder.name} midi")
    source.mkdir()
    PianoRoll.from_active(np.ones((1, 88), bool), grid=SecondsGrid(0.02)).to_midi(source / "a.mid")
    corpus = build_corpus(source, folder, grid=SecondsGrid(0.02), velocity=False, progress=False)
    index, _ = read_index(folder, "00000", corpus.parts, velocity=False)
    half = FRAMES // 2
    pieces = tuple(replace(index.pieces[0], offset=offset, frames=half) for offset in (0, half))
    onsets = sum(piece.onsets for piece in pieces)
    block = np.random.default_rng(0).integers(0, 256, (2, FRAMES, WIDTH), dtype=np.uint8)
    entries = []
    for number in range(shards):
        name = f"{number:05}"
        if number < 10:
            np.save(folder / f"{name}.npy", block)
        else:  # a name of its own, and pages of its own where it is mapped
            (folder / f"{name}.npy").hardlink_to(folder / f"{number % 10:05}.npy")
        arrays = array_files(name, FRAMES, onsets, plane_size=88, velocity=False)
        path = folder / f"{name}.json"
        write_json(path, Index(FRAMES, arrays, pieces, ()), overwrite=True, indent=None)
        entries.append(ShardEntry(name, 2, FRAMES, hashlib.sha256(path.read_bytes()).hexdigest()))
    manifest = replace(
        read_manifest(folder), files=2 * shards, pieces=2 * shards, frames=FRAMES * shards, shards=tuple(entries)
    )
    write_json(folder / "manifest.json", sealed(manifest), overwrite=True)
