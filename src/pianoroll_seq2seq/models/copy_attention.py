"""Attention over the music so far whose values are the frames themselves: what to copy.

Music repeats: a motif a bar later, a phrase after eight. Each head looks at all earlier frames and proposes their
weighted mean as the next frame (the copy mechanism of pointer networks: Vinyals, Fortunato and Jaitly, 2015; See, Liu
and Manning, 2017, for text). A frame is looked at for what was going on there (the states agree), for how long ago it
was (one bar, eight bars), and for how far the music before it is the music before now.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

_SPANS = (1, 2, 4, 8, 16, 32)
"""Numbers of frames over which the music before now may agree with that before then."""
_KINDS = 3
"""In what it may agree: whole frames, their highest pitch, all pitches but the highest."""
_CYCLES = (4, 6, 8, 12, 16, 24, 32, 48, 64)
_FARTHEST = 512


@dataclass(frozen=True)
class Copies:
    """What the heads propose.

    Args:
        frames: the weighted mean of earlier frames, (batch, steps, heads, pitches).
        nothing: the share of each head's weight that lies on no frame, (batch, steps, heads).
    """

    frames: Tensor
    nothing: Tensor

    def beside(self, states: Tensor) -> Tensor:
        """What a head reads: the states, (batch, steps, state), the shares of nothing, and last the proposals."""
        return torch.cat([states, self.nothing.to(states.dtype), self.frames.flatten(2).to(states.dtype)], dim=2)


def features_with_copies(state: int, pitches: int, copies: int) -> int:
    """How many numbers a head has to read beside so many heads of attention: see :meth:`Copies.beside`."""
    return state + copies * (1 + pitches)


@dataclass(frozen=True)
class CopyMemory:
    """What is known of the frames so far, to go on from: see :meth:`CopyAttention.step`.

    Args:
        frames: all of them, (batch, frames, pitches).
        keys: (batch, frames, heads, size).
        marks: of the frames so far, by which to tell whether two are equal, (batch, frames, kinds).
        agreed: over how many frames the music before the next frame agrees with that before each, (batch, frames,
            kinds).
    """

    frames: Tensor
    keys: Tensor
    marks: Tensor
    agreed: Tensor


class CopyAttention(nn.Module):
    """Heads that look back at earlier frames and propose them.

    Args:
        state: size of the model's state at each step.
        pitches: size of a frame.
        heads: how many.
        size: of keys and queries.
    """

    _marking: Tensor

    def __init__(self, state: int, pitches: int, *, heads: int = 6, size: int = 24) -> None:
        """Heads that begin with a liking for places where the music agrees."""
        super().__init__()
        self.heads = heads
        self.size = size
        self.query: nn.Linear = nn.Linear(state, heads * size)
        self.key: nn.Linear = nn.Linear(state, heads * size)
        self.nothing: nn.Linear = nn.Linear(state, heads)
        self.by_distance: nn.Parameter = nn.Parameter(torch.zeros(heads, _FARTHEST))
        self.by_phase: nn.ParameterList = nn.ParameterList(nn.Parameter(torch.zeros(heads, cycle)) for cycle in _CYCLES)
        self.decay: nn.Parameter = nn.Parameter(-torch.linspace(0.1, 1.0, heads))
        self.by_agreement: nn.Parameter = nn.Parameter(torch.rand(heads, _KINDS * len(_SPANS)))
        # Weights of a sum that tells frames apart; whole numbers, so that the sum is exact.
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("_marking", torch.randint(2**61, (pitches,), generator=generator), persistent=False)

    def forward(self, states: Tensor, frames: Tensor, *, begin: int = 0) -> Copies:
        """Proposals for every step from ``begin`` on.

        Args:
            states: the model's state before each frame, (batch, steps, state).
            frames: what came at each step, (batch, steps, pitches); only earlier ones are looked at.
            begin: the first step that asks; those before it are only looked at.

        Returns:
            Of (batch, steps - begin).
        """
        steps, asking = states.shape[1], states[:, begin:]
        queries, keys = self._by_head(self.query, asking), self._by_head(self.key, states)
        scores = torch.einsum("bthd,bshd->bhts", queries, keys) / math.sqrt(self.size)
        agreed = self._agreement(self.marks(frames))[:, begin:]
        scores = scores + self._from_distance(steps)[:, begin:] + self._from_agreement(agreed)
        moment = torch.arange(steps, device=states.device)
        scores = scores.masked_fill(moment[begin:, None] <= moment, -math.inf)
        return self._weighted(scores, asking, frames)

    def start(self, states: Tensor, frames: Tensor) -> CopyMemory:
        """The memory after some frames, (batch, frames, pitches), before which the model was in these states."""
        marks = self.marks(frames)
        return CopyMemory(frames, self._by_head(self.key, states), marks, _agreement_at_end(marks))

    def step(self, state: Tensor, memory: CopyMemory) -> Copies:
        """Proposals for the next frame, before which the model is in this state, (batch, state)."""
        states = state.unsqueeze(1)
        count = memory.frames.shape[1]
        scores = torch.einsum("bthd,bshd->bhts", self._by_head(self.query, states), memory.keys) / math.sqrt(self.size)
        scores = scores + self._by_distance(count + 1).flip(1).unsqueeze(1)
        return self._weighted(scores + self._from_agreement(memory.agreed.unsqueeze(1)), states, memory.frames)

    def after(self, frame: Tensor, state: Tensor, memory: CopyMemory) -> CopyMemory:
        """The memory with one frame more, (batch, pitches), and the state before it."""
        frames = frame.unsqueeze(1)
        marks = self.marks(frames)
        agreed = torch.where(marks == memory.marks, memory.agreed + 1, 0)
        return CopyMemory(
            torch.cat([memory.frames, frames], dim=1),
            torch.cat([memory.keys, self._by_head(self.key, state.unsqueeze(1))], dim=1),
            torch.cat([memory.marks, marks], dim=1),
            functional.pad(agreed, (0, 0, 1, 0)),
        )

    def marks(self, frames: Tensor) -> Tensor:
        """Numbers that are equal where frames are: of all pitches, the highest, and the others, (batch, frames, 3)."""
        sounding = (frames > 0).long()
        whole = (sounding * self._marking).sum(dim=2)
        place = torch.arange(1, sounding.shape[2] + 1, device=frames.device)
        highest = (sounding * place).amax(dim=2)
        of_highest = functional.pad(self._marking, (1, 0))[highest]
        return torch.stack([whole, of_highest, whole - of_highest], dim=2)

    def _by_head(self, layer: nn.Linear, states: Tensor) -> Tensor:
        values: Tensor = layer(states)
        return values.view(*values.shape[:2], self.heads, self.size)

    def _by_distance(self, steps: int) -> Tensor:
        """What each head makes of how many frames ago a frame was: (heads, steps - 1), for 1, 2, ..."""
        distance = torch.arange(1, steps, device=self.decay.device)
        table = self.by_distance[:, (distance - 1).clamp(max=_FARTHEST - 1)] + self.decay[:, None] * distance.log()
        for cycle, phases in zip(_CYCLES, self.by_phase, strict=True):
            table = table + phases[:, distance % cycle]
        return table

    def _from_distance(self, steps: int) -> Tensor:
        """The same for every step and every frame before it, with zeros for the others: (heads, steps, steps)."""
        table = functional.pad(self._by_distance(steps).flip(1), (0, steps))
        return table.unfold(1, steps, 1).flip(1)

    def _from_agreement(self, agreed: Tensor) -> Tensor:
        """What each head makes of the agreement, (batch, now, then, kinds): (batch, heads, now, then)."""
        spans = torch.tensor(_SPANS, device=agreed.device)
        reached = (agreed.unsqueeze(4) >= spans).flatten(3).to(self.by_agreement.dtype)
        return torch.einsum("hk,btsk->bhts", self.by_agreement, reached)

    def _agreement(self, marks: Tensor) -> Tensor:
        """Over how many frames the music before now and before then agrees: (batch, now, then, kinds).

        The longest of the spans that holds, found by doubling: 2n frames agree where the latest n do, and the n before.
        """
        steps = marks.shape[1]
        equal = marks[:, :, None] == marks[:, None]
        holds = functional.pad(equal, (0, 0, 1, 0, 1, 0))[:, :steps, :steps]
        agreed = holds.to(torch.int8)
        for shorter in _SPANS[:-1]:
            earlier = functional.pad(holds, (0, 0, shorter, 0, shorter, 0))[:, :steps, :steps]
            holds = holds & earlier
            agreed = torch.where(holds, 2 * shorter, agreed)
        return agreed

    def _weighted(self, scores: Tensor, states: Tensor, frames: Tensor) -> Copies:
        nothing = self.nothing(states).transpose(1, 2).unsqueeze(3)
        weights = torch.cat([scores, nothing.to(scores.dtype)], dim=3).softmax(dim=3)
        copied = weights[..., :-1] @ frames.unsqueeze(1).to(weights.dtype)
        return Copies(copied.transpose(1, 2), weights[..., -1].transpose(1, 2))


def _agreement_at_end(marks: Tensor) -> Tensor:
    """Over how many frames, as far as the longest span, the music before now agrees with that before each frame."""
    batch, count, kinds = marks.shape
    agreed = marks.new_zeros(batch, count, kinds)
    going = torch.ones_like(agreed, dtype=torch.bool)
    for back in range(1, min(count, _SPANS[-1]) + 1):
        same = marks[:, : count - back] == marks[:, count - back : count - back + 1]
        going = going & functional.pad(same, (0, 0, back, 0))
        agreed = agreed + going
    return agreed
