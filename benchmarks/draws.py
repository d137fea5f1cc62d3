"""Samples of frames whose pitches are decided one after the other: skipping silence, and the loop over all pitches.

    python benchmarks/draws.py [--batches 1 64] [--polyphony 4] [--rounds 15]

All methods sample the same frames from the same random numbers, which is checked first. ``loop`` evaluates the head's
conditionals once for every pitch. ``running sums`` is NADE's usual loop, where each sounding pitch adds its row to the
hidden layer. The heads are untrained, with biases such that about ``--polyphony`` of 88 pitches sound, as in four-part
music. The methods take turns on one thread. The benchmark prints medians and their ratio to ``skipping``.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from pianoroll_seq2seq import NADE, NADEHead, RelativeWindow, RelativeWindowHead
from pianoroll_seq2seq.models.heads.pitch_autoregression import LogitsGiven

PITCHES, FEATURES = 88, 256

Sample = Callable[[], Tensor]
"""Samples frames (batch, pitches), the same ones every time."""


def loop(logits_given: LogitsGiven, uniform: Tensor) -> Tensor:
    """One pass for each pitch."""
    frames = torch.zeros_like(uniform)
    rows = torch.arange(len(uniform))
    for pitch in range(uniform.shape[1]):
        probability = torch.sigmoid(logits_given(frames, rows)[:, pitch])
        frames[:, pitch] = (uniform[:, pitch] < probability).to(frames.dtype)
    return frames


def running_sums(nade: NADE, uniform: Tensor) -> Tensor:
    """NADE's loop with a running sum of the rows of the sounding pitches (Larochelle and Murray, 2011)."""
    frames = torch.zeros_like(uniform)
    read = nade.start.clone()
    for pitch in range(uniform.shape[1]):
        logit = nade.bias[:, pitch] + torch.sigmoid(read) @ nade.above[pitch]
        sounds = (uniform[:, pitch] < torch.sigmoid(logit)).to(frames.dtype)
        frames[:, pitch] = sounds
        read += sounds[:, None] * nade.below[pitch]
    return frames


def methods(head: nn.Module, batch: int) -> dict[str, Sample]:
    """The ways to sample from a head's distribution of ``batch`` frames."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(batch, 1, FEATURES, generator=generator)
    past = (torch.rand(batch, 8, PITCHES, generator=generator) < 4 / PITCHES).float()
    distribution = head(features, past)[:, 0]

    def uniform() -> Tensor:
        return torch.rand(batch, PITCHES, generator=torch.Generator().manual_seed(2))

    def skipping() -> Tensor:
        frames: Tensor = distribution.sample(generator=torch.Generator().manual_seed(2))
        return frames

    if isinstance(distribution, RelativeWindow):
        logits_given = distribution.head.conditional_logits(distribution.context, 1.0)
        return {"skipping": skipping, "loop": lambda: loop(logits_given, uniform())}
    assert isinstance(distribution, NADE)
    ways = {"skipping": skipping, "loop": lambda: loop(lambda frames, _: distribution.logits_given(frames), uniform())}
    return ways | {"running sums": lambda: running_sums(distribution, uniform())}


def tuned(head: nn.Module, bias: Tensor, polyphony: float) -> nn.Module:
    """The head with its bias such that about ``polyphony`` pitches of a frame sound."""
    low, high = -12.0, 6.0
    for _ in range(16):
        bias.fill_((low + high) / 2)
        mean = float(methods(head, 64)["skipping"]().sum(dim=1).mean())
        low, high = ((low + high) / 2, high) if mean < polyphony else (low, (low + high) / 2)
    return head


def report(name: str, head: nn.Module, batch: int, rounds: int) -> None:
    """Prints a row for each way to sample."""
    ways = methods(head.eval(), batch)
    samples = {way: sample() for way, sample in ways.items()}
    assert all(torch.equal(frames, samples["skipping"]) for frames in samples.values()), "the samples differ"
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, sample in ways.items():
            started = time.perf_counter()
            sample()
            seconds[way].append(time.perf_counter() - started)
    polyphony = float(samples["skipping"].sum(dim=1).mean())
    for way, values in seconds.items():
        ratio = statistics.median(value / fast for value, fast in zip(values, seconds["skipping"], strict=True))
        print(f"{name:20}{batch:6}{polyphony:10.1f}{way:>16}{1e3 * statistics.median(values):26.2f}{ratio:13.1f}")


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--polyphony", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    nade, window = NADEHead(FEATURES, PITCHES), RelativeWindowHead(FEATURES, PITCHES)
    heads = {
        "NADEHead": tuned(nade, nade.bias.bias, arguments.polyphony),
        "RelativeWindowHead": tuned(window, window.logit.bias, arguments.polyphony),
    }
    print(f"{'':20}{'batch':>6}{'polyphony':>10}{'method':>16}{'ms per frame of the batch':>26}{'of skipping':>13}")
    for name, head in heads.items():
        for batch in arguments.batches:
            report(name, head, batch, arguments.rounds)


if __name__ == "__main__":
    main()
