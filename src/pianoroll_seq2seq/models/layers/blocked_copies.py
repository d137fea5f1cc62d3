"""The weights and values of copy attention, some queries at a time.

A score for every pair of frames, of each head, takes far more memory than the model: 100 MB for each intermediate
result of a piece of 2,000 frames. Here the scores of 256 queries are computed, used and forgotten, with the keys before
them alone. The weights are kept for the gradients in the precision of the queries. Results and gradients are exact.

Queries are in reverse order within a block. So the distance to a key is the sum of the two positions plus a constant,
and the biases of all pairs are a view of a table of distances.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

SPANS = (1, 2, 4, 8, 16, 32)
"""Lengths of a match, in frames, that the weights distinguish."""
LEVELS = len(SPANS) + 1
"""How many spans a match reaches: none to all."""
_KINDS_PER_TABLE = 4
_ROWS = 256


@dataclass(frozen=True)
class _Block:
    """Some queries and all keys before the last of them.

    Args:
        begin: the step of the first query.
        end: the step after the last.
    """

    begin: int
    end: int

    @property
    def rows(self) -> int:
        """The number of queries."""
        return self.end - self.begin

    @property
    def keys(self) -> int:
        """The number of keys, at least one."""
        return max(self.end - 1, 1)

    def reversed_rows(self, values: Tensor, dim: int = 2) -> Tensor:
        """The rows of this block, in reverse order, from values of all steps that end with the last query's."""
        return values.narrow(dim, self.begin, self.rows).flip(dim)


class CopyInputs(NamedTuple):
    """What copy attention reads.

    Args:
        queries: of the last steps, (batch, heads, queries, size).
        keys: of all steps, (batch, heads, steps, size). A query attends to earlier steps only.
        no_copy: the score of no frame, (batch, heads, queries).
        distance_bias: the bias for frames 1, 2, ... steps back, (heads, steps).
        match_bias: what is added for each span that a match reaches, (heads, kinds, spans).
        frames: (batch, steps, frame_size).
        frame_hash: hashes of the frames, equal for equal frames, (batch, steps, kinds).
    """

    queries: Tensor
    keys: Tensor
    no_copy: Tensor
    distance_bias: Tensor
    match_bias: Tensor
    frames: Tensor
    frame_hash: Tensor


def copies(inputs: CopyInputs) -> tuple[Tensor, Tensor]:
    """The weighted mean of earlier frames for each query, and the weight on no frame.

    Returns:
        (batch, heads, queries, frame_size) and (batch, heads, queries).
    """
    queries, keys, no_copy, distance_bias, match_bias, frames, frame_hash = inputs
    if not queries.shape[2]:
        return frames.new_zeros(*queries.shape[:3], frames.shape[2]), torch.zeros_like(no_copy)
    scaled = queries / math.sqrt(queries.shape[3])
    tensors = (scaled, keys, no_copy, distance_bias, frames, frame_hash, *match_tables(match_bias))
    if torch.is_grad_enabled():
        found: tuple[Tensor, Tensor] = _Copies.apply(*tensors)  # type: ignore[no-untyped-call]
        return found
    return _forward(tensors, None)


def match_tables(match_bias: Tensor) -> list[Tensor]:
    """The bias of every combination of levels, of some kinds in each table: (heads, combinations)."""
    by_level = functional.pad(match_bias.cumsum(dim=2), (1, 0))
    tables = []
    for some in torch.split(by_level, _KINDS_PER_TABLE, dim=1):
        table, *others = some.unbind(dim=1)
        for other in others:
            table = (table.unsqueeze(2) + other.unsqueeze(1)).flatten(1)
        tables.append(table)
    return tables


def match_levels(frame_hash: Tensor, begin: int, end: int) -> Tensor:
    """How many of the spans the match before each pair of steps reaches.

    Found by doubling: 2n frames match if the latest n match and the n before.

    Args:
        frame_hash: (batch, steps, kinds).
        begin: the first query.
        end: the one after the last.

    Returns:
        int16 of shape (batch, kinds, end - begin, keys): queries in reverse order, and all keys before the last.
    """
    earlier = _Block(max(begin - SPANS[-1] + 1, 0), end)  # matches reach back into the rows before the first query
    before = functional.pad(frame_hash.transpose(1, 2), (1, 0))[..., :-1]  # of the frame before each step
    holds = earlier.reversed_rows(before).unsqueeze(3) == before[:, :, : earlier.keys].unsqueeze(2)
    holds[..., 0] = False  # there is none before the first step
    levels = holds[:, :, : end - begin].to(torch.int16)
    for shorter in SPANS[:-1]:
        holds = holds & functional.pad(holds, (shorter, 0, 0, shorter))[:, :, shorter:, : earlier.keys]
        levels += holds[:, :, : end - begin]
    return levels


class _Copies(torch.autograd.Function):
    """The function of :func:`copies` with its gradients."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """See :func:`_forward`."""
        kept: list[tuple[Tensor, ...]] = []
        copied, no_copy_prob = _forward(inputs, kept)
        ctx.num_tables = len(inputs) - 6
        ctx.save_for_backward(*inputs, copied, no_copy_prob, *(tensor for block in kept for tensor in block))
        return copied, no_copy_prob

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of all inputs but the hashes."""
        count = 6 + ctx.num_tables
        inputs, rest = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        (copied, no_copy_prob), kept = rest[:2], rest[2:]
        size = 1 + ctx.num_tables
        blocks = [kept[begin : begin + size] for begin in range(0, len(kept), size)]
        return _backward(inputs, (copied, no_copy_prob), grads, blocks, frames_too=ctx.needs_input_grad[4])


def _blocks(queries: Tensor, keys: Tensor) -> Iterator[_Block]:
    steps = keys.shape[2]
    for begin in range(steps - queries.shape[2], steps, _ROWS):
        yield _Block(begin, min(begin + _ROWS, steps))


def _forward(inputs: Sequence[Tensor], kept: list[tuple[Tensor, ...]] | None) -> tuple[Tensor, Tensor]:
    """The function of :func:`copies`; ``kept`` receives what the gradients need of each block."""
    queries, keys, no_copy, distance_bias, frames, frame_hash, *tables = inputs
    first, steps = keys.shape[2] - queries.shape[2], keys.shape[2]
    values = frames.to(queries.dtype)
    # In reverse, and -inf for distances below 1: a step does not attend to itself or to later ones.
    reverse = functional.pad(distance_bias.flip(1), (0, _ROWS), value=-math.inf)
    copied, no_copy_prob = [], []
    for block in _blocks(queries, keys):
        own = _Block(block.begin - first, block.end - first)
        rows = own.reversed_rows(queries)
        scores = (rows @ keys[:, :, : block.keys].transpose(2, 3)).to(reverse.dtype)
        scores += _diagonals(reverse[:, steps - block.end + 1 :], block.rows, block.keys)
        combinations = _combinations(match_levels(frame_hash, block.begin, block.end))
        for table, index in zip(tables, combinations, strict=True):
            wide = index.flatten().int()
            for head, biases in enumerate(table):
                scores[:, head] += biases.index_select(0, wide).view(index.shape)
        nothing = own.reversed_rows(no_copy).unsqueeze(3).to(scores.dtype)
        weights = torch.cat([scores, nothing], dim=3).softmax(dim=3)
        on_frames = weights[..., :-1].to(values.dtype).contiguous()
        mean = on_frames.flatten(1, 2) @ values[:, : block.keys]
        copied.append(torch.unflatten(mean, 1, (queries.shape[1], -1)).flip(2))
        no_copy_prob.append(weights[..., -1].flip(2))
        if kept is not None:
            kept.append((on_frames, *combinations))
    return torch.cat(copied, dim=2), torch.cat(no_copy_prob, dim=2)


def _backward(
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    grads: Sequence[Tensor],
    kept: Sequence[Sequence[Tensor]],
    *,
    frames_too: bool,
) -> tuple[Tensor | None, ...]:
    """The gradients of the inputs of :func:`_forward`, from its outputs and their gradients."""
    queries, keys, no_copy, distance_bias, frames, _, *tables = inputs
    (copied, no_copy_prob), (copied_grad, no_copy_prob_grad) = outputs, grads
    first, steps = keys.shape[2] - queries.shape[2], keys.shape[2]
    values = frames.to(queries.dtype)
    # The gradient of a score is its weight times the gradient of the weight, less the mean of these over the weights.
    mean = (copied_grad * copied).sum(dim=3, dtype=distance_bias.dtype) + no_copy_prob_grad * no_copy_prob
    no_copy_grad = no_copy_prob * (no_copy_prob_grad - mean)
    sums = torch.promote_types(queries.dtype, torch.float32)
    query_grad, key_grad = torch.empty_like(queries), torch.zeros_like(keys, dtype=sums)
    reverse_grad = distance_bias.new_zeros(len(distance_bias), steps + _ROWS)
    table_grads = [torch.zeros_like(table) for table in tables]
    frames_grad = torch.zeros_like(frames) if frames_too else None
    for block, (weights, *combinations) in zip(_blocks(queries, keys), kept, strict=True):
        own = _Block(block.begin - first, block.end - first)
        output_grad = own.reversed_rows(copied_grad).to(values.dtype).flatten(1, 2)
        weight_grad = (output_grad @ values[:, : block.keys].transpose(1, 2)).view_as(weights)
        padded = distance_bias.new_zeros(*weights.shape[:3], block.keys + block.rows)
        score_grad = padded[..., : block.keys]
        torch.sub(weight_grad, own.reversed_rows(mean).unsqueeze(3), out=score_grad)
        score_grad *= weights
        rounded = score_grad.to(queries.dtype)
        query_grad[:, :, own.begin : own.end] = (rounded @ keys[:, :, : block.keys]).flip(2)
        key_grad[:, :, : block.keys] += rounded.transpose(2, 3) @ own.reversed_rows(queries)
        reverse_grad[:, steps - block.end + 1 :][:, : block.keys + block.rows - 1] += _sum_of_diagonals(padded)
        for table_grad, index in zip(table_grads, combinations, strict=True):
            matches = index.flatten().nonzero().squeeze(1)  # no bias without a match
            chosen = index.flatten()[matches].long()
            for head, biases in enumerate(table_grad):
                biases.scatter_add_(0, chosen, score_grad[:, head].flatten()[matches].to(biases.dtype))
        if frames_grad is not None:
            frames_grad[:, : block.keys] += weights.flatten(1, 2).transpose(1, 2) @ output_grad
    distance_grad = reverse_grad[:, :steps].flip(1)
    keys_done = key_grad.to(keys.dtype)
    return query_grad, keys_done, no_copy_grad.to(no_copy.dtype), distance_grad, frames_grad, None, *table_grads


def _combinations(levels: Tensor) -> list[Tensor]:
    """The places of levels (batch, kinds, ...) in each of :func:`match_tables`: (batch, ...)."""
    places = []
    for some in torch.split(levels, _KINDS_PER_TABLE, dim=1):
        place, *others = some.unbind(dim=1)
        for other in others:
            place = place * LEVELS + other
        places.append(place)
    return places


def _diagonals(table: Tensor, rows: int, columns: int) -> Tensor:
    """A view whose element (i, j) is element i + j of a table: (heads, ...) to (heads, rows, columns)."""
    return table.as_strided((len(table), rows, columns), (table.stride(0), 1, 1), table.storage_offset())


def _sum_of_diagonals(padded: Tensor) -> Tensor:
    """The sums of elements with equal i + j, over the batch too.

    Args:
        padded: (batch, heads, rows, columns + rows), contiguous, of which the last ``rows`` columns are 0.

    Returns:
        (heads, columns + rows - 1).
    """
    batch, heads, rows, width = padded.shape
    strides = (padded.stride(0), padded.stride(1), width - 1, 1)
    return padded.as_strided((batch, heads, rows, width - 1), strides).sum(dim=(0, 2))
