"""Corpora written from the description of the format alone: an oracle for those that the library writes."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pianoroll_seq2seq import Corpus, PianoRoll


def write_corpus(folder: Path, shards: Sequence[Sequence[PianoRoll]]) -> Corpus:
    """A corpus of these rolls; with velocities if the first roll has them."""
    folder.mkdir()
    entries = [_write_shard(folder, f"{number:05}", rolls) for number, rolls in enumerate(shards)]
    write_manifest(folder, shards[0][0], entries)
    return Corpus(folder)


def write_manifest(folder: Path, first: PianoRoll, entries: list[dict[str, Any]]) -> None:
    """The manifest of a corpus of rolls like the first, with its hash."""
    pieces = sum(entry["pieces"] for entry in entries)
    manifest = {
        "format": "pianoroll_seq2seq corpus",
        "version": 2,
        "grid": {"class": type(first.grid).__name__, **first.grid.settings()},
        "parts": [
            {"name": part.name, "drums": part.drums, "lowest": part.pitches.lowest, "highest": part.pitches.highest}
            for part in first.parts
        ],
        "velocity": first.velocity is not None,
        "reading": {},
        "files": pieces,
        "files_per_shard": max(entry["pieces"] for entry in entries),
        "files_sha256": "0" * 64,
        "pieces": pieces,
        "frames": sum(entry["frames"] for entry in entries),
        "shards": entries,
        "failures": [],
    }
    seal = _sha256(json.dumps(manifest, sort_keys=True).encode())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"sha256": seal}))


def _write_shard(folder: Path, name: str, rolls: Sequence[PianoRoll]) -> dict[str, Any]:
    active, onset = (np.concatenate([getattr(roll, plane) for roll in rolls]) for plane in ("active", "onset"))
    arrays = {f"{name}.npy": np.packbits([active, onset], axis=2)}
    if rolls[0].velocity is not None:
        velocity = np.concatenate([roll.velocity for roll in rolls])
        arrays[f"{name}.velocity.npy"] = velocity[onset]
        arrays[f"{name}.onsets.npy"] = np.array([onset[:frame].sum() for frame in range(0, len(onset), 64)], "<i8")
    pieces, offset = [], 0
    for roll in rolls:
        pieces.append(_piece(roll, offset))
        offset += len(roll)
    return write_shard(folder, name, arrays, pieces)


def write_shard(folder: Path, name: str, arrays: dict[str, np.ndarray], pieces: list[dict[str, Any]]) -> dict[str, Any]:
    """The arrays and the index of a shard; returns its entry in the manifest."""
    listed = []
    for file, array in arrays.items():
        listed.append({"file": file, "dtype": "uint8" if array.dtype == np.uint8 else "<i8", "shape": array.shape})
        if not (folder / file).exists():
            np.save(folder / file, array)
    frames = sum(piece["frames"] for piece in pieces)
    index = json.dumps({"frames": frames, "arrays": listed, "pieces": pieces, "failures": []}).encode()
    (folder / f"{name}.json").write_bytes(index)
    return {"name": name, "pieces": len(pieces), "frames": frames, "index_sha256": _sha256(index)}


def _piece(roll: PianoRoll, offset: int) -> dict[str, Any]:
    planes = b"".join(np.packbits(plane, axis=1).tobytes() for plane in (roll.active, roll.onset))
    return {
        "source": f"{roll.name}.mid",
        "file_sha256": "0" * 64,
        "roll_sha256": _sha256(planes),
        "velocity_sha256": None if roll.velocity is None else _sha256(roll.velocity[roll.onset].tobytes()),
        "offset": offset,
        "frames": len(roll),
        "onsets": int(roll.onset.sum()),
        "programs": [part.program for part in roll.parts],
        "ticks_per_beat": roll.tempo.ticks_per_beat,
        "tempo": roll.tempo.changes,
        **roll.meter.to_dict(),
        "labels": {},
    }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
