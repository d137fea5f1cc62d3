"""Runs contenders in turns, each in a process and on cores of its own, and writes pyperf's JSON and tables.

A contender is a command whose last line of output is a JSON list of :class:`Measurement`. Each round starts every
contender once, in an order that shifts by one, so that other load on the machine affects all of them; ratios are taken
within each round. A process gets its cores by its affinity, which binds all libraries (environment variables alone do
not bind XLA's threads), and by the environment variables that set the number of threads.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyperf

from pianoroll_seq2seq._internal.atomic import writing

_THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)
# glibc may return large blocks of memory to the system and request them again, depending on the history of a process:
# the same loop took a quarter more time in one process than in the next. With these settings the processes of loops
# that are written by hand keep them, as `fit` does itself.
_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "4000000000", "MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TOP_PAD_": "67108864"}
_MACHINE_KEYS = (
    *("perf_version", "date", "cpu_model_name", "cpu_count", "cpu_freq", "load_avg_1min"),
    *("python_implementation", "python_version", "timer"),
)
_PACKAGES = ("pianoroll_seq2seq", "torch", "numpy")


@dataclass(frozen=True)
class Contender:
    """A program to measure.

    Attributes:
        name: its name in messages.
        command: its command line; ``{round}`` in it becomes the number of the round, such as for a seed.
        cores: number of its cores: one for each of its processes, which have a single thread.
        missing: why it cannot run; empty if it can.
        keeps_memory: whether it makes glibc keep freed memory itself, as ``fit`` does. For others environment
            variables do.
    """

    name: str
    command: Sequence[str]
    cores: int = 1
    missing: str = ""
    keeps_memory: bool = False


@dataclass(frozen=True)
class Measurement:
    """A contender's measurements for one row of the table.

    Attributes:
        name: of the row.
        values: seconds for one item, one for each time it was measured.
        warmups: seconds for one item of the first times, which do not count.
        facts: other results, such as losses or memory.
        cpu_values: seconds of processor time for one item, of all threads, for each of ``values``; empty if unknown.
            What else the machine does lengthens them less.
    """

    name: str
    values: list[float]
    warmups: list[float] = field(default_factory=list)
    facts: dict[str, float | str] = field(default_factory=dict)
    cpu_values: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Spread:
    """The median of some numbers, with the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of at least one number."""
        return cls(statistics.median(values), min(values), max(values))

    def format(self, form: str = ",.0f", unit: str = "") -> str:
        """A cell of a table."""
        return f"{self.median:{form}}{unit} ({self.low:{form}}–{self.high:{form}})"  # noqa: RUF001 (a range)


class Results:
    """All rounds of all contenders: ``results[name]`` are the measurements of a row, one per round."""

    def __init__(self) -> None:
        """Has no measurements yet."""
        self._rounds: dict[str, list[Measurement]] = {}
        self._machine: dict[str, list[dict[str, Any]]] = {}

    def add(self, measurement: Measurement) -> None:
        """Adds a round of a row."""
        self._rounds.setdefault(measurement.name, []).append(measurement)
        self._machine.setdefault(measurement.name, []).append(_machine())

    def __contains__(self, name: str) -> bool:
        return name in self._rounds

    def __getitem__(self, name: str) -> list[Measurement]:
        return self._rounds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rounds)

    def seconds(self, name: str, *, cpu: bool = False) -> list[float]:
        """Seconds for one item, or seconds of processor time: the median of each round."""
        return [statistics.median(one.cpu_values if cpu else one.values) for one in self[name]]

    def per_second(self, name: str, *, cpu: bool = False) -> Spread:
        """Items per second, or per second of processor time, over the rounds."""
        return Spread.of([1 / seconds for seconds in self.seconds(name, cpu=cpu)])

    def speedup(self, name: str, base: str, *, cpu: bool = False) -> Spread:
        """How many times as fast as ``base`` a row is, over the rounds; of processor time with ``cpu``."""
        pairs = zip(self.seconds(base, cpu=cpu), self.seconds(name, cpu=cpu), strict=True)
        return Spread.of([base_seconds / seconds for base_seconds, seconds in pairs])

    def fact(self, name: str, key: str) -> Spread:
        """Another result of a row, over the rounds."""
        return Spread.of([float(one.facts[key]) for one in self[name]])

    def write(self, path: Path) -> None:
        """Writes JSON that ``python -m pyperf show`` and ``compare_to`` can read."""
        suite = pyperf.BenchmarkSuite([self._benchmark(name) for name in self])
        with writing(path, overwrite=True) as temporary:
            suite.dump(os.fspath(temporary), replace=True, compact=False)

    def _benchmark(self, name: str) -> Any:
        runs = zip(self._rounds[name], self._machine[name], strict=True)
        return pyperf.Benchmark(
            [
                pyperf.Run(
                    measurement.values,
                    warmups=[(1, value) for value in measurement.warmups],
                    metadata=machine | measurement.facts | {"name": name, "unit": "second"},
                    collect_metadata=False,
                )
                for measurement, machine in runs
            ]
        )


def measure(contenders: Sequence[Contender], rounds: int, after_round: Callable[[Results], None]) -> Results:
    """Runs all contenders that can run, once per round."""
    results = Results()
    able = [contender for contender in contenders if not contender.missing]
    for turn in range(rounds):
        first = turn % max(len(able), 1)
        for contender in able[first:] + able[:first]:
            print(f"round {turn + 1} of {rounds}: {contender.name}", file=sys.stderr, flush=True)
            for measurement in _run(contender, turn):
                results.add(measurement)
        after_round(results)
    return results


def print_measurements(measurements: Sequence[Measurement]) -> None:
    """Prints the measurements of a contender, as its last line of output."""
    print(json.dumps([asdict(one) for one in measurements]), flush=True)


def cores() -> list[int]:
    """The cores that this process may use; empty if the system cannot say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def missing_cores(count: int) -> str:
    """Why a process cannot have this many cores; empty if it can."""
    able = len(cores()) or os.cpu_count() or 1
    return "" if able >= count else f"needs {count} cores of {able}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> str:
    """A table in Markdown, whose first ``words`` columns are words and the others numbers."""
    lines = [heads, ["---"] * words + ["---:"] * (len(heads) - words), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def save_results(folder: Path, name: str, results: Results, text: str) -> None:
    """Writes the measurements to ``name``.json and the tables to ``name``.md, and prints the tables."""
    results.write(folder / f"{name}.json")
    with writing(folder / f"{name}.md", overwrite=True) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    print(text, flush=True)


def _run(contender: Contender, turn: int) -> list[Measurement]:
    """Runs a contender. If it fails, raises SystemExit with the end of its standard error."""
    command = [part.replace("{round}", str(turn)) for part in contender.command]
    environment = os.environ | dict.fromkeys(_THREADS, "1") | ({} if contender.keeps_memory else _MEMORY)
    with _affinity(cores()[-contender.cores :]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 (our own)
    if done.returncode:
        raise SystemExit(f"{contender.name} failed with status {done.returncode}:\n{done.stderr[-4000:]}")
    measurements = json.loads(done.stdout.strip().splitlines()[-1])
    return [Measurement(**one) for one in measurements]


@contextmanager
def _affinity(cores_to_use: Sequence[int]) -> Iterator[None]:
    """Binds this process, and those that it starts, to these cores."""
    if not cores_to_use:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores_to_use)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _machine() -> dict[str, Any]:
    """The date, the machine and the versions of packages."""
    known = pyperf.Run([1.0]).get_metadata()
    metadata = {key: known[key] for key in _MACHINE_KEYS if key in known}
    for package in _PACKAGES:
        try:
            metadata[f"{package}_version"] = version(package)
        except PackageNotFoundError:
            metadata[f"{package}_version"] = "not installed"
    return metadata
