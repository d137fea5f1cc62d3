"""Training and generation on a GPU: windows a second by precision, beside plain PyTorch and cuDNN alone, and memory.

    python benchmarks/gpu.py [--batch-sizes 64 1024] [--models 2017 2x512] [--rounds 3]

The contenders of train.py, with ``compile_model`` and float16, each in a process of its own, in turns. Beside
them the LSTM layers alone, forward and backward on data that lies ready: what cuDNN needs at least, which a loop can
come near. A share of 50 % means that the loop takes twice as long, validation included. Memory is the most that PyTorch
had allocated at once. Generation is that of ``generate_frames``, for one continuation and for many.

Without a GPU it says so and ends with status 2. Writes gpu.json (for pyperf) and gpu.md to ``--output``.
"""

import argparse
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from contenders import FRAMES, MODELS, build_model, no_bfloat16, write_data
from harness import Contender, Measurement, Results, Spread, measure, print_measurements, save_results, table
from worker import TRAINING

from pianoroll_seq2seq import Threshold, generate_frames
from pianoroll_seq2seq.data.datasets.scale_chords import write_scale_chords

HERE = Path(__file__).resolve().parent
PRECISIONS = ("float32", "bfloat16")
PLAIN = "plain PyTorch, float32"


def row(model: str, batch_size: int, name: str) -> str:
    """What the files call it."""
    return f"{model}, batch {batch_size}: {name}"


def training(model: str, batch_size: int, data: Path, given: argparse.Namespace) -> list[Contender]:
    """All for a model and a size of batches."""
    options = ["--data", str(data), "--model", model, "--epochs", str(given.epochs), "--seed", "{round}"]
    options += ["--batch-size", str(batch_size), "--device", given.device]
    able = [name for name in TRAINING if given.device != "cpu" or "compiled" not in name]  # that wants a C++ compiler
    names = [*able, *(f"LSTM layers, {precision}" for precision in PRECISIONS)]
    return [
        Contender(
            label,
            [sys.executable, str(HERE / "worker.py"), name, "--row", label, *options],
            missing=no_bfloat16(name, given.device),
            keeps_memory=name.startswith("fit") and given.device == "cpu",
        )
        for name in names
        if not given.only or any(word in name for word in given.only.split(";"))
        for label in [row(model, batch_size, name)]
    ]


def generated(model: str, given: argparse.Namespace) -> list[Measurement]:
    """Seconds for each frame of a batch of continuations."""
    torch.manual_seed(0)
    sizes = MODELS[model]
    trained, said = build_model(sizes).to(given.device).eval(), []
    for batch in given.continuations:
        primers = np.random.default_rng(0).random((batch, FRAMES, len(sizes.pitches))) < 0.05
        stream = generate_frames(trained, primers, sampler=Threshold(0.5))
        for _ in islice(stream, FRAMES):
            pass
        seconds = []
        for _ in range(3):
            begun = time.perf_counter()
            for _ in islice(stream, 2 * FRAMES):  # every frame arrives on the CPU: nothing is left under way
                pass
            seconds.append((time.perf_counter() - begun) / (2 * FRAMES))
        said.append(Measurement(row(model, batch, "generate_frames"), seconds))
    return said


def speeds(results: Results, model: str, batch_size: int) -> str:
    """Windows a second, beside cuDNN and plain PyTorch, and memory."""
    rows = []
    for name in TRAINING:
        label = row(model, batch_size, name)
        if label not in results:
            continue
        precision = "float32" if "float32" in name else "bfloat16"
        bases = [row(model, batch_size, PLAIN), row(model, batch_size, f"LSTM layers, {precision}")]
        plain, alone = (results.speedup(label, base) if base in results else None for base in bases)
        memory = results.fact(label, "gpu_peak_bytes").median / 2**20
        rows.append(
            (
                name,
                results.per_second(label).format(),
                "" if plain is None else plain.format(".2f"),
                "" if alone is None else f"{alone.median:.0%}",
                f"{memory:,.0f}",
            )
        )
    return table(("contender", "windows/s", "x plain float32", "of cuDNN alone", "GPU memory, MiB"), rows)


def tables(results: Results, given: argparse.Namespace) -> str:
    """All of them."""
    parts = [given.name]
    for model in given.models:
        for batch_size in given.batch_sizes:
            parts += [f"{model}, batches of {batch_size}", speeds(results, model, batch_size)]
        rows = [
            (str(batch), Spread.of([batch / one for one in steps]).format())
            for batch in given.continuations
            if (label := row(model, batch, "generate_frames")) in results
            for steps in [results.seconds(label)]
        ]
        parts += [f"{model}, generation", table(("continuations", "frames/s"), rows)]
    return "\n\n".join(parts)


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--midi-dir", type=Path, help="a folder of MIDI files; the built-in pieces by default")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[64, 1024])
    parser.add_argument("--continuations", nargs="+", type=int, default=[1, 64, 256])
    parser.add_argument("--pieces", type=int, help="to train on; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="of each process; the first is not counted")
    parser.add_argument("--only", help="contenders whose names hold one of these, as 'fit;LSTM'")
    parser.add_argument("--device", default="cuda", help="cpu tries the script out")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--worker", choices=MODELS, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.epochs < 2 or given.rounds < 1:
        parser.error("--epochs must be at least 2 (the first is not counted), and --rounds at least 1")
    if given.device != "cpu" and not torch.cuda.is_available():
        parser.exit(2, "gpu.py: PyTorch finds no CUDA device here; it needs a GPU and a PyTorch built for it.\n")
    given.name = "the CPU" if given.device == "cpu" else torch.cuda.get_device_name(given.device)
    return given


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    given = parsed(arguments)
    if given.worker:
        print_measurements(generated(given.worker, given))
        return
    options = ["--device", given.device, "--continuations", *map(str, given.continuations)]
    with tempfile.TemporaryDirectory() as scratch:
        midi_dir = given.midi_dir or write_scale_chords(Path(scratch) / "midi")
        listed = []
        for model in given.models:
            data = Path(scratch) / f"{model}.npz"
            write_data(midi_dir, MODELS[model], data, given.pieces)
            for batch_size in given.batch_sizes:
                listed += training(model, batch_size, data, given)
            command = [sys.executable, __file__, "--worker", model, *options]
            listed.append(Contender(f"{model}: generate_frames", command))
        measure(
            listed, given.rounds, lambda results: save_results(given.output, "gpu", results, tables(results, given))
        )


if __name__ == "__main__":
    main()
