"""A frame of monophonic parts, each decided given the parts before it, by the network of a ``MonophonicHead``."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pianoroll_seq2seq.models.heads.monophonic_context import GivenParts, PartsContext, PartsHead
from pianoroll_seq2seq.models.heads.monophonic_states import frames_of, means_of, num_states, states_of
from pianoroll_seq2seq.models.heads.pitch_autoregression import by_rows, stratified_numbers
from pianoroll_seq2seq.models.heads.precision import at_least_float32, check_temperature
from pianoroll_seq2seq.models.heads.random_numbers import uniform

if TYPE_CHECKING:
    from pianoroll_seq2seq.models.heads.guided_parts import GuidedContext

_ENUMERATED = 64
"""A mean is exact if the parts but the last have no more than so many states together."""
_SAMPLES = 32
_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Monophonic:
    """A frame of parts of which each sounds one pitch or rests. The parts are decided one after another.

    A part is silent, holds a pitch that sounded in the frame before, or begins one. Without an onset plane it is silent
    or sounds a pitch. A frame in which a part has two pitches has probability zero.

    Args:
        head: the head whose network computes the log-odds.
        context: the context of the frame, batch shape (...).
        ranks: numbers by which the parts are decided, the lowest first, (..., parts).
        temperature: divides the logits of every decision.
        known: the parts that are given, if any: see :meth:`given`.
    """

    rowwise: ClassVar[bool] = True

    head: PartsHead
    context: "PartsContext | GuidedContext"
    ranks: Tensor
    temperature: float = 1.0
    known: GivenParts | None = None

    def log_prob(self, frames: Float[Tensor, "*batch frame_size"]) -> Float[Tensor, "*batch"]:
        """Log-probability of whole frames in nats, exact; of what is not given, if some parts are given."""
        flat, frames = self._flat(), frames.reshape(-1, frames.shape[-1])
        if torch.is_grad_enabled():
            log_probs = flat._row_log_probs(frames)
        else:
            log_probs = by_rows(lambda rows: flat[rows]._row_log_probs(frames[rows]), len(frames), _ROWS)
        return log_probs.view(self.context.batch)

    @torch.no_grad()
    def sample(self, *, generator: torch.Generator) -> Float[Tensor, "*batch frame_size"]:
        """One exact sample."""
        flat = self._flat()
        numbers = uniform(flat.ranks.shape, generator=generator, device=flat.ranks.device)
        return flat._row_samples(numbers)[0].view(*self.context.batch, -1)

    @property
    def mean(self) -> Float[Tensor, "*batch frame_size"]:
        """The probability of each column, exact for a few small parts, otherwise estimated from 32 samples."""
        flat = self._flat()
        means = by_rows(lambda rows: flat[rows]._row_means(), len(flat.ranks), _ROWS)
        return means.view(*self.context.batch, -1)

    def __getitem__(self, index: Any) -> "Monophonic":
        """The distributions at some places of the batch shape."""
        return self._map(lambda values: values[index])

    def tempered(self, temperature: float) -> "Monophonic":
        """The logits of every decision divided by the temperature."""
        return replace(self, temperature=self.temperature * check_temperature(temperature))

    def in_order(self, order: Sequence[str]) -> "Monophonic":
        """The same network, asked in another order of parts.

        Each order is an exact distribution of its own. They agree as well as the head has learned them, so only a head
        trained with ``order=None`` is good in any.

        Args:
            order: the names of all parts, the first to be decided first.

        Raises:
            SettingsError: not the names of the parts.
        """
        ranks = self.head.ranks_of(order).to(self.ranks.device).expand_as(self.ranks)
        return replace(self, ranks=ranks if self.known is None else _given_first(ranks, self.known.mask))

    def given(
        self, frames: Float[Tensor, "*batch frame_size"], cells: Bool[Tensor, "*batch frame_size"]
    ) -> "Monophonic":
        """The distribution of the other parts, where some parts of the frame are given. These count as decided first.

        Samples have the given cells as they are, and log-probabilities are of the other cells alone.

        Args:
            frames: frames with the given cells; the others are not read.
            cells: the columns that are given: all columns of a part, or none.
        """
        starts = [block.start for block in self.head.columns.blocks]
        mask = cells[..., starts]
        return replace(self, known=GivenParts(frames, cells, mask), ranks=_given_first(self.ranks, mask))

    def threshold(self, probability: float) -> Float[Tensor, "*batch frame_size"]:
        """The columns whose mean reaches a probability, at most one pitch for each part: the most likely."""
        mean = self.mean
        columns = self.head.columns
        planes = mean.view(*mean.shape[:-1], columns.num_planes, columns.plane_size)
        frames = torch.zeros_like(planes)
        for block in columns.blocks:
            active = planes[..., 0, block.columns]
            highest, place = active.max(dim=-1, keepdim=True)
            chosen = torch.zeros_like(active).scatter(-1, place, (highest >= probability).to(active.dtype))
            frames[..., 0, block.columns] = chosen
            if columns.has_onsets:
                frames[..., 1, block.columns] = chosen * (planes[..., 1, block.columns] >= probability)
        return frames.view_as(mean)

    def _flat(self) -> "Monophonic":
        """With the batch shape flattened."""
        last = len(self.context.batch) - 1
        return self if last == 0 else self._map(lambda values: values[None] if last < 0 else values.flatten(0, last))

    def _map(self, change: Any) -> "Monophonic":
        """With a function applied to every tensor."""
        known = None if self.known is None else self.known.map(change)
        return replace(self, context=self.context.map(change), ranks=change(self.ranks), known=known)

    def _row_log_probs(self, frames: Tensor) -> Tensor:
        """Log-probabilities (rows,) of frames (rows, frame_size), for a flat batch."""
        head, known = self.head, self.known
        chosen = None
        if known is None:
            states, possible = states_of(head.columns, frames)
        else:
            some = (~known.mask.all(dim=1)).nonzero().squeeze(1)
            if len(some) < len(frames):  # nothing is to be computed where all parts are given
                zeros = at_least_float32(self.context.state).new_zeros(len(frames))
                return zeros.index_add(0, some, self[some]._row_log_probs(frames[some]))
            states, possible = states_of(head.columns, frames.masked_fill(known.cells, 0))
            states = torch.where(known.mask, self._given_states(known), states)
            chosen = [(~of_part).nonzero().squeeze(1) for of_part in known.mask.unbind(dim=1)]
        total: Tensor | None = None
        for part, logits in enumerate(head.network.logits(self.context, states, self.ranks, chosen)):
            log_probs = torch.log_softmax(logits / self.temperature, dim=1)
            rows = slice(None) if chosen is None else chosen[part]
            of_part = log_probs.gather(1, states[rows, part : part + 1]).squeeze(1)
            if chosen is not None:
                of_part = of_part.new_zeros(len(frames)).index_add(0, chosen[part], of_part)
            total = of_part if total is None else total + of_part
        assert total is not None  # there is at least one part
        return total.masked_fill(~possible, -math.inf)

    def _row_samples(self, numbers: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Frames from random numbers (rows, parts), and the conditionals of each part, for a flat batch."""
        head = self.head
        states = torch.zeros_like(self.ranks)
        known = self.known
        if known is not None:
            states = torch.where(known.mask, self._given_states(known), states)
        conditionals: list[Tensor] = [numbers.new_zeros(0)] * self.ranks.shape[1]
        shared = head.network.shared(self.context)
        for part, rows in self._decisions():
            if rows is None:
                logits = head.network.part_logits(self.context, shared, states, self.ranks, part)
                conditionals[part] = torch.softmax(logits / self.temperature, dim=1)
                states[:, part] = _by_number(conditionals[part], numbers[:, part])
                continue
            context = self.context.map(lambda values, rows=rows: values[rows])
            some = shared.map(lambda values, rows=rows: values[rows])
            logits = head.network.part_logits(context, some, states[rows], self.ranks[rows], part)
            probabilities = torch.softmax(logits / self.temperature, dim=1)
            states[rows, part] = _by_number(probabilities, numbers[rows, part])
            if not len(conditionals[part]):
                conditionals[part] = probabilities.new_zeros(len(states), probabilities.shape[1])
            conditionals[part][rows] = probabilities
        frames = frames_of(head.columns, states).to(at_least_float32(self.context.state).dtype)
        if known is not None:
            frames = torch.where(known.cells, known.frames.to(frames.dtype), frames)
        return frames, conditionals

    def _decisions(self) -> Iterator[tuple[int, Tensor | None]]:
        """The parts that are not given in the order of decisions, each with the rows in which it comes next, or None.

        None stands for all rows.
        """
        given = None if self.known is None else self.known.mask.tolist()
        for parts in self.ranks.argsort(dim=1).T.tolist():
            for part in sorted(set(parts)):
                rows = [row for row, one in enumerate(parts) if one == part and not (given and given[row][part])]
                if len(rows) == len(parts):
                    yield part, None
                elif rows:
                    yield part, torch.tensor(rows, device=self.ranks.device)

    def _given_states(self, known: GivenParts) -> Tensor:
        """The states of all parts in the given frames, (rows, parts), for a flat batch."""
        return states_of(self.head.columns, known.frames)[0]

    @torch.no_grad()
    def _row_means(self) -> Tensor:
        """Probabilities (rows, frame_size), for a flat batch."""
        if self.known is not None:
            return self._given_means()
        sizes = num_states(self.head.columns)
        if len(self.ranks) and bool((self.ranks == self.ranks[0]).all()):
            order = self.ranks[0].argsort().tolist()
            if math.prod(sizes[part] for part in order[:-1]) <= _ENUMERATED:
                return self._enumerated_means(order)
        rows, parts = self.ranks.shape
        sums = torch.zeros_like(
            means_of(self.head.columns, [at_least_float32(self.context.state).new_zeros(rows, size) for size in sizes])
        )
        for numbers in stratified_numbers(_SAMPLES, parts, self.ranks.device):
            sums = sums + means_of(self.head.columns, self._row_samples(numbers.expand(rows, -1))[1])
        return sums / _SAMPLES

    def _given_means(self) -> Tensor:
        """The same where some parts are given: the mean of samples."""
        parts = self.ranks.shape[1]
        drawn = [
            self._row_samples(numbers.expand(len(self.ranks), -1))[0]
            for numbers in stratified_numbers(_SAMPLES, parts, self.ranks.device)
        ]
        return torch.stack(drawn).mean(dim=0)

    def _enumerated_means(self, order: Sequence[int]) -> Tensor:
        """The same, over all states of the parts but the last of the order."""
        head, rows = self.head, len(self.ranks)
        means = [at_least_float32(self.context.state).new_zeros(rows, size) for size in num_states(head.columns)]
        shared = head.network.shared(self.context)
        weighted = [(torch.zeros_like(self.ranks), at_least_float32(self.context.state).new_ones(rows))]
        for part in order:
            following = []
            for states, weight in weighted:
                logits = head.network.part_logits(self.context, shared, states, self.ranks, part) / self.temperature
                probabilities = torch.softmax(logits, dim=1) * weight[:, None]
                means[part] = means[part] + probabilities
                if part == order[-1]:
                    continue
                for state in range(probabilities.shape[1]):
                    chosen = states.clone()
                    chosen[:, part] = state
                    following.append((chosen, probabilities[:, state]))
            weighted = following
        return means_of(head.columns, means)


def _given_first(ranks: Tensor, mask: Tensor) -> Tensor:
    """The order of decisions, (..., parts), with the given parts before all others, by numbers below 0."""
    return torch.where(mask, ranks - ranks.shape[-1], ranks)


def _by_number(probabilities: Tensor, numbers: Tensor) -> Tensor:
    """The states (rows,) that random numbers from [0, 1) choose; never one of probability zero."""
    chosen = (numbers[:, None] >= probabilities.cumsum(dim=1)).sum(dim=1)
    place = torch.arange(probabilities.shape[1], device=probabilities.device)
    last = torch.where(probabilities > 0, place, 0).amax(dim=1)  # rounding may leave the sum below the number
    return torch.minimum(chosen, last)
