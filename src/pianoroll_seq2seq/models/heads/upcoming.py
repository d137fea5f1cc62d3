"""What is given of the frames to come, for each part: its next note, and the change after it."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

FARTHEST = 16
"""Distances, in frames, that are distinguished; larger ones count as this one."""
CHANGES = 4
"""Notes to come of each part that are read, after its next given frame."""
NUM_FLAGS = (1 + CHANGES) * (FARTHEST + 2)
"""Flags of a part."""


@dataclass(frozen=True)
class Upcoming:
    """The given frames to come, seen from some steps.

    Args:
        pitches: of each part, some pitches to come, -1 for none, (batch, steps, kinds, parts): its next given pitch if
            it is held there, the same if it begins there or nobody knows, the pitches of the next changes after that,
            and those some frames on.
        flags: of each part, how far its next given frame and the next changes are, and whether it rests there,
            (batch, steps, parts, NUM_FLAGS).
    """

    pitches: Tensor
    flags: Tensor

    def at(self, step: int) -> "Upcoming":
        """What is given after one step, batch shape (batch,); nothing beyond the last step."""
        inside = step < self.flags.shape[1]
        pitches, flags = (values[:, min(step, values.shape[1] - 1)] for values in (self.pitches, self.flags))
        if inside:
            return Upcoming(pitches, flags)
        never = torch.zeros_like(flags)
        never[..., FARTHEST : (1 + CHANGES) * (FARTHEST + 1) : FARTHEST + 1] = True
        return Upcoming(torch.full_like(pitches, -1), never)


def num_kinds(lags: tuple[int, ...]) -> int:
    """Kinds of pitches of each part."""
    return 2 + CHANGES + len(lags)


def upcoming(
    pitches: Tensor, begins: Tensor, known: Tensor, *, lags: tuple[int, ...], steps: int, has_onsets: bool
) -> Upcoming:
    """What is given after each of the first frames.

    Args:
        pitches: of each part, -1 for a rest, (batch, frames, parts).
        begins: whether a note begins, of the same shape.
        known: whether the part is given, of the same shape.
        lags: how many frames on given pitches are read.
        steps: number of frames to look ahead from.
        has_onsets: whether ``begins`` says where notes begin.
    """
    frames = pitches.shape[1]
    place = torch.arange(frames, device=pitches.device)[:, None]
    following = _next(known, place)[:, :steps]  # the next given frame after each step
    changed = (pitches[:, 1:] != pitches[:, :-1]) | begins[:, 1:]
    events = functional.pad(changed & known[:, 1:] & known[:, :-1], (0, 0, 1, 0))
    after = functional.pad(_next(events, place), (0, 0, 0, 1), value=frames)
    held = _at(~begins & known & has_onsets, following, fill=False)
    pitch = _at(pitches, following, fill=-1)
    kinds = [torch.where(held, pitch, -1), torch.where(held, -1, pitch)]
    here = place[:steps]
    flags = [_distance(following - here, following >= frames)]
    rests = [(pitch < 0) & (following < frames)]
    change = following
    for _ in range(CHANGES):
        change = after.gather(1, change)
        pitch = _at(pitches, change, fill=-1)
        kinds.append(pitch)
        flags.append(_distance(change - here, change >= frames))
        rests.append((pitch < 0) & (change < frames))
    given = torch.where(known, pitches, -1)
    kinds += [functional.pad(given, (0, 0, 0, lag), value=-1)[:, lag:][:, :steps] for lag in lags]
    return Upcoming(torch.stack(kinds, dim=2), torch.cat([*flags, torch.stack(rests, dim=-1)], dim=-1))


def _next(condition: Tensor, place: Tensor) -> Tensor:
    """The next place after each frame where a condition holds, or the number of frames: (batch, frames, parts)."""
    frames = condition.shape[1]
    at = torch.where(condition, place, frames)
    here_or_later = at.flip(1).cummin(dim=1).values.flip(1)
    return functional.pad(here_or_later[:, 1:], (0, 0, 0, 1), value=frames)


def _at(values: Tensor, place: Tensor, *, fill: int | bool) -> Tensor:
    """The values at places, and ``fill`` after the last frame."""
    return functional.pad(values, (0, 0, 0, 1), value=fill).gather(1, place)


def _distance(frames: Tensor, never: Tensor) -> Tensor:
    """One-hot distances, the last for none: (..., FARTHEST + 1)."""
    place = torch.where(never, FARTHEST, (frames - 1).clamp(0, FARTHEST - 1))
    return functional.one_hot(place, FARTHEST + 1).bool()
