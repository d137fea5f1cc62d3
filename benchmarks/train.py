"""Training: windows a second of ``fit``, beside loops of plain PyTorch and Keras, and beside what arithmetic allows.

    python benchmarks/train.py [--midi-dir path/to/midi] [--keras-python path/to/python] [--rounds 5]

Two models: that of the 2017 article, and one of 2 x 512 units whose decoder reads what is written. Every contender has
a process of its own on one core, in turns (harness.py), the same windows, and validates after every epoch; the first
epoch of a process is not counted. *plain PyTorch* is the model in PyTorch's modules and the loop one writes by hand;
*bare* is what ``fit`` computes with nothing around it. The arithmetic floor is the time of the model's matrix products
at the rate of a large product, measured in the same rounds: no way to train can be quicker with one core. Columns with
*CPU* are of processor time, which a program on the same core does not lengthen.

For Keras give the interpreter of an environment that has ``keras`` and ``tensorflow-cpu``. Losses after equal epochs:

    python benchmarks/train.py --models 2017 --rounds 3 --epochs 20 --losses-after 5 20

Each round has a seed of its own. Writes train-2017.json, train-2x512.json (for pyperf) and the tables, as Markdown, to
``--output``.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from contenders import MODELS, no_bfloat16, write_data
from harness import Contender, Results, Spread, measure, save_results, table
from worker import TRAINING

from pianoroll_seq2seq.data.datasets.scale_chords import write_scale_chords

HERE = Path(__file__).resolve().parent
KERAS, PLAIN = "Keras", "plain PyTorch, float32"
ON_A_CPU = [name for name in TRAINING if "float16" not in name.split(", ") and "compiled" not in name]
PRODUCTS = {precision: f"product, {precision}" for precision in ("float32", "bfloat16")}
FEW_PIECES = 10  # on which the large model trains a single epoch in the time that the small one takes for all


def keras_missing(python: str | None) -> str:
    """Why Keras cannot take part, if so."""
    if python is None:
        return "" if find_spec("keras") and find_spec("tensorflow") else "not installed; see --keras-python"
    wanted = "import importlib.util as u, sys; sys.exit(not (u.find_spec('keras') and u.find_spec('tensorflow')))"
    try:
        found = subprocess.run([python, "-c", wanted], check=False).returncode == 0  # noqa: S603 (the user's)
    except OSError as error:
        return f"{python} cannot be run ({error.strerror})"
    return "" if found else f"not installed for {python}"


def chosen(name: str, only: str | None) -> bool:
    """Whether a contender takes part; matrix products always do."""
    return only is None or is_product(name) or any(word in name for word in only.split(";"))


@dataclass(frozen=True)
class Comparison:
    """All contenders for a model.

    Attributes:
        model: its name.
        data: what it is trained on.
        counts: windows to train and to validate on.
        given: the command line.
    """

    model: str
    data: Path
    counts: tuple[int, int]
    given: argparse.Namespace

    def contenders(self) -> list[Contender]:
        """The requested contenders."""
        given = self.given
        options = ["--data", str(self.data), "--model", self.model, "--epochs", str(given.epochs)]
        options += ["--batch-size", str(given.batch_size), "--seed", "{round}"]
        listed = [
            Contender(
                name,
                [sys.executable, str(HERE / "worker.py"), name, *options],
                missing="" if is_product(name) else no_bfloat16(name),
                keeps_memory=name.startswith("fit"),
            )
            for name in [*ON_A_CPU, *PRODUCTS.values()]
            if chosen(name, given.only)
        ]
        if chosen(KERAS, given.only):
            command = [given.keras_python or sys.executable, str(HERE / "keras_worker.py"), *options]
            listed.append(Contender(KERAS, command, missing=keras_missing(given.keras_python)))
        return listed

    def keep(self, results: Results) -> None:
        """Writes and shows what is known so far."""
        heading = f"{self.model}: {self.counts[0]:,} windows and {self.counts[1]:,} to validate on"
        parts = [f"{heading}, batches of {self.given.batch_size}, {rounds(results)} rounds"]
        parts += [self.speeds(results), "\n".join(notes(results))]
        parts += [loss_table(results, self.given.losses_after)] if self.given.losses_after else []
        save_results(self.given.output, f"train-{self.model}", results, "\n\n".join(parts))

    def speeds(self, results: Results) -> str:
        """Windows a second, and beside the others; the same of processor time."""
        speeds = ("windows/s", "x plain float32", "x Keras")
        by_cpu = [f"{head}, CPU" for head in speeds]
        heads = ("contender", *speeds, *by_cpu, "of the floor", "epoch 1, s", "MiB")
        rows: list[Sequence[str]] = []
        for contender in self.contenders():
            name = contender.name
            if name not in results:
                rows.append((name, contender.missing, *[""] * (len(heads) - 2)))
            elif not is_product(name):
                found = [cell for cpu in (False, True) for cell in speed_cells(results, name, cpu=cpu)]
                first = Spread.of([one.warmups[0] * self.counts[0] for one in results[name]]).median
                memory = results.fact(name, "mem_max_rss").median / 2**20
                share = self.share_of_floor(results, name).median
                rows.append((name, *found, f"{share:.0%}", f"{first:.1f}", f"{memory:,.0f}"))
        return table(heads, rows)

    def share_of_floor(self, results: Results, name: str) -> Spread:
        """How much of a contender's time its matrix products would take at their best, round by round."""
        rate = PRODUCTS["bfloat16" if name.endswith("bfloat16") else "float32"]
        forward, training = MODELS[self.model].products()
        billions = (training + forward * self.counts[1] / self.counts[0]) / 1e9
        pairs = zip(results.seconds(rate), results.seconds(name), strict=True)
        return Spread.of([best * billions / taken for best, taken in pairs])


def speed_cells(results: Results, name: str, *, cpu: bool) -> list[str]:
    """Windows a second, and beside plain PyTorch and Keras; of processor time with ``cpu``."""
    beside = [results.speedup(name, base, cpu=cpu).format(".2f") if base in results else "" for base in (PLAIN, KERAS)]
    return [results.per_second(name, cpu=cpu).format(), *beside]


def rounds(results: Results) -> int:
    """How many there have been."""
    return max(len(results[name]) for name in results)


def is_product(name: str) -> bool:
    """Whether a row is of a matrix product, and not of a way to train."""
    return name in PRODUCTS.values()


def notes(results: Results) -> list[str]:
    """What the table has no room for."""
    said = []
    for precision, name in PRODUCTS.items():
        said.append(f"- Matrix product, {precision}: {results.per_second(name).format(',.1f')} GFLOP/s.")
        fitted, bare = f"fit, {precision}", f"bare, {precision}"
        if fitted in results and bare in results:
            ratios = results.speedup(bare, fitted)
            more = f"{ratios.median - 1:+.1%} ({ratios.low - 1:+.1%} to {ratios.high - 1:+.1%})"
            said.append(f"- `fit` beside the bare loop, {precision}: {more} of its time.")
    shares = [results.fact(name, "cpu_share").low for name in results if not is_product(name)]
    said.append(f"- The process that was disturbed the most had its core for {min(shares, default=1):.0%} of the time.")
    return said


def loss_table(results: Results, after: Sequence[int]) -> str:
    """Validation losses after so many epochs: means over the seeds would hide how far they lie apart."""
    rows = []
    for name in results:
        if not is_product(name):
            losses = [[float(loss) for loss in str(one.facts["valid_losses"]).split()] for one in results[name]]
            rows.append((name, *(Spread.of([seed[epoch - 1] for seed in losses]).format(".3f") for epoch in after)))
    return table(("validation loss, nats per frame", *(f"after {epoch} epochs" for epoch in after)), rows)


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--midi-dir", type=Path, help="a folder of MIDI files; the built-in pieces by default")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3, help="of each process; the first is not counted")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--pieces", type=int, help=f"to train on; all by default, and {FEW_PIECES} for the large model")
    parser.add_argument("--only", help="contenders whose names hold one of these, as 'fit;Keras'")
    parser.add_argument("--keras-python", help="an interpreter that has keras and tensorflow; this one by default")
    parser.add_argument("--losses-after", type=int, nargs="+", default=[], metavar="EPOCHS")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmarks"))
    given = parser.parse_args(arguments)
    if given.epochs < 2 or given.rounds < 1:
        parser.error("--epochs must be at least 2 (the first is not counted), and --rounds at least 1")
    if not all(1 <= epoch <= given.epochs for epoch in given.losses_after):
        parser.error(f"--losses-after takes epochs from 1 to {given.epochs}: there are no more (--epochs)")
    return given


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    given = parsed(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        midi_dir = given.midi_dir or write_scale_chords(Path(scratch) / "midi")
        for model in given.models:
            data = Path(scratch) / f"{model}.npz"
            pieces = given.pieces or (None if model == "2017" else FEW_PIECES)
            counts = write_data(midi_dir, MODELS[model], data, pieces)
            comparison = Comparison(model, data, counts, given)
            measure(comparison.contenders(), given.rounds, comparison.keep)


if __name__ == "__main__":
    main()
