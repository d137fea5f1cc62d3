"""One contender of train.py, scaling.py or gpu.py, in this process; they start it.

    python benchmarks/worker.py "fit, bfloat16" --data FILE --model 2017 --epochs 3

An item is a training window; its seconds are those of a whole epoch, with validation. The first epoch warms up.
Of a matrix product, an item is 10^9 floating-point operations.
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
from torch import nn

from pianoroll_seq2seq import join_processes

TRAINING: dict[str, Callable[[Job], list[Epoch]]] = {
    "fit, float32": partial(fitted, precision="float32"),  # those that are compared most closely stand side by side
    "bare, float32": partial(in_turns, bare, precision="float32"),
    "fit, bfloat16": partial(fitted, precision="bfloat16"),
    "bare, bfloat16": partial(in_turns, bare, precision="bfloat16"),
    "plain PyTorch, float32": partial(in_turns, by_hand, precision="float32"),
    "plain PyTorch, bfloat16": partial(in_turns, by_hand, precision="bfloat16"),
    "fit, float16": partial(fitted, precision="float16"),
    "fit, float32, compiled": partial(fitted, precision="float32", compiled=True),
    "fit, bfloat16, compiled": partial(fitted, precision="bfloat16", compiled=True),
}
_SIDE = 1024  # of the matrices; large enough for a library's best, and at home in a core's cache
_TIMES = 15


def trained(name: str, job: Job) -> harness.Measured:
    """What a way to train took."""
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
    return harness.Measured(name, seconds[1:], seconds[:1], facts)


def peak_memory() -> int:
    """Of this process, in bytes."""
    import resource
    import sys

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def product(name: str, job: Job) -> harness.Measured:
    """How fast numbers can be multiplied and added here, at best."""
    dtype = torch.bfloat16 if name.endswith("bfloat16") else torch.float32
    side = _SIDE if job.device.type == "cpu" else 8 * _SIDE
    one, other = (torch.rand(side, side, device=job.device).to(dtype) for _ in range(2))
    out = torch.empty_like(one)
    seconds = timed(lambda: torch.mm(one, other, out=out), job, _TIMES + 5)
    billions = 2 * side**3 / 1e9
    return harness.Measured(name, [one / billions for one in seconds[5:]])


def layers_alone(name: str, job: Job) -> harness.Measured:
    """The LSTM layers of the model, forward and backward, on frames that lie ready: cuDNN on a GPU."""
    sizes, dtype = job.sizes, torch.bfloat16 if name.endswith("bfloat16") else torch.float32
    width, hidden, parallel = len(sizes.pitches), sizes.hidden_size, sizes.parallel
    encoder, decoder = (
        nn.LSTM(inputs, hidden, 2, batch_first=True, dropout=0.3).to(job.device)
        for inputs in (width, hidden if parallel else width)
    )
    context = torch.rand(job.batch_size, FRAMES, width, device=job.device)
    written = torch.rand(job.batch_size, FRAMES, hidden, device=job.device, requires_grad=True) if parallel else context

    def step() -> None:
        with torch.autocast(job.device.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
            outputs, memory = encoder(context)
            features, _ = decoder(written, None if parallel else memory)
        ends = (outputs[:, -1], features) if parallel else (features,)
        torch.autograd.backward(ends, [torch.ones_like(end) for end in ends])

    seconds = timed(step, job, 4 * job.epochs)
    return harness.Measured(name, [one / job.batch_size for one in seconds[2:]])


def timed(work: Callable[[], object], job: Job, times: int) -> list[float]:
    """Seconds, each time; a GPU is waited for."""
    wait = torch.cuda.synchronize if job.device.type == "cuda" else int
    seconds = []
    for _ in range(times):
        wait()
        begun = time.perf_counter()
        work()
        wait()
        seconds.append(time.perf_counter() - begun)
    return seconds


def run(name: str, job: Job) -> harness.Measured:
    """Whatever the name says."""
    if name.startswith("product"):
        return product(name, job)
    if name.startswith("LSTM layers"):
        return layers_alone(name, job)
    return trained(name, job)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help=f"{', '.join(TRAINING)}; product or LSTM layers, with a precision")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", choices=MODELS, default="2017")
    parser.add_argument("--hidden", type=int)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--row", help="name of the row in the table")
    given = parser.parse_args()
    torch.set_num_threads(1)
    sizes = MODELS[given.model]
    sizes = replace(sizes, hidden_size=given.hidden or sizes.hidden_size)
    with join_processes() as processes:
        if not processes.is_single and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[processes.rank]})
        job = Job(sizes, given.data, given.epochs, given.batch_size, given.seed, torch.device(given.device))
        measured = run(given.name, job)
    if processes.is_first:
        harness.report([replace(measured, name=given.row or given.name)])


if __name__ == "__main__":
    main()
