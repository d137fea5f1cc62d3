"""Files to build a corpus of, and what makes building it go wrong. Worker processes import it."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pianoroll_seq2seq import BeatGrid, NoteTable, Part, Score, TempoMap, write_midi

KILLS = 666
"""Ticks per beat of files that kill the process that reads them."""

RAISES = 667
"""Ticks per beat of files on which the grid fails."""

KILLS_TWICE = 668
"""Ticks per beat of files of which a process survives one."""

SLOW = 669
"""Ticks per beat of files that take a second."""

_read: set[TempoMap] = set()


@dataclass(frozen=True)
class TrappedGrid(BeatGrid):
    """Sixteenths, and traps for those who read certain files."""

    def lines_at(self, ticks: np.ndarray, tempo: TempoMap) -> np.ndarray:
        if tempo.ticks_per_beat == RAISES:
            raise RuntimeError("a fault in the grid")
        if tempo.ticks_per_beat == KILLS_TWICE:
            _read.add(tempo)
        if tempo.ticks_per_beat == KILLS or len(_read) > 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if tempo.ticks_per_beat == SLOW:
            time.sleep(0.5)
        return super().lines_at(ticks, tempo)


PAUSE = "SABOTAGE_PAUSE"
"""The environment variable that says how many seconds a :class:`PausingGrid` waits at each file."""


@dataclass(frozen=True)
class PausingGrid(BeatGrid):
    """Sixteenths, and time for what comes between: without it a build may be over before it is disturbed."""

    def lines_at(self, ticks: np.ndarray, tempo: TempoMap) -> np.ndarray:
        time.sleep(float(os.environ.get(PAUSE, "0")))
        return super().lines_at(ticks, tempo)


def write_song(path: Path, seed: int, *, ticks_per_beat: int = 480, notes: int = 30) -> None:
    """A song of its own for each seed, with tempo changes."""
    random = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    onsets = np.sort(random.integers(0, 16 * ticks_per_beat, size=notes))
    rows = [
        (int(on), int(on) + int(random.integers(1, 2 * ticks_per_beat)), int(random.integers(40, 90)), 64, index % 2)
        for index, on in enumerate(onsets)
    ]
    table = NoteTable(*([row[column] for row in rows] for column in range(5)))
    tempo = TempoMap(ticks_per_beat, [(0, 400_000 + 1000 * seed), (8 * ticks_per_beat, 600_000)])
    write_midi(Score(table, tempo, (Part("MELODY"), Part("PIANO"))), path, overwrite=True)


def write_songs(folder: Path, count: int, traps: dict[int, int] | None = None) -> Path:
    """``00.mid`` and so on; ``traps`` are ticks per beat by number."""
    for number in range(count):
        write_song(folder / f"{number:02}.mid", number, ticks_per_beat=(traps or {}).get(number, 480))
    return folder


class Inline(Executor):
    """Does the work at once, where it stands."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def processes_of_session(session: int) -> list[int]:
    """What of a session still runs."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] not in "ZX":
                    found.append(int(entry.name))
    return found


@contextlib.contextmanager
def dask_executor(workers: int) -> Iterator[Executor]:
    """Processes of a Dask cluster."""
    import dask
    from distributed import Client, LocalCluster

    settings = {
        "distributed.comm.timeouts.connect": "3s",  # not 30, where a worker is gone
        "distributed.scheduler.allowed-failures": 1,
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=60,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor()


def build_from_command_line(arguments: Sequence[str]) -> None:
    """A user's script: where the files lie, where the corpus goes, files a shard."""
    from pianoroll_seq2seq import build_corpus

    build_corpus(
        arguments[0],
        arguments[1],
        grid=PausingGrid(4),
        files_per_shard=int(arguments[2]),
        outside="drop",
        progress=False,
    )


if __name__ == "__main__":
    import sys

    build_from_command_line(sys.argv[1:])
