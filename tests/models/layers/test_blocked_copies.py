"""Copy attention some queries at a time: what plain attention over all pairs gives, and its gradients."""

import math
from collections.abc import Sequence
from functools import partial

import pytest
import torch
from torch import Tensor

from pianoroll_seq2seq.models.layers import blocked_copies
from pianoroll_seq2seq.models.layers.blocked_copies import SPANS, CopyInputs, copies

HEADS, SIZE, PITCHES = 2, 3, 4


def inputs_of(steps: int, begin: int, *, batch: int = 2, kinds: int = 3) -> CopyInputs:
    """The arguments of ``copies``, with frames that repeat themselves."""
    generator = torch.Generator().manual_seed(0)
    randn = partial(torch.randn, generator=generator, dtype=torch.float64)
    queries, keys = randn(batch, HEADS, steps - begin, SIZE), randn(batch, HEADS, steps, SIZE)
    frames = (torch.rand(batch, steps, PITCHES, generator=generator) < 0.3).double()
    frames[:, steps // 2 :] = frames[:, : steps - steps // 2]
    weights = torch.randint(2**40, (kinds, PITCHES), generator=generator)
    frame_hash = (frames.long()[:, :, None] * weights).sum(dim=3)
    biases = randn(HEADS, steps), randn(HEADS, kinds, len(SPANS))
    return CopyInputs(queries, keys, randn(batch, HEADS, steps - begin), *biases, frames, frame_hash)


def plain_copies(inputs: CopyInputs) -> tuple[Tensor, Tensor]:
    """One pair after another."""
    queries, keys, no_copy, distance_bias, match_bias, frames, frame_hash = inputs
    batch, heads, count, size = queries.shape
    steps = keys.shape[2]
    copied = torch.zeros(batch, heads, count, frames.shape[2], dtype=frames.dtype)
    alone = torch.zeros(batch, heads, count, dtype=frames.dtype)
    for piece in range(batch):
        for query in range(count):
            now = steps - count + query
            runs = []
            for then in range(now):
                of_kind = []
                for kind in range(frame_hash.shape[2]):
                    hashes, run = frame_hash[piece, :, kind], 0
                    while run < then and hashes[now - 1 - run] == hashes[then - 1 - run]:
                        run += 1
                    of_kind.append([float(run >= span) for span in SPANS])
                runs.append(of_kind)
            reached = torch.tensor(runs, dtype=frames.dtype).reshape(now, frame_hash.shape[2] * len(SPANS))
            for head in range(heads):
                scores = keys[piece, head, :now] @ queries[piece, head, query] / math.sqrt(size)
                scores = scores + distance_bias[head, :now].flip(0) + reached @ match_bias[head].flatten()
                weights = torch.cat([scores, no_copy[piece, head, query : query + 1]]).softmax(dim=0)
                copied[piece, head, query] = weights[:-1] @ frames[piece, :now]
                alone[piece, head, query] = weights[-1]
    return copied, alone


@pytest.mark.parametrize(("steps", "begin"), [(1, 0), (2, 1), (13, 0), (40, 0), (40, 33)])
def test_copies_are_those_of_plain_attention(steps: int, begin: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocked_copies, "_ROWS", 7)
    inputs = inputs_of(steps, begin)
    for found, expected in zip(copies(inputs), plain_copies(inputs), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kinds", [1, 3, 4, 5, 9])
def test_any_number_of_kinds_of_matches(kinds: int) -> None:
    inputs = inputs_of(24, 3, kinds=kinds)
    torch.testing.assert_close(copies(inputs), plain_copies(inputs))


def test_without_gradients_it_gives_the_same() -> None:
    inputs = inputs_of(40, 2)
    with torch.no_grad():
        torch.testing.assert_close(copies(inputs), plain_copies(inputs))


@pytest.mark.parametrize("kinds", [3, 5])
def test_gradients_are_exact(kinds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all arguments, beside differences (``torch.autograd.gradcheck``)."""
    monkeypatch.setattr(blocked_copies, "_ROWS", 5)
    *inputs, frame_hash = inputs_of(13, 2, kinds=kinds)
    for values in inputs:
        values.requires_grad_()
    assert torch.autograd.gradcheck(lambda *values: copies(CopyInputs(*values, frame_hash)), inputs)


def test_no_queries() -> None:
    copied, alone = copies(inputs_of(6, 6))
    assert copied.shape == (2, HEADS, 0, PITCHES)
    assert alone.shape == (2, HEADS, 0)


def test_memory_grows_with_one_block_when_gradients_are_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece that is scored must not keep the weights of all pairs of frames."""
    monkeypatch.setattr(blocked_copies, "_ROWS", 8)
    kept: list[object] = []
    real = blocked_copies._forward

    def forward(inputs: Sequence[Tensor], keep: object) -> tuple[Tensor, Tensor]:
        kept.append(keep)
        return real(inputs, None)

    monkeypatch.setattr(blocked_copies, "_forward", forward)
    with torch.no_grad():
        copies(inputs_of(40, 0))
    assert kept == [None]
