"""The network of a ``MonophonicHead``: the logits of every state of a part, given the parts decided before it."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.models.heads.exponential_average import OCTAVE, rotations
from pianoroll_seq2seq.models.heads.monophonic_frame import PartsContext
from pianoroll_seq2seq.models.heads.precision import at_least_float32
from pianoroll_seq2seq.models.heads.upcoming import NUM_FLAGS, Upcoming, num_kinds
from pianoroll_seq2seq.models.layers.dropout import Dropout
from pianoroll_seq2seq.models.note_columns import NoteColumns

LONGEST_RUN = 16
"""Lengths of a held note, in frames, that the network distinguishes."""
_HELD_LOGIT = math.log(1e-4)
"""Log-odds in training, against its onset, that a pitch is held although it did not sound."""
_FLAGS = LONGEST_RUN + 2
_DECIDED_FLAGS = 3
_FEW_ROWS = 64
"""So few rows look up single intervals; more rows look up whole slices of the tables."""


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

    def logits(self, context: PartsContext, states: Tensor, ranks: Tensor) -> list[Tensor]:
        """The logits of each part's states, (rows, states of the part), given the parts decided before it.

        Args:
            context: the context, batch shape (rows,).
            states: the state of every part, (rows, parts); only those decided before a part count for it.
            ranks: the place of each part in the order of decisions, (rows, parts).
        """
        parts = range(len(self.columns.blocks))
        hidden, conditions = zip(*(self._hidden(context, states, ranks, part) for part in parts), strict=True)
        sizes = [block.size for block in self.columns.blocks]
        split = torch.split(self._cell_logits(torch.cat(hidden, dim=1)), sizes, dim=1)
        return [self._part_logits(context, split[part], conditions[part], part) for part in parts]

    def part_logits(self, context: PartsContext, states: Tensor, ranks: Tensor, part: int) -> Tensor:
        """The logits of one part's states: see :meth:`logits`."""
        hidden, condition = self._hidden(context, states, ranks, part)
        return self._part_logits(context, self._cell_logits(hidden), condition, part)

    def _part_logits(self, context: PartsContext, cells: Tensor, condition: Tensor, part: int) -> Tensor:
        """From cells (rows, pitches, planes): rest, held pitches if there is an onset plane, and pitches that begin."""
        rest = at_least_float32(self.rest(condition))
        begins = cells[..., 0]
        if not self.columns.has_onsets:
            return torch.cat([rest, begins], dim=1)
        sounded = context.sounded[:, self.columns.blocks[part].columns] > 0
        after_silence = begins + _HELD_LOGIT if self.training else torch.full_like(begins, -math.inf)
        return torch.cat([rest, torch.where(sounded, cells[..., 1], after_silence), begins], dim=1)

    def _cell_logits(self, hidden: Tensor) -> Tensor:
        """(rows, pitches, channels) to (rows, pitches, planes)."""
        hidden = self.dropout(functional.silu(self.norm(hidden)))
        for mix in self.mix:
            hidden = hidden + functional.silu(mix(hidden))
        return at_least_float32(self.logit(hidden))

    def _hidden(self, context: PartsContext, states: Tensor, ranks: Tensor, part: int) -> tuple[Tensor, Tensor]:
        """The first hidden values of a part's pitches, (rows, pitches, channels), and what they have in common."""
        block = self.columns.blocks[part]
        decided = ranks < ranks[:, part : part + 1]
        pitches, moves = self._decided(context, states)
        moves, known = moves & decided, torch.where(decided, pitches, -1)
        condition = context.state[:, part]
        sources = [context.pitches[:, 0], context.pitches[:, 1:, part]]
        if self.decided_proj is not None:
            flags = torch.stack([decided, decided & (pitches < 0), moves], dim=2).to(condition.dtype)
            weight = torch.unflatten(self.decided_proj.weight, 0, (len(self.columns.blocks), -1))[part]
            condition = condition + functional.linear(flags.flatten(1), weight)
            sources += [torch.where(moves, -1, known), torch.where(moves, known, -1)]
        tables = self.intervals[part]
        if self.ahead_intervals is not None:
            sources.append(context.ahead.flatten(1))
            tables = torch.cat([tables, self.ahead_intervals])
        hidden = self._interval_hidden(torch.cat(sources, dim=1), tables, part)
        rotated = context.chroma[..., self._rotation].transpose(1, 2).flatten(2)  # (rows, 12, rates * 12)
        tones = self.chroma_proj(rotated)
        classes = self._cell_pitches[block.columns] % OCTAVE
        hidden = hidden + tones[:, classes] + self.position[block.columns] + condition.unsqueeze(1)
        if self.candidate_proj is not None:
            hidden = hidden + self.candidate_proj(self._candidate_features(context, known, decided, part))
        return hidden, condition

    def _decided(self, context: PartsContext, states: Tensor) -> tuple[Tensor, Tensor]:
        """The pitch of each part's state, -1 for a rest, and whether it is another note than before: (rows, parts)."""
        pitches, moves = [], []
        for part, block in enumerate(self.columns.blocks):
            state = states[:, part]
            begins = state > block.size if self.columns.has_onsets else state > 0
            place = (state - 1) % block.size
            pitch = torch.where(state > 0, place + block.lowest, -1)
            pitches.append(pitch)
            same = torch.zeros_like(begins) if self.columns.has_onsets else pitch == context.pitches[:, 0, part]
            moves.append(begins & ~same)
        return torch.stack(pitches, dim=1), torch.stack(moves, dim=1)

    def _interval_hidden(self, sources: Tensor, tables: Tensor, part: int) -> Tensor:
        """The sum over sources of what their interval to each pitch of a part says: (rows, pitches, channels).

        Args:
            sources: a pitch for each table, -1 for none, (rows, tables).
            tables: what each interval says, (tables, intervals, channels).
            part: the part.
        """
        block, num_pitches = self.columns.blocks[part], self.columns.num_pitches
        number = torch.arange(len(tables), device=sources.device)
        if len(sources) <= _FEW_ROWS:
            width = tables.shape[1]
            place = torch.arange(block.lowest, block.lowest + block.size, device=sources.device)
            interval = place[:, None] - sources.unsqueeze(1) + num_pitches - 1
            index = torch.where(sources.unsqueeze(1) < 0, len(tables) * width, interval + number * width)
            bag = functional.embedding_bag(
                index.flatten(0, 1), _with_zeros(tables.flatten(0, 1)), mode="sum", padding_idx=len(tables) * width
            )
            return bag.view(len(sources), block.size, -1)
        # One slice of a table for each pitch that a source may have: the intervals from it to all pitches of the part.
        slices = tables.unfold(1, block.size, 1)[:, block.lowest : block.lowest + num_pitches].transpose(2, 3)
        slices = slices.flatten(2).flatten(0, 1)  # (tables * source pitches, pitches * channels)
        index = torch.where(sources < 0, len(slices), number * num_pitches + (num_pitches - 1 - sources))
        bag = functional.embedding_bag(index, _with_zeros(slices), mode="sum", padding_idx=len(slices))
        return bag.view(len(sources), block.size, -1)

    def _candidate_features(self, context: PartsContext, known: Tensor, decided: Tensor, part: int) -> Tensor:
        """The candidates' probabilities of a part's pitches, and those of their mixture: (rows, pitches, 2 * planes).

        In the mixture each candidate counts as much as it agrees with the parts decided so far.
        """
        size = self.columns.plane_size
        planes = context.candidates.view(*context.candidates.shape[:2], self.columns.num_planes, size)
        agreement = []
        for index, block in enumerate(self.columns.blocks):
            active = planes[:, :, 0, block.columns]
            place = (known[:, index] - block.lowest).clamp(min=0)
            at_pitch = active.gather(2, place[:, None, None].expand(-1, active.shape[1], 1)).squeeze(2)
            rests = known[:, index : index + 1] < 0
            chance = torch.where(rests, 1 - active.sum(dim=2), at_pitch).clamp(0.01, 1)
            agreement.append(torch.where(decided[:, index : index + 1], chance.log(), 0.0))
        weights = torch.stack(agreement).sum(dim=0).softmax(dim=1)
        own = planes[..., self.columns.blocks[part].columns]
        mixture = (own * weights[..., None, None]).sum(dim=1, keepdim=True)
        chances = torch.cat([own, mixture], dim=1).flatten(1, 2).transpose(1, 2)
        return torch.cat([chances, (chances + 0.01).log() / 4], dim=2)


def _with_zeros(table: Tensor) -> Tensor:
    """A table with a row of zeros after its last."""
    return functional.pad(table, (0, 0, 0, 1))


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
