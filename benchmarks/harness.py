"""Contenders in processes of their own, on cores of their own, in turns; what they say as pyperf's JSON and as tables.

A contender is a command. It prints, as the last line of its output, a JSON list of what it measured: :class:`Measured`.
Each round starts every contender once, in an order that shifts by one, so that whatever else the machine does meets
all of them; ratios are taken within each round. A process is held to its core by its affinity, which all libraries
must heed (environment variables alone do not bind XLA's threads), and told of it by the variables that they read.
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
# glibc gives large pieces of memory back and fetches them again, or keeps them, as the course of a process has it: the
# same loop took a quarter more time in one process than in the next. Here all keep them.
_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "4000000000", "MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TOP_PAD_": "67108864"}
_OF_MACHINE = (
    *("perf_version", "date", "cpu_model_name", "cpu_count", "cpu_freq", "load_avg_1min"),
    *("python_implementation", "python_version", "timer"),
)
_PACKAGES = ("pianoroll_seq2seq", "torch", "numpy", "onnxruntime")


@dataclass(frozen=True)
class Contender:
    """What takes part.

    Attributes:
        name: for messages.
        command: what to run; ``{round}`` in it becomes the number of the round, for a seed.
        cores: how many it gets: one for each of its processes, which have a single thread.
        missing: why it cannot be run, if so.
    """

    name: str
    command: Sequence[str]
    cores: int = 1
    missing: str = ""


@dataclass(frozen=True)
class Measured:
    """What a contender says of one thing that it measured.

    Attributes:
        name: the row of the table.
        values: seconds for one item, each time it was measured.
        warmups: the same of the times before, which do not count.
        facts: whatever else there is to know.
    """

    name: str
    values: list[float]
    warmups: list[float] = field(default_factory=list)
    facts: dict[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Spread:
    """The median of some figures, with the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of one figure or more."""
        return cls(statistics.median(values), min(values), max(values))

    def shown(self, form: str = ",.0f", unit: str = "") -> str:
        """As the tables have it."""
        return f"{self.median:{form}}{unit} ({self.low:{form}}–{self.high:{form}})"  # noqa: RUF001 (a range)


class Results:
    """All rounds of all contenders: ``results[name]`` is what was measured of a row, round by round."""

    def __init__(self) -> None:
        """Nothing is measured yet."""
        self._rounds: dict[str, list[Measured]] = {}
        self._machine: dict[str, list[dict[str, Any]]] = {}

    def add(self, measured: Measured) -> None:
        """One more round of a row."""
        self._rounds.setdefault(measured.name, []).append(measured)
        self._machine.setdefault(measured.name, []).append(_machine())

    def __contains__(self, name: str) -> bool:
        return name in self._rounds

    def __getitem__(self, name: str) -> list[Measured]:
        return self._rounds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rounds)

    def seconds(self, name: str) -> list[float]:
        """For one item, the median of each round."""
        return [statistics.median(one.values) for one in self[name]]

    def per_second(self, name: str) -> Spread:
        """Items a second, over the rounds."""
        return Spread.of([1 / seconds for seconds in self.seconds(name)])

    def times_as_fast(self, name: str, base: str) -> Spread:
        """The other's time over this one's, round by round."""
        pairs = zip(self.seconds(base), self.seconds(name), strict=True)
        return Spread.of([theirs / ours for theirs, ours in pairs])

    def fact(self, name: str, key: str) -> Spread:
        """Something else that every round said of a row."""
        return Spread.of([float(one.facts[key]) for one in self[name]])

    def write(self, path: Path) -> None:
        """As JSON that ``python -m pyperf show`` and ``compare_to`` read as well."""
        suite = pyperf.BenchmarkSuite([self._benchmark(name) for name in self])
        with writing(path, overwrite=True) as temporary:
            suite.dump(os.fspath(temporary), replace=True, compact=False)

    def _benchmark(self, name: str) -> Any:
        runs = zip(self._rounds[name], self._machine[name], strict=True)
        return pyperf.Benchmark(
            [
                pyperf.Run(
                    measured.values,
                    warmups=[(1, value) for value in measured.warmups],
                    metadata=machine | measured.facts | {"name": name, "unit": "second"},
                    collect_metadata=False,
                )
                for measured, machine in runs
            ]
        )


def measure(contenders: Sequence[Contender], rounds: int, after_round: Callable[[Results], None]) -> Results:
    """Runs all that can be run, so many times."""
    results = Results()
    able = [contender for contender in contenders if not contender.missing]
    for turn in range(rounds):
        first = turn % max(len(able), 1)
        for contender in able[first:] + able[:first]:
            print(f"round {turn + 1} of {rounds}: {contender.name}", file=sys.stderr, flush=True)
            for measured in _run(contender, turn):
                results.add(measured)
        after_round(results)
    return results


def report(results: Sequence[Measured]) -> None:
    """What a contender prints in the end."""
    print(json.dumps([asdict(one) for one in results]), flush=True)


def cores() -> list[int]:
    """Those that this process may use; none where that cannot be asked for."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def too_few(count: int) -> str:
    """Why so many cores cannot be had, if so."""
    able = len(cores()) or os.cpu_count() or 1
    return "" if able >= count else f"needs {count} cores of {able}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> str:
    """In Markdown; after so many columns of words come numbers."""
    lines = [heads, ["---"] * words + ["---:"] * (len(heads) - words), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def keep(folder: Path, name: str, results: Results, text: str) -> None:
    """Writes the figures to ``name``.json and the tables to ``name``.md, and shows these."""
    results.write(folder / f"{name}.json")
    with writing(folder / f"{name}.md", overwrite=True) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    print(text, flush=True)


def _run(contender: Contender, turn: int) -> list[Measured]:
    """Raises SystemExit, with what it complained of, where it fails."""
    command = [part.replace("{round}", str(turn)) for part in contender.command]
    environment = os.environ | dict.fromkeys(_THREADS, "1") | _MEMORY
    with _held_to(cores()[-contender.cores :]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 (our own)
    if done.returncode:
        raise SystemExit(f"{contender.name} failed with status {done.returncode}:\n{done.stderr[-4000:]}")
    said = json.loads(done.stdout.strip().splitlines()[-1])
    return [Measured(**one) for one in said]


@contextmanager
def _held_to(some: Sequence[int]) -> Iterator[None]:
    """Within: this process on these cores, and whatever it starts."""
    if not some:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, some)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _machine() -> dict[str, Any]:
    """Where and when, and with what."""
    known = pyperf.Run([1.0]).get_metadata()
    said = {key: known[key] for key in _OF_MACHINE if key in known}
    for package in _PACKAGES:
        try:
            said[f"{package}_version"] = version(package)
        except PackageNotFoundError:
            said[f"{package}_version"] = "not installed"
    return said
