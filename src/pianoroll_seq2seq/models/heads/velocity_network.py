"""The network of a ``VelocityHead``: logits over velocity bins for the notes that begin in a frame."""

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.models.heads.precision import at_least_float32
from pianoroll_seq2seq.models.layers.dropout import Dropout
from pianoroll_seq2seq.models.note_columns import NoteColumns

HIGHEST = 127
RECENT = 4
"""How many of the latest frames with onsets of each part are read."""
RATES = (0.5, 0.8, 0.95, 0.99, 0.998)
"""Decay rates of the average velocities of each part."""
_LEVELS = 16
"""Levels on which a velocity is encoded."""
_COUNTS, _INTERVALS = 4, 13


@dataclass(frozen=True)
class VelocityContext:
    """What is known before the velocities of a frame: batch shape (...). Velocities are in (0, 1], 0 for none.

    Args:
        state: the projected state of the decoder, (..., channels).
        candidates: copy candidates by plane, (..., candidates, 3, plane_size).
        recent: mean velocities of the latest frames with onsets, (..., parts, RECENT).
        averages: average velocities of the notes of each part, (..., parts, rates).
        latest: the velocity of the latest note of each column, (..., plane_size).
        age: how many frames ago it began, (..., plane_size).
    """

    state: Tensor
    candidates: Tensor
    recent: Tensor
    averages: Tensor
    latest: Tensor
    age: Tensor

    def map(self, change: Any) -> "VelocityContext":
        """With a function applied to every tensor."""
        return VelocityContext(*(change(getattr(self, field.name)) for field in fields(self)))


@dataclass(frozen=True)
class NoteList:
    """The notes that begin in some frames, by frame and column.

    Args:
        rows: the frame of each note, ascending, (notes,).
        columns: its column, ascending in each frame, (notes,).
        ranks: how many notes of the frame come before it, (notes,).
    """

    rows: Tensor
    columns: Tensor
    ranks: Tensor

    @classmethod
    def of(cls, onsets: Tensor) -> "NoteList":
        """From onset planes (rows, plane_size)."""
        rows, columns = (onsets > 0).nonzero(as_tuple=True)
        place = torch.arange(len(rows), device=rows.device)
        first = torch.ones_like(rows, dtype=torch.bool)
        first[1:] = rows[1:] != rows[:-1]
        return cls(rows, columns, place - torch.where(first, place, 0).cummax(dim=0).values)


class VelocityNetwork(nn.Module):
    """A network for all notes: the velocities before, in the past and in the same frame, and what begins with the note.

    Args:
        columns: the columns of the note planes.
        state_size: size of the decoder's state.
        channels: width of the network.
        bins: number of velocity bins.
        dropout: dropout probability.
        num_candidates: number of copy candidates.
    """

    _parts: Tensor

    def __init__(
        self, columns: NoteColumns, *, state_size: int, channels: int, bins: int, dropout: float, num_candidates: int
    ) -> None:
        """Builds the layers."""
        super().__init__()
        self.columns = columns
        self.num_candidates = num_candidates
        parts = len(columns.blocks)
        levels = 1 + RECENT + parts + len(RATES) + 3 + num_candidates
        others = 1 + num_candidates + 4 * (_COUNTS + 1) + _INTERVALS + 1
        size = levels * _LEVELS + others
        self.state_proj: nn.Linear = nn.Linear(state_size, channels)
        self.input_proj: nn.Linear = nn.Linear(size, channels)
        self.column_embedding: nn.Parameter = nn.Parameter(torch.zeros(columns.plane_size, channels))
        self.norm: nn.LayerNorm = nn.LayerNorm(channels)
        self.mix: nn.Linear = nn.Linear(channels, channels)
        self.dropout: Dropout = Dropout(dropout)
        self.logits: nn.Linear = nn.Linear(channels, bins)
        self.direct: nn.Linear = nn.Linear(size, bins, bias=False)
        nn.init.zeros_(self.direct.weight)
        numbers = torch.cat([torch.full((block.size,), index) for index, block in enumerate(columns.blocks)])
        self.register_buffer("_parts", numbers, persistent=False)

    def forward(
        self,
        context: VelocityContext,
        planes: Tensor,
        velocities: Tensor,
        notes: NoteList,
        chosen: Tensor | None = None,
    ) -> Tensor:
        """The logits over bins of some notes, (notes, bins), given the velocities of those before them.

        Args:
            context: the context, batch shape (rows,).
            planes: the active and the onset plane of each frame, (rows, 2, plane_size).
            velocities: the velocity of each note, in (0, 1], (notes,). Those at or after a note do not count for it.
            notes: the notes.
            chosen: the indices of the notes to compute; all by default.
        """
        every = torch.arange(len(notes.rows), device=planes.device) if chosen is None else chosen
        rows, columns = notes.rows[every], notes.columns[every]
        parts = self._parts[columns]
        values = [
            context.latest[rows, columns].unsqueeze(1),
            context.recent[rows, parts],
            context.recent[rows, :, 0],
            context.averages[rows, parts],
            self._in_frame(velocities, notes)[every],
        ]
        age = (1 + context.age[rows, columns]).log().unsqueeze(1) / 4
        others = [age, self._structure(planes, rows, columns, parts)]
        if self.num_candidates:
            onset, velocity = (context.candidates[rows, :, plane, columns] for plane in (1, 2))
            values.append(velocity / onset.clamp(min=1e-4))
            others.append(onset)
        features = torch.cat([_levels(torch.cat(values, dim=1)).flatten(1), *others], dim=1).to(
            self.input_proj.weight.dtype
        )
        hidden = self.input_proj(features) + self.column_embedding[columns] + context.state[rows]
        hidden = self.dropout(functional.silu(self.norm(hidden)))
        hidden = hidden + self.dropout(functional.silu(self.mix(hidden)))
        return at_least_float32(self.logits(hidden) + self.direct(features))

    def _in_frame(self, velocities: Tensor, notes: NoteList) -> Tensor:
        """Of the notes before each in its frame: the latest, the latest of its part, and the mean: (notes, 3)."""
        parts = self._parts[notes.columns]
        previous = functional.pad(velocities[:-1], (1, 0)) if len(velocities) else velocities
        any_part = torch.where(notes.ranks > 0, previous, 0.0)
        same = torch.zeros_like(notes.ranks, dtype=torch.bool)
        same[1:] = (parts[1:] == parts[:-1]) & (notes.ranks[1:] > 0)
        sums = velocities.double().cumsum(dim=0) - velocities
        place = torch.arange(len(velocities), device=velocities.device)
        before = sums - sums[place - notes.ranks] if len(velocities) else sums
        mean = (before / notes.ranks.clamp(min=1)).to(velocities.dtype)
        mean = torch.where(notes.ranks > 0, mean, 0.0)
        return torch.stack([any_part, torch.where(same, any_part, 0.0), mean], dim=1)

    def _structure(self, planes: Tensor, rows: Tensor, columns: Tensor, parts: Tensor) -> Tensor:
        """What else begins and sounds: numbers of notes, and the interval to the note below."""
        active, onset = planes[rows].unbind(dim=1)
        own = self._parts == parts[:, None]
        place = torch.arange(self.columns.plane_size, device=rows.device)
        begins = (onset > 0) & own
        below, above = begins & (place < columns[:, None]), begins & (place > columns[:, None])
        counts = [
            below.sum(dim=1),
            above.sum(dim=1),
            ((onset > 0) & ~own).sum(dim=1),
            ((active > onset) & own).sum(dim=1),
        ]
        encoded = [functional.one_hot(count.clamp(max=_COUNTS), _COUNTS + 1) for count in counts]
        nearest = torch.where(below, place, -_INTERVALS).amax(dim=1)
        interval = (columns - nearest).clamp(max=_INTERVALS)
        return torch.cat([*encoded, functional.one_hot(interval, _INTERVALS + 1)], dim=1).to(planes.dtype)


def _levels(velocities: Tensor) -> Tensor:
    """Velocities between neighbouring levels: (...) to (..., levels), zeros for no velocity."""
    levels = torch.arange(1, _LEVELS + 1, device=velocities.device) / _LEVELS
    near = (1 - (velocities.unsqueeze(-1) - levels).abs() * _LEVELS).clamp(min=0)
    lowest = functional.one_hot(torch.zeros_like(velocities, dtype=torch.long), _LEVELS).to(near.dtype)
    is_low = (velocities > 0) & (velocities < 1 / _LEVELS)
    return torch.where(is_low.unsqueeze(-1), lowest, near)
