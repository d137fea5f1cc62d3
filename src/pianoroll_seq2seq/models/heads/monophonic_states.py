"""The states of monophonic parts: a rest, a held pitch, or a pitch that begins; and the columns of a frame."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pianoroll_seq2seq.models.note_columns import NoteColumns


def num_states(columns: NoteColumns) -> tuple[int, ...]:
    """How many states each part has: a rest, and for each pitch one, or two if it can be held."""
    return tuple(1 + columns.num_planes * block.size for block in columns.blocks)


def states_of(columns: NoteColumns, frames: Tensor) -> tuple[Tensor, Tensor]:
    """The state of each part in frames (rows, frame_size), and whether the frames are possible.

    Returns:
        States (rows, parts): 0 for a rest, then one for each pitch. With an onset plane one for each pitch that is
        held, and then one for each that begins. And booleans (rows,).
    """
    planes = frames.view(len(frames), columns.num_planes, columns.plane_size) > 0
    by_part = columns.by_part(planes)  # (rows, planes, parts, pitches)
    active = by_part[:, 0]
    count, place = active.sum(dim=2), active.to(torch.uint8).argmax(dim=2)
    states = torch.where(count > 0, 1 + place, 0)
    possible = (count <= 1).all(dim=1)
    if columns.has_onsets:
        begins = by_part[:, 1].any(dim=2) & (count > 0)
        states = torch.where(begins, states + columns.sizes.to(states.device), states)
        possible = possible & ~(planes[:, 1] & ~planes[:, 0]).any(dim=1)
    return states, possible


def frames_of(columns: NoteColumns, states: Tensor) -> Tensor:
    """The inverse of :func:`states_of`: booleans (rows, frame_size)."""
    sizes, starts = columns.sizes.to(states.device), columns.starts.to(states.device)
    place = (states - 1) % sizes + starts
    planes = [states > 0, states > sizes] if columns.has_onsets else [states > 0]
    silent = torch.zeros(len(states), columns.plane_size, dtype=torch.bool, device=states.device)
    return torch.cat([silent.scatter(1, place, plane) for plane in planes], dim=1)


def means_of(columns: NoteColumns, probabilities: Sequence[Tensor]) -> Tensor:
    """The probability of each column, (rows, frame_size), from those of each part's states, (rows, states)."""
    if not columns.has_onsets:
        return torch.cat([values[:, 1:] for values in probabilities], dim=1)
    halves = [values[:, 1:].chunk(2, dim=1) for values in probabilities]
    active = [held + onset for held, onset in halves]
    return torch.cat([*active, *(onset for _, onset in halves)], dim=1)
