"""Files to build a corpus of, and what makes building it go wrong. Worker processes import it."""

import _posixsubprocess
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pianoroll_seq2seq import BeatGrid, NoteTable, Part, Score, TempoMap, build_corpus, write_midi

KILLS = 666
"""Ticks per beat of files that kill the process that reads them."""

RAISES = 667
"""Ticks per beat of files on which the grid fails."""

KILLS_TWICE = 668
"""Ticks per beat of files of which a process survives one."""

SLOW = 669
"""Ticks per beat of files that take a second."""

STEPS = ("open", "os.mkdir", "os.link", "os.rename", "os.remove")
"""The audit events of the operations before which a build is killed."""

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
    """Does the work at once, in this thread."""

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
    build_corpus(
        arguments[0],
        arguments[1],
        grid=PausingGrid(4),
        files_per_shard=int(arguments[2]),
        outside="drop",
        progress=False,
    )


KILLER = "00.mid"
"""The file that kills its worker in :func:`build_in_trouble`."""


def build_in_trouble(trouble: str, folder: Path, builds: int) -> None:
    """Builds corpora of files of which the first kills, and prints for each what failed and how long it took, as JSON.

    Args:
        trouble: ``--busy`` keeps every core busy meanwhile; with ``--slow-starts``, starting a process takes long, and
            the machine has more cores.
        folder: where to work.
        builds: how many corpora.
    """
    source = write_songs(folder / "in", 4 if trouble == "--busy" else 8, {0: KILLS})
    with _every_core_busy() if trouble == "--busy" else _slow_starts():
        for number in range(builds):
            begun = time.monotonic()
            corpus = build_corpus(
                source, folder / str(number), grid=TrappedGrid(4), files_per_shard=1, outside="drop", progress=False
            )
            seconds = round(time.monotonic() - begun, 2)
            found = {"seconds": seconds, "pieces": len(corpus), "failures": corpus.failures}
            print(json.dumps(found), flush=True)


@contextlib.contextmanager
def _every_core_busy() -> Iterator[None]:
    loops = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], stdin=subprocess.PIPE)
        for _ in os.sched_getaffinity(0)
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.communicate()


@contextlib.contextmanager
def _slow_starts() -> Iterator[None]:
    """Starting a process takes half a second, as on a machine whose memory is full; and there are eight cores."""
    start, cores = _posixsubprocess.fork_exec, os.sched_getaffinity

    def start_slowly(*arguments: Any) -> int:
        process: int = start(*arguments)
        time.sleep(0.5)
        return process

    _posixsubprocess.fork_exec = subprocess._fork_exec = start_slowly
    os.sched_getaffinity = lambda _: set(range(8))
    try:
        yield
    finally:
        _posixsubprocess.fork_exec = subprocess._fork_exec = start
        os.sched_getaffinity = cores


def _killer(folder: Path, step: int) -> Callable[[str, tuple[Any, ...]], None]:
    """An audit hook that ends the process before the operation with this number on a file in the folder."""
    operations = itertools.count(1)

    def kill(event: str, arguments: tuple[Any, ...]) -> None:
        inside = event in STEPS and any(str(folder) in str(each) for each in arguments[:2])
        if inside and next(operations) == step:
            os._exit(137)

    return kill


def kill_at_every_step(source: Path, folder: Path) -> int:
    """Builds a corpus again and again, each time killed before its next operation on a file or folder; then ends it.

    Returns:
        How often it was killed.
    """
    from pianoroll_seq2seq import Corpus
    from pianoroll_seq2seq.errors import CorpusError, CorpusNotFoundError

    settings: dict[str, Any] = {"grid": BeatGrid(4), "files_per_shard": 2, "outside": "drop", "progress": False}
    build_corpus(source, folder / "whole", executor=Inline(), **settings)
    whole = contents(folder / "whole")
    for step in itertools.count(1):
        out = folder / str(step)
        child = os.fork()
        if child == 0:
            sys.addaudithook(_killer(out, step))
            build_corpus(source, out, executor=Inline(), **settings)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            assert contents(out) == whole
            return step - 1
        assert code == 137, code
        finished = [path.with_suffix(".npy") for path in out.glob("[0-9]*.json")] if out.exists() else []
        before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in finished]
        is_whole = (out / "manifest.json").exists()
        if not is_whole:
            try:
                Corpus(out)
            except (CorpusError, CorpusNotFoundError):
                pass
            else:
                raise AssertionError(f"step {step}: an unfinished corpus was opened")
        build_corpus(source, out, executor=Inline(), **settings)
        after = contents(out)
        if is_whole:  # killed after the manifest was written: its temporary name and the lock file may remain
            after = {name: content for name, content in after.items() if not name.startswith(".")}
        assert after == whole, (step, sorted(after), sorted(whole))
        assert before == [(path.stat().st_ino, path.stat().st_mtime_ns) for path in finished], step
    raise AssertionError


if __name__ == "__main__":
    if sys.argv[1] == "--at-every-step":
        print(kill_at_every_step(Path(sys.argv[2]), Path(sys.argv[3])))
    elif sys.argv[1] in ("--busy", "--slow-starts"):
        build_in_trouble(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        build_from_command_line(sys.argv[1:])
