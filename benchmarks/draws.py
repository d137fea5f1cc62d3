"""Draws of frames whose pitches are decided one after the other: by jumps, beside the loop over all pitches.

    python benchmarks/draws.py [--batches 1 64] [--sounding 4] [--rounds 15]

Both draw the same frames from the same numbers, which is checked first. ``loop`` asks the head's own conditionals once
for every pitch; ``running sums`` is NADE's loop as it is usually written, where each pitch that sounds adds its row to
the hidden layer. The heads are untrained, with their biases set so that about ``--sounding`` of 88 pitches sound, as in
four-part music. Methods take turns on one thread; medians and their ratio to the jumps are printed.
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

Draw = Callable[[], Tensor]
"""Draws frames (batch, pitches), the same ones every time."""


def loop(logits_given: LogitsGiven, uniform: Tensor) -> Tensor:
    """One pass a pitch."""
    frames = torch.zeros_like(uniform)
    rows = torch.arange(len(uniform))
    for pitch in range(uniform.shape[1]):
        chance = torch.sigmoid(logits_given(frames, rows)[:, pitch])
        frames[:, pitch] = (uniform[:, pitch] < chance).to(frames.dtype)
    return frames


def running_sums(nade: NADE, uniform: Tensor) -> Tensor:
    """NADE's loop with the sum of the rows of what sounds carried along (Larochelle and Murray, 2011)."""
    frames = torch.zeros_like(uniform)
    read = nade.start.clone()
    for pitch in range(uniform.shape[1]):
        logit = nade.bias[:, pitch] + torch.sigmoid(read) @ nade.above[pitch]
        sounds = (uniform[:, pitch] < torch.sigmoid(logit)).to(frames.dtype)
        frames[:, pitch] = sounds
        read += sounds[:, None] * nade.below[pitch]
    return frames


def methods(head: nn.Module, batch: int) -> dict[str, Draw]:
    """The ways to draw from a head's distribution of ``batch`` frames."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(batch, 1, FEATURES, generator=generator)
    past = (torch.rand(batch, 8, PITCHES, generator=generator) < 4 / PITCHES).float()
    distribution = head(features, past)[:, 0]

    def uniform() -> Tensor:
        return torch.rand(batch, PITCHES, generator=torch.Generator().manual_seed(2))

    def jumps() -> Tensor:
        drawn: Tensor = distribution.sample(generator=torch.Generator().manual_seed(2))
        return drawn

    if isinstance(distribution, RelativeWindow):
        around = distribution.around
        return {"jumps": jumps, "loop": lambda: loop(distribution.head.decider(around, 1.0), uniform())}
    assert isinstance(distribution, NADE)
    ways = {"jumps": jumps, "loop": lambda: loop(lambda frames, _: distribution.logits_given(frames), uniform())}
    return ways | {"running sums": lambda: running_sums(distribution, uniform())}


def tuned(head: nn.Module, bias: Tensor, sounding: float) -> nn.Module:
    """The head with its bias such that about so many pitches of a frame sound."""
    low, high = -12.0, 6.0
    for _ in range(16):
        bias.fill_((low + high) / 2)
        mean = float(methods(head, 64)["jumps"]().sum(dim=1).mean())
        low, high = ((low + high) / 2, high) if mean < sounding else (low, (low + high) / 2)
    return head


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--sounding", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    nade, window = NADEHead(FEATURES, PITCHES), RelativeWindowHead(FEATURES, PITCHES)
    heads = {
        "NADEHead": tuned(nade, nade.bias.bias, given.sounding),
        "RelativeWindowHead": tuned(window, window.logit.bias, given.sounding),
    }
    print(f"{'':20}{'batch':>6}{'sounding':>10}{'method':>16}{'ms a frame of the batch':>26}{'of jumps':>10}")
    for name, head in heads.items():
        for batch in given.batches:
            ways = methods(head.eval(), batch)
            drawn = {way: draw() for way, draw in ways.items()}
            assert all(torch.equal(frames, drawn["jumps"]) for frames in drawn.values()), "the draws differ"
            seconds: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(given.rounds):
                for way, draw in ways.items():
                    begun = time.perf_counter()
                    draw()
                    seconds[way].append(time.perf_counter() - begun)
            sounding = float(drawn["jumps"].sum(dim=1).mean())
            for way, values in seconds.items():
                ratio = statistics.median(value / jumps for value, jumps in zip(values, seconds["jumps"], strict=True))
                print(
                    f"{name:20}{batch:6}{sounding:10.1f}{way:>16}{1e3 * statistics.median(values):26.2f}{ratio:10.1f}"
                )


if __name__ == "__main__":
    main()
