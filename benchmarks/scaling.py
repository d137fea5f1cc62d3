"""How ``fit`` scales: windows a second by the windows of a batch, by hidden size, and by processes.

    python benchmarks/scaling.py [--batch-sizes 16 64 256] [--hidden 64 128 256 512] [--processes 1 2]

The model of 2017, in float32 and bfloat16. One of the three is varied while the others stay: 64 windows, 64 units, one
process (256 units where processes are varied: a smaller model leaves little to divide). A process has one thread on a
core of its own; where there are several, ``torchrun`` starts them, with gloo between them, and each batch is divided
among them. As in train.py every run has processes of its own, in turns, and the first epoch is not counted.

Writes scaling.json (for pyperf) and scaling.md to ``--output``.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from contenders import MODELS, no_bfloat16, write_data
from harness import Contender, Results, measure, missing_cores, save_results, table

from pianoroll_seq2seq.data.datasets.scale_chords import write_scale_chords

WORKER = Path(__file__).resolve().parent / "worker.py"
PRECISIONS = ("float32", "bfloat16")
BATCH_SIZE, HIDDEN, HIDDEN_FOR_PROCESSES = 64, 64, 256


@dataclass(frozen=True)
class Point:
    """One way to train."""

    precision: str
    batch_size: int = BATCH_SIZE
    hidden: int = HIDDEN
    processes: int = 1

    def __str__(self) -> str:
        return f"batch {self.batch_size}, hidden {self.hidden}, processes {self.processes}, {self.precision}"

    def contender(self, data: Path, epochs: int) -> Contender:
        """The command, under torchrun if need be."""
        command = [sys.executable]
        if self.processes > 1:
            command += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={self.processes}"]
        command += [str(WORKER), f"fit, {self.precision}", "--row", str(self), "--data", str(data)]
        command += ["--batch-size", str(self.batch_size), "--hidden", str(self.hidden), "--epochs", str(epochs)]
        return Contender(str(self), command, cores=self.processes, missing=self.missing(), keeps_memory=True)

    def missing(self) -> str:
        """Why it cannot be run, if so."""
        return missing_cores(self.processes) or no_bfloat16(self.precision)

    def billions(self) -> float:
        """Floating-point operations of a window in training, in 10^9."""
        return replace(MODELS["2017"], hidden_size=self.hidden).products()[1] / 1e9


def series(given: argparse.Namespace, precision: str) -> dict[str, list[Point]]:
    """What is varied, and the points of it; ratios are to the first of them."""
    return {
        "windows of a batch": [Point(precision, batch_size=size) for size in given.batch_sizes],
        "hidden size": [Point(precision, hidden=hidden) for hidden in given.hidden],
        "processes": [Point(precision, hidden=HIDDEN_FOR_PROCESSES, processes=count) for count in given.processes],
    }


def tables(results: Results, given: argparse.Namespace) -> str:
    """One for each of the three and each precision."""
    parts = []
    for precision in given.precisions:
        for varied, points in series(given, precision).items():
            parts += [f"By {varied}, {precision}", speeds(results, varied, points)]
    return "\n\n".join(parts)


def speeds(results: Results, varied: str, points: Sequence[Point]) -> str:
    """Windows a second, beside the first of the points, and how much arithmetic that is."""
    rows = []
    for point in points:
        name, values = str(point), {"windows of a batch": point.batch_size, "hidden size": point.hidden}
        value = str(values.get(varied, point.processes))
        if name not in results:
            rows.append((value, point.missing(), "", ""))
            continue
        speed, first = results.per_second(name), str(points[0])
        beside = results.speedup(name, first).format(".2f") if first in results else ""
        rows.append((value, speed.format(), beside, f"{speed.median * point.billions():.1f}"))
    return table((varied, "windows/s", "x the first", "GFLOP/s"), rows)


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--midi-dir", type=Path, help="a folder of MIDI files; the built-in pieces by default")
    parser.add_argument("--batch-sizes", nargs="*", type=int, default=[16, 64, 256])
    parser.add_argument("--hidden", nargs="*", type=int, default=[64, 128, 256, 512])
    parser.add_argument("--processes", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--pieces", type=int, default=30, help="to train on")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2, help="of each process; the first is not counted")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmarks"))
    given = parser.parse_args(arguments)
    if given.epochs < 2 or given.rounds < 1:
        parser.error("--epochs must be at least 2 (the first is not counted), and --rounds at least 1")
    return given


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    given = parsed(arguments)
    points = [point for precision in given.precisions for some in series(given, precision).values() for point in some]
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data.npz"
        write_data(given.midi_dir or write_scale_chords(Path(scratch) / "midi"), MODELS["2017"], data, given.pieces)
        listed = [point.contender(data, given.epochs) for point in dict.fromkeys(points)]
        measure(
            listed, given.rounds, lambda results: save_results(given.output, "scaling", results, tables(results, given))
        )


if __name__ == "__main__":
    main()
