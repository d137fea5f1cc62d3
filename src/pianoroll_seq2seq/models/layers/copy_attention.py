"""Copy attention: attention over past frames whose values are the frames themselves.

Music repeats: a motif after a bar, a phrase after eight. Each head attends to all earlier frames and offers their
weighted mean as a candidate for the next frame (the copy mechanism of pointer networks: Vinyals, Fortunato and Jaitly,
2015; for text See, Liu and Manning, 2017). The weights depend on the states (content), on the distance in frames (one
bar, eight bars), and on how many frames before both places are equal.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.layers.blocked_copies import SPANS, CopyInputs, copies
from pianoroll_seq2seq.models.note_columns import NoteColumns, note_columns

_CYCLES = (4, 6, 8, 12, 16, 24, 32, 48, 64)
_FARTHEST = 512
_MORE_FRAMES = 256
"""While it steps, biases are computed for so many more frames at once."""


@dataclass(frozen=True)
class CopyCandidates:
    """The candidates that the heads offer.

    Args:
        frames: the weighted mean of earlier frames, (batch, steps, heads, frame_size).
        no_copy_prob: the weight of each head on no frame, (batch, steps, heads).
    """

    frames: Tensor
    no_copy_prob: Tensor

    def concat(self, states: Tensor) -> Tensor:
        """The features of an output head: states (batch, steps, state), no-copy probabilities, and the candidates."""
        return torch.cat([states, self.no_copy_prob.to(states.dtype), self.frames.flatten(2).to(states.dtype)], dim=2)


def features_with_copies(state: int, frame_size: int, num_heads: int) -> int:
    """The number of features of an output head with copy candidates: see :meth:`CopyCandidates.concat`."""
    return state + num_heads * (1 + frame_size)


@dataclass(frozen=True)
class CopyMemory:
    """The past of a continuation: see :meth:`CopyAttention.step`.

    Args:
        frames: all past frames, (batch, frames, frame_size).
        keys: (batch, frames, heads, size).
        frame_hash: hashes of the frames, equal for equal frames, (batch, frames, kinds).
        match_length: how many frames before the next frame equal those before each past frame, (batch, frames, kinds).
        distance_bias: the bias of each head for frames 1, 2, ... steps back, of as many steps or more, (heads, steps).
    """

    frames: Tensor
    keys: Tensor
    frame_hash: Tensor
    match_length: Tensor
    distance_bias: Tensor


class CopyAttention(nn.Module):
    """Attention heads over earlier frames.

    Args:
        state: size of the model's state at each step.
        layout: what the columns of a frame mean, or their number. Velocities do not count for a match.
        num_heads: number of heads.
        size: size of keys and queries.
    """

    _hash_weights: Tensor
    _spans: Tensor

    def __init__(self, state: int, layout: FrameLayout | int, *, num_heads: int = 6, size: int = 24) -> None:
        """Initialises the heads so that they prefer places that match."""
        super().__init__()
        self.columns: NoteColumns = note_columns(layout)
        parts = len(self.columns.blocks)
        # Kinds of match: whole frames, and each part; of one part its highest pitch, and all pitches but the highest.
        kinds = 1 + parts if parts > 1 else 3
        heads = num_heads
        self.num_heads = num_heads
        self.size = size
        self.query: nn.Linear = nn.Linear(state, heads * size)
        self.key: nn.Linear = nn.Linear(state, heads * size)
        self.no_copy: nn.Linear = nn.Linear(state, heads)
        self.relative_position_bias: nn.Parameter = nn.Parameter(torch.zeros(heads, _FARTHEST))
        self.periodic_bias: nn.ParameterList = nn.ParameterList(
            nn.Parameter(torch.zeros(heads, cycle)) for cycle in _CYCLES
        )
        self.decay: nn.Parameter = nn.Parameter(-torch.linspace(0.1, 1.0, heads))
        self.match_bias: nn.Parameter = nn.Parameter(torch.rand(heads, kinds * len(SPANS)))
        # A frame's hash is a sum of these integers, so it is exact.
        generator = torch.Generator().manual_seed(0)
        self.register_buffer(
            "_hash_weights", torch.randint(2**61, (self.columns.frame_size,), generator=generator), persistent=False
        )
        self.register_buffer("_spans", torch.tensor(SPANS), persistent=False)

    def forward(self, states: Tensor, frames: Tensor, *, begin: int = 0) -> CopyCandidates:
        """Candidates for every step from ``begin`` on.

        Args:
            states: the model's state before each frame, (batch, steps, state).
            frames: the frame of each step, (batch, steps, frame_size). A step attends to earlier frames only.
            begin: the first step with a query. Earlier steps are keys only.

        Returns:
            Candidates of batch shape (batch, steps - begin).
        """
        query_states = states[:, begin:]
        inputs = CopyInputs(
            queries=self._by_head(self.query, query_states).transpose(1, 2),
            keys=self._by_head(self.key, states).transpose(1, 2),
            no_copy=self.no_copy(query_states).transpose(1, 2),
            distance_bias=self._distance_bias(states.shape[1]),
            match_bias=torch.unflatten(self.match_bias, 1, (-1, len(SPANS))),
            frames=frames,
            frame_hash=self.frame_hash(frames),
        )
        copied, no_copy_prob = copies(inputs)
        return CopyCandidates(copied.transpose(1, 2), no_copy_prob.transpose(1, 2))

    def start(self, states: Tensor, frames: Tensor) -> CopyMemory:
        """The memory after frames (batch, frames, frame_size); ``states`` are the model's states before each."""
        frame_hash = self.frame_hash(frames)
        bias = self._distance_bias(frames.shape[1] + _MORE_FRAMES)
        return CopyMemory(frames, self._by_head(self.key, states), frame_hash, _match_lengths_at_end(frame_hash), bias)

    def step(self, state: Tensor, memory: CopyMemory) -> CopyCandidates:
        """Candidates for the next frame; ``state`` (batch, state) is the model's state before it."""
        states = state.unsqueeze(1)
        count = memory.frames.shape[1]
        queries = self._by_head(self.query, states).transpose(1, 2)
        scores = queries @ memory.keys.permute(0, 2, 3, 1) / math.sqrt(self.size)
        scores = scores + memory.distance_bias[:, :count].flip(1).unsqueeze(1)
        return self._attend(scores + self._match_scores(memory.match_length.unsqueeze(1)), states, memory.frames)

    def after(self, frame: Tensor, state: Tensor, memory: CopyMemory) -> CopyMemory:
        """The memory after one more frame, (batch, frame_size), with the state before it."""
        frames = frame.unsqueeze(1)
        frame_hash = self.frame_hash(frames)
        match_length = torch.where(frame_hash == memory.frame_hash, memory.match_length + 1, 0)
        bias, count = memory.distance_bias, memory.frames.shape[1] + 1
        return CopyMemory(
            torch.cat([memory.frames, frames], dim=1),
            torch.cat([memory.keys, self._by_head(self.key, state.unsqueeze(1))], dim=1),
            torch.cat([memory.frame_hash, frame_hash], dim=1),
            functional.pad(match_length, (0, 0, 1, 0)),
            bias if count <= bias.shape[1] else self._distance_bias(count + _MORE_FRAMES),
        )

    def frame_hash(self, frames: Tensor) -> Tensor:
        """Hashes of each frame's notes, and of each part, or of the highest pitch and the others: (..., kinds)."""
        columns = self.columns
        sounding = (frames[..., : columns.frame_size] > 0).long()
        hashes = sounding * self._hash_weights
        whole = hashes.sum(dim=2)
        if len(columns.blocks) > 1:
            planes = torch.unflatten(hashes, 2, (columns.num_planes, columns.plane_size)).sum(dim=2)
            return torch.stack([whole, *(planes[..., block.columns].sum(dim=2) for block in columns.blocks)], dim=2)
        place = torch.arange(1, columns.plane_size + 1, device=frames.device)
        highest = (sounding[..., : columns.plane_size] * place).amax(dim=2)
        highest_hash = functional.pad(self._hash_weights, (1, 0))[highest]
        return torch.stack([whole, highest_hash, whole - highest_hash], dim=2)

    def _by_head(self, layer: nn.Linear, states: Tensor) -> Tensor:
        values: Tensor = layer(states)
        return values.view(*values.shape[:2], self.num_heads, self.size)

    def _distance_bias(self, steps: int) -> Tensor:
        """The bias of each head for frames 1, 2, ... steps back: (heads, steps)."""
        distance = torch.arange(1, steps + 1, device=self.decay.device)
        table = (
            self.relative_position_bias[:, (distance - 1).clamp(max=_FARTHEST - 1)]
            + self.decay[:, None] * distance.log()
        )
        for cycle, phases in zip(_CYCLES, self.periodic_bias, strict=True):
            table = table + phases[:, distance % cycle]
        return table

    def _match_scores(self, match_length: Tensor) -> Tensor:
        """The bias for match lengths (batch, queries, keys, kinds): (batch, heads, queries, keys)."""
        reached = (match_length.unsqueeze(4) >= self._spans).flatten(3).to(self.match_bias.dtype)
        return torch.einsum("hk,btsk->bhts", self.match_bias, reached)

    def _attend(self, scores: Tensor, states: Tensor, frames: Tensor) -> CopyCandidates:
        no_copy = self.no_copy(states).transpose(1, 2).unsqueeze(3)
        weights = torch.cat([scores, no_copy.to(scores.dtype)], dim=3).softmax(dim=3)
        copied = weights.flatten(1, 2)[..., :-1] @ frames.to(weights.dtype)  # of all heads: (batch, heads * steps, ...)
        copied = torch.unflatten(copied, 1, (self.num_heads, -1))
        return CopyCandidates(copied.transpose(1, 2), weights[..., -1].transpose(1, 2))


def _match_lengths_at_end(frame_hash: Tensor) -> Tensor:
    """How many frames before the end equal those before each frame, up to the longest span: (batch, frames, kinds)."""
    batch, count, kinds = frame_hash.shape
    match_length = frame_hash.new_zeros(batch, count, kinds)
    matches = torch.ones_like(match_length, dtype=torch.bool)
    for back in range(1, min(count, SPANS[-1]) + 1):
        same = frame_hash[:, : count - back] == frame_hash[:, count - back : count - back + 1]
        matches = matches & functional.pad(same, (0, 0, back, 0))
        match_length = match_length + matches
    return match_length
