"""Copy attention some queries at a time, beside attention over all pairs of frames at once.

    python benchmarks/copy_attention.py [--frames 512 1280 2048] [--rounds 5]

Both compute the same candidates and the same gradients, which is checked; the inputs have the sizes of the recipe
``copying``, on frames that repeat themselves. They take turns on one core, by processor time, in bfloat16 where the
recipe has it. Prints the median of each, and of their ratio within each round.
"""

import argparse
import math
import statistics
from functools import partial
from time import process_time

import torch
from torch import Tensor
from torch.nn import functional

from pianoroll_seq2seq.models.layers.blocked_copies import SPANS, CopyInputs, copies, match_levels

HEADS, SIZE, PITCHES, KINDS = 6, 24, 88, 3


def all_pairs(inputs: CopyInputs) -> tuple[Tensor, Tensor]:
    """What :func:`copies` gives, with the scores of all pairs in memory."""
    queries, keys, no_copy, distance_bias, match_bias, frames, frame_hash = inputs
    steps = keys.shape[2]
    scores = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])
    distance = torch.arange(steps)[:, None] - torch.arange(steps)
    scores = scores + distance_bias[:, (distance - 1).clamp(min=0)]
    levels = match_levels(frame_hash, 0, steps).flip(2)
    levels = functional.pad(levels, (0, steps - levels.shape[3]))
    reached = levels.unsqueeze(4) > torch.arange(len(SPANS))
    scores = scores + torch.einsum("hks,bkqts->bhqt", match_bias, reached.to(match_bias.dtype))
    scores = scores.masked_fill(distance <= 0, -math.inf)
    weights = torch.cat([scores, no_copy.unsqueeze(3)], dim=3).softmax(dim=3)
    copied = weights[..., :-1].to(queries.dtype).flatten(1, 2) @ frames.to(queries.dtype)
    return torch.unflatten(copied, 1, (queries.shape[1], -1)), weights[..., -1]


def inputs_of(steps: int, dtype: torch.dtype) -> CopyInputs:
    """Inputs for a piece of some frames, in float32 but for what autocast would compute in ``dtype``."""
    randn = partial(torch.randn, generator=torch.Generator().manual_seed(0))
    phrase = (torch.rand(1, 64, PITCHES, generator=torch.Generator().manual_seed(0)) < 0.05).float()
    frames = phrase.repeat(1, -(-steps // 64), 1)[:, :steps]
    frames[:, ::7] = 0.0
    frame_hash = (frames.long()[:, :, None] * torch.randint(2**40, (KINDS, PITCHES))).sum(dim=3)
    inputs = CopyInputs(
        queries=randn(1, HEADS, steps, SIZE).to(dtype),
        keys=randn(1, HEADS, steps, SIZE).to(dtype),
        no_copy=randn(1, HEADS, steps),
        distance_bias=randn(HEADS, steps),
        match_bias=randn(HEADS, KINDS, len(SPANS)),
        frames=frames,
        frame_hash=frame_hash,
    )
    for values in inputs[:5]:
        values.requires_grad_()
    return inputs


def gradients(inputs: CopyInputs, attention: object) -> list[Tensor]:
    """The candidates, and the gradients of a sum over them with random weights."""
    copied, no_copy_prob = attention(inputs)  # type: ignore[operator]
    generator = torch.Generator().manual_seed(1)
    loss = (copied * torch.randn(copied.shape, generator=generator)).sum() + no_copy_prob.sum()
    return [copied.detach(), no_copy_prob.detach(), *torch.autograd.grad(loss, inputs[:5])]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[512, 1280, 2048])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'frames':>8}{'precision':>12}{'all pairs, ms':>16}{'in blocks, ms':>16}{'ratio':>8}")
    for steps in arguments.frames:
        exact = inputs_of(steps, torch.float32)
        for ours, plain in zip(gradients(exact, copies), gradients(exact, all_pairs), strict=True):
            torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-3)
        for dtype in (torch.float32, torch.bfloat16):
            inputs = inputs_of(steps, dtype)
            seconds: dict[str, list[float]] = {"all pairs": [], "in blocks": []}
            for _ in range(arguments.rounds):
                for name, attention in (("all pairs", all_pairs), ("in blocks", copies)):
                    started = process_time()
                    gradients(inputs, attention)
                    seconds[name].append(process_time() - started)
            whole, blocks = (statistics.median(each) * 1e3 for each in seconds.values())
            ratio = statistics.median(a / b for a, b in zip(*seconds.values(), strict=True))
            precision = str(dtype).removeprefix("torch.")
            print(f"{steps:8}{precision:>12}{whole:16.0f}{blocks:16.0f}{ratio:8.1f}", flush=True)


if __name__ == "__main__":
    main()
