"""Windows a second: from a corpus on disk that is larger than the memory allowed, and from memory, side by side.

    python benchmarks/windows.py FOLDER [--copies 15] [--grid 16th] [--workers 2]
    python benchmarks/windows.py FOLDER --parts MELODY,BRIDGE,PIANO --planes velocity --batch 32

A corpus is built of every MIDI file below FOLDER, taken as often as ``--copies`` says. Then a
process whose own memory is limited (RLIMIT_DATA, which does not count mapped files) fetches random windows of 50 + 50
frames as float32: 256 at a time of 88 pitches, which are 9 MB. With ``--parts`` each part has the pitches that occur.
"""

import argparse
import contextlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pianoroll_seq2seq import (
    BeatGrid,
    Corpus,
    FrameGrid,
    FrameLayout,
    PianoRoll,
    PitchRange,
    SecondsGrid,
    SlidingWindows,
    build_corpus,
    read_folder,
)
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.errors import MidiError
from pianoroll_seq2seq.midi_io import music_paths
from pianoroll_seq2seq.pitches import PIANO

_FRAMES = 50
_GRIDS: dict[str, FrameGrid] = {"50hz": SecondsGrid(0.02), "16th": BeatGrid(4)}
_MARGIN = 128 * 2**20  # bytes above what the process holds after its imports


def windows_per_second(fetch: Callable[[np.ndarray], object], count: int, batches: int, batch: int) -> float:
    """The median over batches of random windows, after a tenth as many to warm up."""
    generator = np.random.default_rng(0)
    seconds = []
    for _ in range(batches + batches // 10):
        indices = generator.integers(0, count, batch)
        begin = time.perf_counter()
        fetch(indices)
        seconds.append(time.perf_counter() - begin)
    return batch / statistics.median(seconds[batches // 10 :])


def limit_memory() -> int:
    """Limits this process to what it holds and a margin; gives the limit in bytes."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    limit = int(status["VmData"].split()[0]) * 1024 + _MARGIN
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))
    return limit


def measure(folder: str, batches: int, batch: int, planes: str) -> dict[str, Any]:
    """Fetches windows of a corpus under the limit; and without it, of its first pieces, from memory."""
    torch.set_num_threads(1)
    limit = limit_memory()
    corpus = Corpus(folder)
    layout = FrameLayout.of(corpus, onsets=planes != "active", velocity=planes == "velocity")
    mapped = _cut(corpus, layout)
    out = torch.empty(batch, 2 * _FRAMES, layout.frame_size)

    def rate(fetch: Callable[[np.ndarray], object], count: int, times: int = batches) -> float:
        return windows_per_second(fetch, count, times, batch)

    rates = {
        "corpus on disk, out=": rate(lambda rows: mapped.batch(rows, out=out), len(mapped)),
        "corpus on disk": rate(mapped.batch, len(mapped)),
    }
    resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    rolls = list(corpus[:40])
    memory = _cut(rolls, layout)
    # The usual way in PyTorch: every window as a view of one tensor.
    views = torch.from_numpy(np.concatenate([roll.active for roll in rolls]).astype(np.uint8)).unfold(0, 2 * _FRAMES, 1)
    rates |= {
        "rolls in memory, out=": rate(lambda rows: memory.batch(rows, out=out), len(memory)),
        "rolls in memory": rate(memory.batch, len(memory)),
        "torch unfold, a byte a cell, active plane": rate(
            lambda rows: views[torch.from_numpy(rows)].transpose(1, 2).float(), len(views), batches // 5
        ),
    }
    shards = list(Path(folder).glob("?????.npy"))
    return {
        "machine": {"platform": platform.platform(), "python": platform.python_version(), "torch": torch.__version__},
        "frame_size": layout.frame_size,
        "batch": batch,
        "corpus_bytes": sum(path.stat().st_size for path in shards),
        "velocity_bytes": sum(path.stat().st_size for path in Path(folder).glob("?????.*.npy")),
        "shards": len(shards),
        "limit_bytes": limit,
        "margin_bytes": _MARGIN,
        "windows": len(mapped),
        "windows_per_second": rates,
    }


def _cut(rolls: Sequence[PianoRoll], layout: FrameLayout) -> SlidingWindows:
    return SlidingWindows(rolls, input_frames=_FRAMES, target_frames=_FRAMES, hop=1, short="skip", layout=layout)


def pitches_by_part(folder: Path, parts: Sequence[str]) -> dict[str, PitchRange]:
    """The pitches that occur in each part of some files."""
    rolls = read_folder(folder, parts=parts, velocity=False).rolls
    sounding = np.logical_or.reduce([roll.active.any(axis=0) for roll in rolls])
    ranges = {}
    for part in rolls[0].parts:
        used = np.flatnonzero(sounding[rolls[0].columns(part.name)]) + part.pitches.lowest
        ranges[part.name] = PitchRange(int(used[0]), int(used[-1]))
    return ranges


def _start() -> None:
    """Imports the library in a worker; the pause lets each worker take one of these tasks."""
    with contextlib.suppress(MidiError):
        PianoRoll.from_midi(b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\4\0\xff\x2f\0")
    time.sleep(0.5)


def build(
    folder: Path,
    out: Path,
    *,
    copies: int,
    grid: FrameGrid,
    files_per_shard: int,
    workers: int,
    parts: Sequence[str] | None,
    velocity: bool,
) -> float:
    """A corpus of every file of the folder, so many times; files a second, the workers' start not counted."""
    links = out / "links"
    for copy in range(copies):
        (links / f"{copy:03}").mkdir(parents=True)
        for path in music_paths(folder):
            (links / f"{copy:03}" / path.name).symlink_to(path.resolve())
    pitches = PIANO if parts is None else pitches_by_part(folder, parts)
    with ProcessPoolExecutor(workers) as executor:
        wait([executor.submit(_start) for _ in range(workers)])
        begin = time.perf_counter()
        corpus = build_corpus(
            links,
            out / "corpus",
            grid=grid,
            pitches=pitches,
            parts=parts,
            velocity=velocity,
            outside="drop",
            on_damage="salvage",
            files_per_shard=files_per_shard,
            executor=executor,
        )
        return (len(corpus) + len(corpus.failures)) / (time.perf_counter() - begin)


def main() -> None:
    """Builds, then measures in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="MIDI files")
    parser.add_argument("--copies", type=int, default=15, help="how often each file is taken")
    parser.add_argument("--grid", choices=sorted(_GRIDS), default="50hz")
    parser.add_argument("--files-per-shard", type=int, default=512)
    parser.add_argument("--workers", type=int, default=1, help="processes that build")
    parser.add_argument("--parts", type=lambda text: text.split(","), help="tracks with commas between them")
    parser.add_argument("--planes", choices=["active", "onset", "velocity"], default="active", help="the last plane")
    parser.add_argument("--batch", type=int, default=256, help="windows at a time")
    parser.add_argument("--batches", type=int, default=300)
    parser.add_argument("--output", type=Path, default=Path("windows.json"))
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(str(arguments.folder), arguments.batches, arguments.batch, arguments.planes)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        rate = build(
            arguments.folder,
            Path(scratch),
            copies=arguments.copies,
            grid=_GRIDS[arguments.grid],
            files_per_shard=arguments.files_per_shard,
            workers=arguments.workers,
            parts=arguments.parts,
            velocity=arguments.planes == "velocity",
        )
        command = [sys.executable, __file__, str(Path(scratch) / "corpus"), "--measure"]
        command += ["--batches", str(arguments.batches), "--batch", str(arguments.batch), "--planes", arguments.planes]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(  # noqa: S603 (this very file)
            command, stdout=subprocess.PIPE, text=True, check=True, env=environment
        )
    result = {
        "files_built_per_second": rate,
        "workers": arguments.workers,
        **json.loads(done.stdout),
    }
    print(f"built by {arguments.workers} processes at {rate:,.0f} files/s")
    print(
        f"{result['windows']:,} windows of {2 * _FRAMES} frames of {result['frame_size']} columns, "
        f"{result['batch']} at a time; {result['corpus_bytes'] / 1e6:.0f} MB and "
        f"{result['velocity_bytes'] / 1e6:.1f} MB of velocities in {result['shards']} shards; "
        f"{_MARGIN / 2**20:.0f} MiB of memory allowed beyond the imports"
    )
    for name, rate in result["windows_per_second"].items():
        print(f"{name:40} {rate:12,.0f} windows/s")
    with writing(arguments.output, overwrite=True) as path:
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
