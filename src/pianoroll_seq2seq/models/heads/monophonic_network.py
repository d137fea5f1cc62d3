"""The network of a ``MonophonicHead``: the logits of every state of a part, given the parts decided before it."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.models.heads.interval_tables import interval_sums
from pianoroll_seq2seq.models.heads.monophonic_context import PartsContext, SharedContext
from pianoroll_seq2seq.models.heads.precision import at_least_float32
from pianoroll_seq2seq.models.heads.upcoming import NUM_FLAGS, Upcoming, num_kinds
from pianoroll_seq2seq.models.layers.dropout import Dropout
from pianoroll_seq2seq.models.layers.exponential_average import OCTAVE, rotations
from pianoroll_seq2seq.models.note_columns import NoteColumns

LONGEST_RUN = 16
"""Lengths of a held note, in frames, that the network distinguishes."""
_HELD_LOGIT = math.log(1e-4)
"""Log-odds in training, against its onset, that a pitch is held although it did not sound."""
_FLAGS = LONGEST_RUN + 2
_DECIDED_FLAGS = 3
_PROGRESSIONS = (OCTAVE + 1) * OCTAVE
"""Pairs of an interval before, which may be none, and one now."""


class PartNetwork(nn.Module):
    """One network for all pitches of all parts.

    Args:
        columns: the columns of the parts.
        state_size: size of the model's state among the features.
        channels: width of the network.
        num_own: past pitches of the part itself, in addition to the latest, from which intervals are read.
        look_ahead: how many frames on given pitches are read; None for no given frames.
        num_rates: decay rates of the tonal context.
        num_layers: residual layers.
        dropout: dropout probability.
        num_candidates: number of copy candidates.
    """

    _rotation: Tensor
    _cell_pitches: Tensor
    _cell_classes: Tensor
    _classes: Tensor
    _lowest: Tensor
    _sizes: Tensor
    _first_columns: Tensor
    _is_part: Tensor

    def __init__(
        self,
        columns: NoteColumns,
        *,
        state_size: int,
        channels: int,
        num_own: int,
        look_ahead: tuple[int, ...] | None,
        num_rates: int,
        num_layers: int,
        dropout: float,
        num_candidates: int,
    ) -> None:
        """Builds the layers."""
        super().__init__()
        self.columns = columns
        self.num_own = num_own
        parts = len(columns.blocks)
        # Of each part: intervals from the latest pitch of every part, from its own earlier pitches, and from the pitch
        # that every part is decided to hold, and to begin.
        num_tables = parts + num_own + (2 * parts if parts > 1 else 0)
        self.intervals: nn.Parameter = nn.Parameter(
            torch.empty(parts, num_tables, 2 * columns.num_pitches - 1, channels).normal_(std=0.1)
        )
        # Of all parts in common: intervals from the given pitches to come of every part.
        self.ahead_intervals: nn.Parameter | None = None
        self.ahead_proj: nn.Linear | None = None
        if look_ahead is not None:
            shape = (parts * num_kinds(look_ahead), 2 * columns.num_pitches - 1, channels)
            self.ahead_intervals = nn.Parameter(torch.empty(shape).normal_(std=0.1))
            self.ahead_proj = nn.Linear(parts * NUM_FLAGS, parts * channels, bias=False)
        self.position: nn.Parameter = nn.Parameter(torch.zeros(columns.plane_size, channels))
        self.state_proj: nn.Linear = nn.Linear(state_size, parts * channels)
        self.flags_proj: nn.Linear = nn.Linear(parts * _FLAGS, parts * channels, bias=False)
        self.decided_proj: nn.Linear | None = (
            nn.Linear(parts * _DECIDED_FLAGS, parts * channels, bias=False) if parts > 1 else None
        )
        # Of each part: the intervals to a decided part before and now, as pitch classes, and whether that part moves.
        self.progressions: nn.Parameter | None = None
        if parts > 1:
            self.progressions = nn.Parameter(torch.empty(parts, 2 * _PROGRESSIONS, channels).normal_(std=0.1))
        self.chroma_proj: nn.Linear = nn.Linear(num_rates * OCTAVE, channels, bias=False)
        planes = (num_candidates + 1) * columns.num_planes
        self.candidate_proj: nn.Linear | None = nn.Linear(2 * planes, channels) if num_candidates else None
        self.norm: nn.LayerNorm = nn.LayerNorm(channels)
        self.mix: nn.ModuleList = nn.ModuleList(nn.Linear(channels, channels) for _ in range(num_layers))
        self.dropout: Dropout = Dropout(dropout)
        self.logit: nn.Linear = nn.Linear(channels, columns.num_planes)
        self.rest: nn.Sequential = nn.Sequential(
            nn.LayerNorm(channels), nn.SiLU(), nn.Linear(channels, channels), nn.SiLU(), nn.Linear(channels, 1)
        )
        self.register_buffer("_rotation", rotations(), persistent=False)
        self.register_buffer("_cell_pitches", columns.pitches(), persistent=False)
        self.register_buffer("_cell_classes", columns.pitches() % OCTAVE, persistent=False)
        self.register_buffer("_classes", torch.arange(OCTAVE)[:, None], persistent=False)
        self.register_buffer("_lowest", torch.tensor([block.lowest for block in columns.blocks]), persistent=False)
        self.register_buffer("_sizes", torch.tensor([block.size for block in columns.blocks]), persistent=False)
        first = torch.tensor([block.start - block.lowest for block in columns.blocks])
        self.register_buffer("_first_columns", first, persistent=False)
        of_column = torch.arange(parts).repeat_interleave(self._sizes)
        self.register_buffer("_is_part", (of_column[:, None] == torch.arange(parts)).float(), persistent=False)

    def project_state(self, state: Tensor, runs: Tensor, pitches: Tensor, ahead: Upcoming | None) -> Tensor:
        """What the network reads of the model's state, of how long each part has held its pitch, and of what is given.

        Args:
            state: (..., state_size).
            runs: for how many frames each part has held its latest pitch, (..., parts).
            pitches: the latest pitch of each part, -1 for a rest, (..., parts).
            ahead: the given frames to come, if the network reads them.

        Returns:
            (..., parts, channels).
        """
        length = functional.one_hot(runs.clamp(max=LONGEST_RUN) - 1, LONGEST_RUN)
        flags = torch.cat([length, (pitches < 0).unsqueeze(-1), runs.unsqueeze(-1)], dim=-1).to(state.dtype)
        flags[..., -1] = flags[..., -1].log() / 2
        hidden = self.state_proj(state) + self.flags_proj(flags.flatten(-2))
        if self.ahead_proj is not None and ahead is not None:
            hidden = hidden + self.ahead_proj(ahead.flags.flatten(-2).to(state.dtype))
        projected: Tensor = hidden.view(*state.shape[:-1], len(self.columns.blocks), -1)
        return projected

    def shared(self, context: PartsContext) -> SharedContext:
        """What the decisions of all parts have in common."""
        latest = context.pitches[:, 0]
        silent = latest < 0
        before = (latest.unsqueeze(2) - latest.unsqueeze(1)) % OCTAVE
        before = before.masked_fill(silent.unsqueeze(2) | silent.unsqueeze(1), OCTAVE)
        return SharedContext(self._shared_hidden(context), before, self._rests(context))

    def _rests(self, context: PartsContext) -> Tensor:
        """The probability that each part rests by each copy candidate, (rows, candidates, parts)."""
        active = context.candidates[..., : self.columns.plane_size]
        rests: Tensor = 1 - active @ self._is_part.to(active.dtype)
        return rests

    def _shared_hidden(self, context: PartsContext) -> Tensor:
        """Hidden values that all parts have in common, from the tonal context and from the given pitches to come."""
        rotated = context.chroma[..., self._rotation].transpose(1, 2).flatten(2)  # (rows, 12, rates * 12)
        tones: Tensor = self.chroma_proj(rotated)
        if self.ahead_intervals is None:
            return tones
        size = self.columns.num_pitches
        ahead = interval_sums(context.ahead.flatten(1), self.ahead_intervals, lowest=0, size=size)
        return ahead + tones.repeat(1, -(-size // OCTAVE), 1)[:, :size]

    def logits(
        self, context: PartsContext, states: Tensor, ranks: Tensor, chosen: Sequence[Tensor] | None = None
    ) -> list[Tensor]:
        """The logits of each part's states, (rows, states of the part), given the parts decided before it.

        Args:
            context: the context, batch shape (rows,).
            states: the state of every part, (rows, parts); only those decided before a part count for it.
            ranks: the place of each part in the order of decisions, (rows, parts).
            chosen: for each part the rows that are computed, and returned; all by default.
        """
        shared = self.shared(context)
        size = shared.hidden.shape[1]
        hidden, conditions, contexts, places = [], [], [], []
        for part, block in enumerate(self.columns.blocks):
            rows = torch.arange(len(states), device=states.device) if chosen is None else chosen[part]
            some, of_rows = context, shared
            if chosen is not None:
                some = context.map(lambda values, rows=rows: values[rows])
                of_rows = replace(shared, before=shared.before[rows], rests=self._rests(some))
            of_part, condition = self._hidden(some, of_rows, states[rows], ranks[rows], part)
            hidden.append(of_part.flatten(0, 1))
            conditions.append(condition)
            contexts.append(some)
            pitches = self._cell_pitches[block.columns] % size
            places.append((rows[:, None] * size + pitches).flatten())
        cells = torch.cat(hidden) + shared.hidden.flatten(0, 1).index_select(0, torch.cat(places))
        split = torch.split(self._cell_logits(cells), [len(of_part) for of_part in hidden])
        return [
            self._part_logits(
                some, torch.unflatten(split[part], 0, (-1, self.columns.blocks[part].size)), condition, part
            )
            for part, (some, condition) in enumerate(zip(contexts, conditions, strict=True))
        ]

    def part_logits(
        self, context: PartsContext, shared: SharedContext, states: Tensor, ranks: Tensor, part: int
    ) -> Tensor:
        """The logits of one part's states: see :meth:`logits`.

        Args:
            context: the context, batch shape (rows,).
            shared: the result of :meth:`shared` for these rows.
            states: the state of every part.
            ranks: the place of each part in the order of decisions.
            part: the part.
        """
        hidden, condition = self._hidden(context, shared, states, ranks, part)
        pitches = self._cell_pitches[self.columns.blocks[part].columns] % shared.hidden.shape[1]
        return self._part_logits(context, self._cell_logits(hidden + shared.hidden[:, pitches]), condition, part)

    def _part_logits(self, context: PartsContext, cells: Tensor, condition: Tensor, part: int) -> Tensor:
        """From cells (rows, pitches, planes): rest, held pitches if there is an onset plane, and pitches that begin."""
        rest = at_least_float32(self.rest(condition))
        begins = cells[..., 0]
        if not self.columns.has_onsets:
            return torch.cat([rest, begins], dim=1)
        sounded = context.sounded[:, self.columns.blocks[part].columns] > 0
        after_silence = begins + _HELD_LOGIT if self.training else -math.inf
        return torch.cat([rest, torch.where(sounded, cells[..., 1], after_silence), begins], dim=1)

    def _cell_logits(self, hidden: Tensor) -> Tensor:
        """(..., channels) to (..., planes)."""
        hidden = self.dropout(functional.silu(self.norm(hidden)))
        for mix in self.mix:
            hidden = hidden + functional.silu(mix(hidden))
        return at_least_float32(self.logit(hidden))

    def _hidden(
        self, context: PartsContext, shared: SharedContext, states: Tensor, ranks: Tensor, part: int
    ) -> tuple[Tensor, Tensor]:
        """A part's own hidden values, (rows, pitches, channels), and what its pitches have in common."""
        block = self.columns.blocks[part]
        decided = ranks < ranks[:, part : part + 1]
        pitches, moves = self._decided(context, states)
        moves, known = moves & decided, torch.where(decided, pitches, -1)
        condition = context.state[:, part]
        sources = [context.pitches[:, 0], context.pitches[:, 1:, part]]
        if self.decided_proj is not None:
            flags = torch.stack([decided, decided & (pitches < 0), moves], dim=2).flatten(1).to(condition.dtype)
            weight = torch.unflatten(self.decided_proj.weight, 0, (len(self.columns.blocks), -1))[part]
            condition = condition + functional.linear(flags, weight)
            sources += [torch.where(moves, -1, known), torch.where(moves, known, -1)]
        intervals = torch.cat(sources, dim=1)
        hidden = interval_sums(intervals, self.intervals[part], lowest=block.lowest, size=block.size)
        hidden = hidden + self.position[block.columns] + condition.unsqueeze(1)
        if self.progressions is not None:
            progressions = self._progression_hidden(shared.before[:, part], known, moves, part)
            hidden = hidden + progressions[:, self._cell_classes[block.columns]]
        if self.candidate_proj is not None:
            features = self._candidate_features(context.candidates, shared.rests, known, decided, part)
            hidden = hidden + self.candidate_proj(features)
        return hidden, condition

    def _progression_hidden(self, before: Tensor, known: Tensor, moves: Tensor, part: int) -> Tensor:
        """What a part's intervals to the decided parts, before and now, say of each pitch class: (rows, 12, channels).

        The sum over sources cannot say it: parallel fifths are two intervals, neither of which is wrong alone.
        """
        assert self.progressions is not None
        now = (self._classes - known.unsqueeze(1)) % OCTAVE
        index = (moves * _PROGRESSIONS + before * OCTAVE).unsqueeze(1) + now  # (rows, 12, parts)
        table = self.progressions[part]
        weights = (known >= 0).to(table.dtype).unsqueeze(1).expand_as(index)
        sums = functional.embedding_bag(
            index.flatten(0, 1), table, mode="sum", per_sample_weights=weights.flatten(0, 1)
        )
        return sums.view(*index.shape[:2], table.shape[1])

    def _decided(self, context: PartsContext, states: Tensor) -> tuple[Tensor, Tensor]:
        """The pitch of each part's state, -1 for a rest, and whether it is another note than before: (rows, parts)."""
        begins = states > (self._sizes if self.columns.has_onsets else 0)
        pitches = torch.where(states > 0, (states - 1) % self._sizes + self._lowest, -1)
        return pitches, begins if self.columns.has_onsets else begins & (pitches != context.pitches[:, 0])

    def _candidate_features(
        self, candidates: Tensor, rests: Tensor, known: Tensor, decided: Tensor, part: int
    ) -> Tensor:
        """The candidates' probabilities of a part's pitches, and those of their mixture: (rows, pitches, 2 * planes).

        In the mixture each candidate counts as much as it agrees with the parts decided so far.
        """
        planes = torch.unflatten(candidates, 2, (self.columns.num_planes, -1))
        columns = (known + self._first_columns).clamp(min=0).unsqueeze(1)  # of the decided pitches
        at_pitch = candidates.gather(2, columns.expand_as(rests))  # the active plane comes first
        agreement = torch.where(known.unsqueeze(1) < 0, rests, at_pitch).clamp(0.01, 1).log()
        weights = torch.where(decided.unsqueeze(1), agreement, 0.0).sum(dim=2).softmax(dim=1)
        own = planes[..., self.columns.blocks[part].columns]
        mixture = (own * weights[..., None, None]).sum(dim=1, keepdim=True)
        chances = torch.cat([own, mixture], dim=1).flatten(1, 2).transpose(1, 2)
        return torch.cat([chances, (chances + 0.01).log() / 4], dim=2)


def runs_of(pitches: Tensor, begins: Tensor) -> tuple[Tensor, Tensor]:
    """For how many frames each part has held its pitch, itself included, and its pitch before.

    Args:
        pitches: (batch, frames, parts), -1 for a rest.
        begins: whether a note begins there.

    Returns:
        Runs, and the pitch before each run, -1 for a rest or for none: (batch, frames, parts).
    """
    place = torch.arange(pitches.shape[1], device=pitches.device)[:, None]
    changed = (pitches[:, 1:] != pitches[:, :-1]) | begins[:, 1:]
    changed = functional.pad(changed, (0, 0, 1, 0), value=True)
    began = torch.where(changed, place, 0).cummax(dim=1).values
    before = functional.pad(pitches, (0, 0, 1, 0), value=-1).gather(1, began)
    return place + 1 - began, before
