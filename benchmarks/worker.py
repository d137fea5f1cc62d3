"""Measures one contender of train.py, scaling.py or gpu.py, which start this program.

    python benchmarks/worker.py "fit, bfloat16" --data FILE --model 2017 --epochs 3

An item is a training window, and its seconds include the validation at the end of the epoch. The first epoch is a
warm-up. For a matrix product, an item is 10^9 floating-point operations.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import harness
import torch
from contenders import FRAMES, MODELS, Epoch, Job, bare, by_hand, fitted, in_turns
from peak_memory import peak_memory
from torch import nn

from pianoroll_seq2seq import join_processes

TRAINING: dict[str, Callable[[Job], list[Epoch]]] = {
    "fit, float32": partial(fitted, precision="float32"),  # its closest comparison follows directly
    "bare, float32": partial(in_turns, bare, precision="float32"),
    "fit, bfloat16": partial(fitted, precision="bfloat16"),
    "bare, bfloat16": partial(in_turns, bare, precision="bfloat16"),
    "plain PyTorch, float32": partial(in_turns, by_hand, precision="float32"),
    "plain PyTorch, bfloat16": partial(in_turns, by_hand, precision="bfloat16"),
    "fit, float16": partial(fitted, precision="float16"),
    "fit, float32, compiled": partial(fitted, precision="float32", compiled=True),
    "fit, bfloat16, compiled": partial(fitted, precision="bfloat16", compiled=True),
}
_SIDE = 1024  # of the matrices: large enough for a library's best rate, small enough for a core's cache
_REPEATS, _WARMUPS = 15, 5


def measure_training(name: str, job: Job) -> harness.Measurement:
    """Measures a training loop."""
    on_gpu = job.device.type == "cuda"
    torch.manual_seed(job.seed)
    begun, on_cpu = time.perf_counter(), time.process_time()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    epochs = TRAINING[name](job)
    share = (time.process_time() - on_cpu) / (time.perf_counter() - begun)
    count = len(job.windows("train"))
    facts: dict[str, float | str] = {
        "valid_losses": " ".join(f"{epoch.valid_loss:.5f}" for epoch in epochs),
        "cpu_share": share,
        "mem_max_rss": peak_memory(),
    }
    facts["gpu_peak_bytes"] = torch.cuda.max_memory_allocated() if on_gpu else 0
    seconds = [epoch.seconds / count for epoch in epochs]
    cpu_seconds = [epoch.cpu_seconds / count for epoch in epochs]
    return harness.Measurement(name, seconds[1:], seconds[:1], facts, cpu_seconds[1:])


def measure_product(name: str, job: Job) -> harness.Measurement:
    """Measures the highest rate of floating-point operations, with a large matrix product."""
    dtype = torch.bfloat16 if name.endswith("bfloat16") else torch.float32
    side = _SIDE if job.device.type == "cpu" else 8 * _SIDE
    one, other = (torch.rand(side, side, device=job.device).to(dtype) for _ in range(2))
    out = torch.empty_like(one)
    seconds = time_calls(lambda: torch.mm(one, other, out=out), job, _REPEATS + _WARMUPS)
    billions = 2 * side**3 / 1e9
    return harness.Measurement(name, [one / billions for one in seconds[_WARMUPS:]])


def measure_layers(name: str, job: Job) -> harness.Measurement:
    """Measures the model's LSTM layers only, forward and backward, on frames in memory: cuDNN on a GPU."""
    sizes, dtype = job.sizes, torch.bfloat16 if name.endswith("bfloat16") else torch.float32
    width, hidden, parallel = len(sizes.pitches), sizes.hidden_size, sizes.parallel
    encoder, decoder = (
        nn.LSTM(inputs, hidden, 2, batch_first=True, dropout=0.3).to(job.device)
        for inputs in (width, hidden if parallel else width)
    )
    context = torch.rand(job.batch_size, FRAMES, width, device=job.device)
    decoder_inputs = (
        torch.rand(job.batch_size, FRAMES, hidden, device=job.device, requires_grad=True) if parallel else context
    )

    def step() -> None:
        with torch.autocast(job.device.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
            outputs, memory = encoder(context)
            features, _ = decoder(decoder_inputs, None if parallel else memory)
        ends = (outputs[:, -1], features) if parallel else (features,)
        torch.autograd.backward(ends, [torch.ones_like(end) for end in ends])

    seconds = time_calls(step, job, 4 * job.epochs)
    return harness.Measurement(name, [one / job.batch_size for one in seconds[2:]])


def time_calls(work: Callable[[], object], job: Job, times: int) -> list[float]:
    """Seconds of each call, with a GPU synchronized before and after."""
    wait = torch.cuda.synchronize if job.device.type == "cuda" else int
    seconds = []
    for _ in range(times):
        wait()
        begun = time.perf_counter()
        work()
        wait()
        seconds.append(time.perf_counter() - begun)
    return seconds


def run(name: str, job: Job) -> harness.Measurement:
    """Measures the contender of a name."""
    if name.startswith("product"):
        return measure_product(name, job)
    if name.startswith("LSTM layers"):
        return measure_layers(name, job)
    return measure_training(name, job)


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help=f"{', '.join(TRAINING)}; or 'product, PRECISION' or 'LSTM layers, PRECISION'")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", choices=MODELS, default="2017")
    parser.add_argument("--hidden", type=int)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--row", help="name of the row in the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sizes = MODELS[options.model]
    sizes = replace(sizes, hidden_size=options.hidden or sizes.hidden_size)
    with join_processes() as processes:
        if not processes.is_single and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[processes.rank]})
        job = Job(sizes, options.data, options.epochs, options.batch_size, options.seed, torch.device(options.device))
        measurement = run(options.name, job)
    if processes.is_first:
        harness.print_measurements([replace(measurement, name=options.row or options.name)])


if __name__ == "__main__":
    main()
