"""Generation: frames a second and time for each, beside the loop that calls ``torch.nn.LSTM`` for every frame.

    python benchmarks/generate.py [--batches 1 4 16 64 256] [--hidden 256] [--rounds 5]

A model of two layers each way continues primers of 50 frames of 88 pitches, drawing every frame, on one core. The
methods share its weights, and are checked to write the same frames from the same draws before they are timed:
``generate_frames``, which chooses how to step by the batch; the same held to one way (by the fused layers, by PyTorch's
cells, by NumPy); ONNX Runtime, where it is installed; and the plain loop. They take turns within each process, and
each round has a process for each head. An item is a frame of every continuation of the batch; the time in which the
primer is heard does not count. The live stream is one continuation, asked for frame after frame.

Writes generate.json (for pyperf) and generate.md to ``--output``.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from harness import Contender, Measured, Results, Spread, keep, measure, report, table
from torch import nn

from pianoroll_seq2seq import BernoulliHead, RelativeBernoulliHead, Seq2SeqLSTM, generate_frames
from pianoroll_seq2seq.models.layers.stepping import Cells, Fused, Memory, Single, Stepping
from pianoroll_seq2seq.sampling import AutoregressiveModel

HEADS = {"BernoulliHead": BernoulliHead, "RelativeBernoulliHead": RelativeBernoulliHead}
PITCHES, PRIMER = 88, 50
OURS, PLAIN = "generate_frames", "plain nn.LSTM loop"
_STEPPING = "pianoroll_seq2seq.models.seq2seq_lstm.stepping"

Frames = Callable[[np.ndarray], Iterator[np.ndarray]]
"""From primers (batch, frames, pitches) to the frames that follow, each (batch, pitches), without end."""


def plain_loop(model: Seq2SeqLSTM) -> Frames:
    """As one writes it: two ``nn.LSTM``, called for every frame, and the head."""
    layers = [nn.LSTM(PITCHES, model.hidden, 2, batch_first=True).eval() for _ in range(2)]
    for plain, trained in zip(layers, (model.encoder_lstm, model.decoder_lstm), strict=True):
        plain.load_state_dict(trained.state_dict())
    encoder, decoder = layers

    def frames(primers: np.ndarray) -> Iterator[np.ndarray]:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            heard = torch.tensor(primers, dtype=torch.float32)
            _, memory = encoder(heard)
        while True:
            with torch.no_grad():
                features, memory = decoder(heard[:, -1:], memory)
                probability = model.head(features, heard).mean
                drawn = (torch.rand(probability.shape, generator=generator) < probability).float()
                # A head that reads no past needs the last frame only.
                heard = drawn if model.head.context_frames == 0 else torch.cat([heard, drawn], dim=1)
            yield drawn[:, 0].bool().numpy()

    return frames


def held_to(model: Seq2SeqLSTM, way: Callable[[nn.LSTM, Memory], Stepping]) -> Frames:
    """``generate_frames`` with one way to step, whatever the batch."""

    def frames(primers: np.ndarray) -> Iterator[np.ndarray]:
        with mock.patch(_STEPPING, way):
            yield from generate_frames(model, primers)

    return frames


def by_cells(stack: nn.LSTM, memory: Memory) -> Stepping:
    """PyTorch's cell."""
    hidden, cell = memory
    return Cells(tuple(tuple(layer) for layer in stack.all_weights), tuple(zip(hidden, cell, strict=True)))


def by_numpy(stack: nn.LSTM, memory: Memory) -> Stepping:
    """For one continuation."""
    hidden, cell = memory
    return Single.of([[*layer] for layer in stack.all_weights], hidden[:, 0].numpy(), cell[:, 0].numpy())


def exported(model: Seq2SeqLSTM) -> AutoregressiveModel | None:
    """The model as ONNX Runtime plays it; None where that is not installed."""
    if any(find_spec(package) is None for package in ("onnx", "onnxscript", "onnxruntime")):
        return None
    from pianoroll_seq2seq.export import OnnxModel, export_onnx

    with tempfile.TemporaryDirectory() as folder:
        return OnnxModel(export_onnx(model, Path(folder) / "model.onnx"))


def methods(model: Seq2SeqLSTM, onnx: AutoregressiveModel | None, batch: int) -> dict[str, Frames]:
    """All that can continue so many primers."""
    found: dict[str, Frames] = {PLAIN: plain_loop(model), OURS: lambda primers: generate_frames(model, primers)}
    found |= {"held to fused layers": held_to(model, Fused), "held to cells": held_to(model, by_cells)}
    if batch == 1:
        found["held to NumPy"] = held_to(model, by_numpy)
    if onnx is not None:
        found["ONNX Runtime"] = lambda primers: generate_frames(onnx, primers)
    return found


def primers_of(batch: int) -> np.ndarray:
    """Chords at random."""
    return np.random.default_rng(0).random((batch, PRIMER, PITCHES)) < 0.05


def check(found: dict[str, Frames], batch: int, frames: int) -> None:
    """Lets all write, and compares.

    Raises:
        SystemExit: one does not write what the plain loop writes, but for draws within the rounding of a probability.
    """
    written = {name: np.stack(list(islice(way(primers_of(batch)), frames))) for name, way in found.items()}
    for name, one in written.items():
        alike = (one == written[PLAIN]).all(axis=(0, 2)).mean()  # of the continuations
        if alike < 1 - 0.02 * frames / 100:
            raise SystemExit(f"batch {batch}: {name} and the plain loop write the same in {alike:.0%} of cases.")


def row(head: str, batch: int, name: str) -> str:
    """What the files call it."""
    return f"{head}, batch {batch}: {name}"


def throughput(found: dict[str, Frames], head: str, batch: int, frames: int, turns: int) -> list[Measured]:
    """Seconds for each frame of a batch."""
    primers = primers_of(batch)
    check(found, batch, min(frames, 20))
    seconds: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(turns):
        for name, way in found.items():
            stream = way(primers)
            next(stream)  # the primer is heard
            begun = time.perf_counter()
            for _ in islice(stream, frames):
                pass
            seconds[name].append((time.perf_counter() - begun) / frames)
    return [Measured(row(head, batch, name), each[1:], each[:1]) for name, each in seconds.items()]


def live(found: dict[str, Frames], head: str, frames: int) -> list[Measured]:
    """One continuation, frame after frame: how long the listener waits for each."""
    said = []
    for name in [name for name in found if "held" not in name]:
        stream, waited = found[name](primers_of(1)), []
        for _ in range(frames + 20):
            begun = time.perf_counter()
            next(stream)
            waited.append(time.perf_counter() - begun)
        low, high = np.percentile(waited[20:], [50, 99])
        facts: dict[str, float | str] = {"p50_us": low * 1e6, "p99_us": high * 1e6, "most_us": max(waited[20:]) * 1e6}
        said.append(Measured(row(head, 1, f"{name}, live"), waited[20:], [], facts))
    return said


def tables(results: Results, given: argparse.Namespace) -> str:
    """Throughput by head and batch, and the live stream."""
    parts = []
    for head in given.heads:
        heads = ("batch", "method", "frames/s", "µs a step", f"x {PLAIN}")
        rows = []
        for batch in given.batches:
            for name in [name for name in results if name.startswith(row(head, batch, "")) and "live" not in name]:
                steps, short = results.seconds(name), name.partition(": ")[2]
                beside = results.times_as_fast(name, row(head, batch, PLAIN)).shown(".2f")
                each = Spread.of([1e6 * one for one in steps]).shown(",.0f")
                rows.append((str(batch), short, Spread.of([batch / one for one in steps]).shown(), each, beside))
        parts += [f"{head}, 2 x {given.hidden} units, {given.frames} frames", table(heads, rows, words=2)]
    streams = [name for name in results if name.endswith(", live")]
    percentiles = ("p50_us", "p99_us", "most_us")
    waits = [(name, *(results.fact(name, key).shown() for key in percentiles)) for name in sorted(streams)]
    parts += [
        f"The live stream, µs for each of {given.live_frames} frames",
        table(("method", "p50", "p99", "longest"), waits),
    ]
    return "\n\n".join(parts)


def worked(given: argparse.Namespace) -> list[Measured]:
    """All for a head, in this process."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    head, said = given.worker, []
    model = Seq2SeqLSTM(PITCHES, hidden_size=given.hidden, head=HEADS[head](given.hidden, PITCHES)).eval()
    onnx = exported(model)
    for batch in given.batches:
        said += throughput(methods(model, onnx, batch), head, batch, given.frames, given.turns)
    return said + live(methods(model, onnx, 1), head, given.live_frames)


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=list(HEADS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 16, 64, 256])
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--frames", type=int, default=100, help="that are written each time")
    parser.add_argument("--live-frames", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=5, help="within a process; the first is not counted")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--worker", choices=HEADS, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if min(given.rounds, given.frames, given.live_frames, given.turns - 1, *given.batches) < 1:
        parser.error("--turns must be at least 2 (the first is not counted), and all other numbers at least 1")
    return given


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    given = parsed(arguments)
    if given.worker:
        report(worked(given))
        return
    options = [f"--{name}={getattr(given, name.replace('-', '_'))}" for name in ("hidden", "frames", "live-frames")]
    options += [f"--turns={given.turns}", "--batches", *map(str, given.batches)]
    listed = [Contender(head, [sys.executable, __file__, "--worker", head, *options]) for head in given.heads]
    measure(listed, given.rounds, lambda results: keep(given.output, "generate", results, tables(results, given)))


if __name__ == "__main__":
    main()
