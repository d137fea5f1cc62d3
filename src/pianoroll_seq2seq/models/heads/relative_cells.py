"""The cells that a ``RelativeWindowHead`` decides, and what lies around each of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.layers.exponential_average import OCTAVE
from pianoroll_seq2seq.models.note_columns import NoteColumns

BELOW = 24
"""Semitones below a pitch in which the network reads the notes decided."""
COUNTS = 6
ONSET_COUNTS = 2
"""How many features count the notes decided so far, and the onsets."""


@dataclass(frozen=True)
class Cells:
    """The pitches that are decided, on an axis on which the parts follow one another with gaps between them.

    Args:
        columns: the columns of the layout.
        first: the first column of the active plane that may sound, and
        end: the one after the last.
        gap: places between two parts, as many as any window reaches.
    """

    columns: NoteColumns
    first: int
    end: int
    gap: int

    @property
    def count(self) -> int:
        """How many pitches are decided."""
        return self.end - self.first

    @property
    def num_parts(self) -> int:
        """How many parts there are. Only one part has columns that never sound."""
        return len(self.columns.blocks)

    @cached_property
    def length(self) -> int:
        """The length of the axis."""
        return self.count if self.num_parts == 1 else self.columns.spread_length(self.gap)

    def positions(self) -> Tensor:
        """Where each cell is on the axis: (count,)."""
        return torch.arange(self.count) if self.num_parts == 1 else self.columns.positions(self.gap)

    def pitches(self) -> Tensor:
        """The pitch of each cell: (count,)."""
        return torch.arange(self.count) if self.num_parts == 1 else self.columns.pitches()

    def parts(self) -> Tensor:
        """The number of each cell's part: (count,)."""
        sizes = torch.tensor([block.size for block in self.columns.blocks])
        return torch.arange(self.num_parts).repeat_interleave(sizes)[self.first : self.end]

    def chroma_weights(self) -> Tensor:
        """1 where a cell is of a pitch class, as :meth:`pitches` counts them: (count, 12)."""
        if self.num_parts > 1:
            return self.columns.chroma_weights()
        weights = torch.zeros(self.count, OCTAVE)
        weights[torch.arange(self.count), torch.arange(self.count) % OCTAVE] = 1.0
        return weights

    def inside(self, device: torch.device) -> Tensor:
        """Whether each column of a plane is decided: (plane_size,)."""
        column = torch.arange(self.columns.plane_size, device=device)
        return (column >= self.first) & (column < self.end)

    def cut(self, frames: Tensor) -> Tensor:
        """The cells of frames (..., frame_size), by plane: (..., planes, count)."""
        planes = torch.unflatten(frames, -1, (self.columns.num_planes, self.columns.plane_size))
        return planes[..., self.first : self.end]

    def uncut(self, cells: Tensor) -> Tensor:
        """The frames (..., frame_size) of cells (..., planes, count); zeros in columns that are never decided."""
        return functional.pad(cells, (self.first, self.columns.plane_size - self.end)).flatten(-2)

    def spread(self, cells: Tensor) -> Tensor:
        """Values of the cells on the axis, with zeros in the gaps: (..., count) to (..., length)."""
        return cells if self.num_parts == 1 else self.columns.spread(cells, self.gap)

    def earlier_parts(self, cells: Tensor) -> Tensor:
        """For each part, whether any part before it sounds a pitch: (rows, count) to (rows, parts, num_pitches)."""
        by_part = [self.columns.by_pitch(cells, block) for block in self.columns.blocks[:-1]]
        nothing = cells.new_zeros(len(cells), self.columns.num_pitches)
        return torch.stack([nothing, *by_part], dim=1).cummax(dim=1).values


def sum_below(values: Tensor) -> Tensor:
    """The sum over all lower pitches: subtracting the own value from the running sum would leave rounding errors."""
    return functional.pad(values.cumsum(dim=-1), (1, 0))[..., :-1]


def below_features(cells: Cells, before: Tensor, frames: Tensor, onsets: Tensor, candidates: Tensor) -> Tensor:
    """Features of the notes decided before each place of the axis: (rows, length, features).

    Args:
        cells: the cells.
        before: the latest frame on the axis, (rows, length).
        frames: which cells sound, (rows, count).
        onsets: which begin a note, (rows, count), or (rows, 0) without an onset plane.
        candidates: the active planes of the copy candidates on the axis, (rows, candidates, length).
    """
    spread = cells.spread(frames)
    window = functional.pad(spread, (BELOW, 0))[:, :-1].unfold(1, BELOW, 1)
    decided, passed, kept = (sum_below(values) for values in (spread, before, spread * before))
    place = torch.arange(1, cells.length + 1, device=frames.device)
    latest = torch.where(spread > 0, place, 0).cummax(dim=1).values
    interval = place - functional.pad(latest, (1, 0))[:, :-1]
    to_come = before.sum(dim=1, keepdim=True) - passed
    counts = [decided, passed, kept, to_come, decided - kept, interval.clamp(max=BELOW) / 6]
    features = [window, torch.stack(counts, dim=2) / 4]
    if onsets.shape[1]:
        begun = cells.spread(onsets)
        begins = sum_below(begun)
        features.append(functional.pad(begun, (BELOW, 0))[:, :-1].unfold(1, BELOW, 1))
        features.append(torch.stack([begins, decided - begins], dim=2) / 4)
    if candidates.shape[1]:
        chances, sounding = candidates.clamp(0.01, 0.99), spread.unsqueeze(1)
        agreement = (sounding * chances + (1 - sounding) * (1 - chances)).log()
        features.append(sum_below(agreement).transpose(1, 2) / 4)
    return torch.cat(features, dim=2)


def at_places(values: Tensor, places: Tensor) -> Tensor:
    """(rows, pitches, values) at the places of each row, (rows, places, values)."""
    return values.gather(1, places.unsqueeze(2).expand(-1, -1, values.shape[2]))


def windows_at(planes: Tensor, reach: int, places: Tensor) -> Tensor:
    """Values up to ``reach`` semitones around the places: (rows, places, planes * (2 * reach + 1))."""
    width = 2 * reach + 1
    padded = functional.pad(planes, (reach, reach)).transpose(1, 2).contiguous()  # (rows, pitches, planes)
    index = places.unsqueeze(2) + torch.arange(width, device=places.device)
    rows = torch.arange(len(planes), device=places.device)[:, None, None]
    return padded[rows, index].flatten(2)


def check_sizes(
    sizes: Mapping[str, int], num_layers: int, dropout: float, decays: tuple[float, ...] | list[float], min_decays: int
) -> None:
    """Validates the sizes of the network."""
    if min(sizes.values()) < 1 or num_layers < 0 or not 0 <= dropout < 1:
        raise SettingsError(
            f"Sizes must be at least 1, num_layers at least 0 and dropout in [0, 1), got {dict(sizes)}, {num_layers=}, "
            f"{dropout=}."
        )
    if len(decays) < min_decays or not all(0 < decay < 1 for decay in decays):
        raise SettingsError(f"decays must be {min_decays} or more, each in (0, 1), got {decays}.")


def check_cells(cells: Cells, num_scored_pitches: int | None, fewest_scored: int, max_polyphony: int) -> None:
    """Validates the arguments that count columns or pitches."""
    size = cells.columns.plane_size
    if not 0 <= cells.first < cells.end <= size:
        raise SettingsError(
            f"active_columns must be (first, end) with 0 <= first < end <= {size}, got ({cells.first}, {cells.end})."
        )
    if cells.num_parts > 1 and cells.count < size:
        raise SettingsError(
            f"active_columns needs a layout of one part, got {cells.num_parts} parts. Give each part the pitches that "
            f"it needs: Part('bass', pitches=PitchRange(36, 60))."
        )
    if num_scored_pitches is not None and num_scored_pitches < fewest_scored:
        raise SettingsError(f"num_scored_pitches must be at least {fewest_scored}, or None, got {num_scored_pitches}.")
    if not 0 <= max_polyphony <= cells.count:
        raise SettingsError(f"max_polyphony must be in 0..{cells.count} (active columns), got {max_polyphony}.")
