"""Generation: frames per second and time per frame, compared with a loop that calls ``torch.nn.LSTM`` for every frame.

    python benchmarks/generate.py [--batches 1 4 16 64 256] [--hidden-size 256] [--rounds 5]

A model of two layers each way continues primers of 50 frames of 88 pitches on one core, and samples every frame. The
methods share its weights, and are checked to write the same frames from the same random numbers before they are timed:
``generate_frames``, which chooses a stepper by the batch size; the same with one stepper for all batch sizes (fused
layers, PyTorch's cells, NumPy); and the plain loop. They take turns within each process, and each round has a process
for each head. An item is a frame of every continuation of the batch; the time to read the primer does not count. The
live stream is one continuation, frame after frame.

Writes generate.json (for pyperf) and generate.md to ``--output``.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from harness import Contender, Measurement, Results, Spread, measure, print_measurements, save_results, table
from torch import nn

from pianoroll_seq2seq import BernoulliHead, RelativeBernoulliHead, Seq2SeqLSTM, generate_frames
from pianoroll_seq2seq.models.heads.random_numbers import RowGenerators, uniform
from pianoroll_seq2seq.models.layers.stepping import CellStepper, FusedStepper, LSTMStepper, Memory, NumPyStepper

HEADS = {"BernoulliHead": BernoulliHead, "RelativeBernoulliHead": RelativeBernoulliHead}
PITCHES, PRIMER = 88, 50
OURS, PLAIN = "generate_frames", "plain nn.LSTM loop"
_CHOOSE_STEPPER = "pianoroll_seq2seq.models.seq2seq_lstm.lstm_stepper"

Frames = Callable[[np.ndarray], Iterator[np.ndarray]]
"""From primers (batch, frames, pitches) to the frames that follow, each (batch, pitches), without end."""


def plain_loop(model: Seq2SeqLSTM) -> Frames:
    """Two ``nn.LSTM``, called for every frame, and the head."""
    layers = [nn.LSTM(PITCHES, model.hidden_size, 2, batch_first=True).eval() for _ in range(2)]
    for plain, trained in zip(layers, (model.encoder.lstm, model.decoder), strict=True):
        plain.load_state_dict(trained.state_dict())
    encoder, decoder = layers

    def frames(primers: np.ndarray) -> Iterator[np.ndarray]:
        generator = RowGenerators(0, len(primers))  # so that both write the same music
        with torch.no_grad():
            past = torch.tensor(primers, dtype=torch.float32)
            _, memory = encoder(past)
        while True:
            with torch.no_grad():
                features, memory = decoder(past[:, -1:], memory)
                probability = model.head(features, past).mean
                sampled = (uniform(probability.shape, generator=generator) < probability).float()
                # A head that reads no past needs the last frame only.
                past = sampled if model.head.context_frames == 0 else torch.cat([past, sampled], dim=1)
            yield sampled[:, 0].bool().numpy()

    return frames


def with_stepper(model: Seq2SeqLSTM, stepper: Callable[[nn.LSTM, Memory], LSTMStepper]) -> Frames:
    """``generate_frames`` with one stepper for all batch sizes."""

    def frames(primers: np.ndarray) -> Iterator[np.ndarray]:
        with mock.patch(_CHOOSE_STEPPER, stepper):
            yield from generate_frames(model, primers)

    return frames


def by_cells(stack: nn.LSTM, memory: Memory) -> LSTMStepper:
    """PyTorch's cells."""
    hidden, cell = memory
    return CellStepper(tuple(tuple(layer) for layer in stack.all_weights), tuple(zip(hidden, cell, strict=True)))


def by_numpy(stack: nn.LSTM, memory: Memory) -> LSTMStepper:
    """NumPy, for one continuation."""
    hidden, cell = memory
    return NumPyStepper.of([[*layer] for layer in stack.all_weights], hidden[:, 0].numpy(), cell[:, 0].numpy())


def methods(model: Seq2SeqLSTM, batch: int) -> dict[str, Frames]:
    """The methods for a batch size."""
    found: dict[str, Frames] = {PLAIN: plain_loop(model), OURS: lambda primers: generate_frames(model, primers)}
    found |= {"with fused layers": with_stepper(model, FusedStepper), "with cells": with_stepper(model, by_cells)}
    if batch == 1:
        found["with NumPy"] = with_stepper(model, by_numpy)
    return found


def primers_of(batch: int) -> np.ndarray:
    """Random chords."""
    return np.random.default_rng(0).random((batch, PRIMER, PITCHES)) < 0.05


def check(found: dict[str, Frames], batch: int, frames: int) -> None:
    """Compares the frames of all methods.

    Raises:
        SystemExit: a method does not write what the plain loop writes, up to rounding of the probabilities.
    """
    written = {name: np.stack(list(islice(way(primers_of(batch)), frames))) for name, way in found.items()}
    for name, one in written.items():
        equal = (one == written[PLAIN]).all(axis=(0, 2)).mean()  # of the continuations
        if equal < 1 - 0.02 * frames / 100:
            raise SystemExit(f"batch {batch}: {name} and the plain loop write the same in {equal:.0%} of cases.")


def row(head: str, batch: int, name: str) -> str:
    """Its name in the files."""
    return f"{head}, batch {batch}: {name}"


def throughput(found: dict[str, Frames], head: str, batch: int, frames: int, turns: int) -> list[Measurement]:
    """Seconds for each frame of a batch."""
    primers = primers_of(batch)
    check(found, batch, min(frames, 20))
    seconds: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(turns):
        for name, way in found.items():
            stream = way(primers)
            next(stream)  # reads the primer
            started = time.perf_counter()
            for _ in islice(stream, frames):
                pass
            seconds[name].append((time.perf_counter() - started) / frames)
    return [Measurement(row(head, batch, name), each[1:], each[:1]) for name, each in seconds.items()]


def live(found: dict[str, Frames], head: str, frames: int) -> list[Measurement]:
    """The waiting time for each frame of one continuation."""
    results = []
    for name in [name for name in found if "with" not in name]:
        stream, waited = found[name](primers_of(1)), []
        for _ in range(frames + 20):
            started = time.perf_counter()
            next(stream)
            waited.append(time.perf_counter() - started)
        low, high = np.percentile(waited[20:], [50, 99])
        facts: dict[str, float | str] = {"p50_us": low * 1e6, "p99_us": high * 1e6, "most_us": max(waited[20:]) * 1e6}
        results.append(Measurement(row(head, 1, f"{name}, live"), waited[20:], [], facts))
    return results


def tables(results: Results, arguments: argparse.Namespace) -> str:
    """Throughput by head and batch, and the live stream."""
    parts = []
    for head in arguments.heads:
        heads = ("batch", "method", "frames/s", "µs a step", f"x {PLAIN}")
        rows = []
        for batch in arguments.batches:
            for name in [name for name in results if name.startswith(row(head, batch, "")) and "live" not in name]:
                steps, short = results.seconds(name), name.partition(": ")[2]
                beside = results.speedup(name, row(head, batch, PLAIN)).format(".2f")
                each = Spread.of([1e6 * one for one in steps]).format(",.0f")
                rows.append((str(batch), short, Spread.of([batch / one for one in steps]).format(), each, beside))
        parts += [f"{head}, 2 x {arguments.hidden_size} units, {arguments.frames} frames", table(heads, rows, words=2)]
    streams = [name for name in results if name.endswith(", live")]
    percentiles = ("p50_us", "p99_us", "most_us")
    waits = [(name, *(results.fact(name, key).format() for key in percentiles)) for name in sorted(streams)]
    parts += [
        f"The live stream, µs for each of {arguments.live_frames} frames",
        table(("method", "p50", "p99", "longest"), waits),
    ]
    return "\n\n".join(parts)


def run_worker(arguments: argparse.Namespace) -> list[Measurement]:
    """All measurements for a head, in this process."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    head, results = arguments.worker, []
    model = Seq2SeqLSTM(PITCHES, hidden_size=arguments.hidden_size, head=HEADS[head]).eval()
    for batch in arguments.batches:
        results += throughput(methods(model, batch), head, batch, arguments.frames, arguments.turns)
    return results + live(methods(model, 1), head, arguments.live_frames)


def parse(command: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=list(HEADS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 16, 64, 256])
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--frames", type=int, default=100, help="frames per turn")
    parser.add_argument("--live-frames", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=5, help="turns within a process; the first is not counted")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--worker", choices=HEADS, help=argparse.SUPPRESS)
    arguments = parser.parse_args(command)
    if min(arguments.rounds, arguments.frames, arguments.live_frames, arguments.turns - 1, *arguments.batches) < 1:
        parser.error("--turns must be at least 2 (the first is not counted), and all other numbers at least 1")
    return arguments


def main(command: list[str] | None = None) -> None:
    """The command."""
    arguments = parse(command)
    if arguments.worker:
        print_measurements(run_worker(arguments))
        return
    sizes = ("hidden-size", "frames", "live-frames")
    options = [f"--{name}={getattr(arguments, name.replace('-', '_'))}" for name in sizes]
    options += [f"--turns={arguments.turns}", "--batches", *map(str, arguments.batches)]
    listed = [Contender(head, [sys.executable, __file__, "--worker", head, *options]) for head in arguments.heads]

    def after_round(results: Results) -> None:
        save_results(arguments.output, "generate", results, tables(results, arguments))

    measure(listed, arguments.rounds, after_round)


if __name__ == "__main__":
    main()
