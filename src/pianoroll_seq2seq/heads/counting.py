"""How many pitches of a frame sound, decided before which.

A model that decides pitch by pitch must be surer and surer that one more comes when all likely ones have been passed,
and is not sure enough: it leaves voices out. Where the number is drawn first, each decision knows how many are still to
come; none comes after the last, and the last cannot be left out.

The number stands before the pitches as columns of its own, one for each number of which one is set, and is decided from
the lowest number up, as pitches are. So whatever draws and scores decisions from the left to the right does both.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

CERTAIN = 1e4
"""Log-odds of what cannot be otherwise."""
_FEATURES = 4


class Counting(nn.Module):
    """Numbers of pitches, and what decisions about pitches know of them.

    Args:
        channels: size of the state that numbers are judged by, and of what is added to what decisions see.
        most: numbers from 0 to this are told apart; the last stands for all beyond as well.
    """

    _numbers: Tensor

    def __init__(self, channels: int, most: int) -> None:
        """Starts with all numbers alike."""
        super().__init__()
        self.columns: int = most + 1
        self.of_left: nn.Linear = nn.Linear(_FEATURES, channels, bias=False)
        self.judge: nn.Sequential = nn.Sequential(
            nn.SiLU(), nn.Linear(channels, channels), nn.SiLU(), nn.Linear(channels, most + 1)
        )
        self.register_buffer("_numbers", torch.arange(most + 1.0), persistent=False)

    def of(self, frames: Tensor) -> Tensor:
        """The columns of the number of each frame: (rows, pitches) to (rows, most + 1)."""
        number = frames.sum(dim=1).long().clamp(max=self.columns - 1)
        return functional.one_hot(number, self.columns).to(frames.dtype)

    def chances(self, state: Tensor, temperature: float = 1.0) -> Tensor:
        """The log-probability of each number: (rows, channels) to (rows, most + 1)."""
        chances: Tensor = (self.judge(state).float() / temperature).log_softmax(dim=1)
        return chances

    def logits(self, state: Tensor, counts: Tensor, temperature: float) -> Tensor:
        """The log-odds that it is each number, given that it is none below, and of none when one below is set."""
        chances = self.chances(state, temperature)
        from_here = chances.flip(1).logcumsumexp(dim=1).flip(1)
        beyond = functional.pad(from_here[:, 1:], (0, 1), value=-CERTAIN)
        set_below = (counts.cumsum(dim=1) - counts) > 0
        return (chances - beyond).clamp(-CERTAIN, CERTAIN).masked_fill(set_below, -CERTAIN)

    def left(self, counts: Tensor, frames: Tensor) -> Tensor:
        """How many are to come from each pitch on, itself included: (rows, pitches), for counts (rows, most + 1)."""
        below = functional.pad(frames.cumsum(dim=1), (1, 0))[:, :-1]
        return ((counts * self._numbers.to(counts.dtype)).sum(dim=1, keepdim=True) - below).clamp(min=0)

    def seen(self, left: Tensor) -> Tensor:
        """What decisions see of it: (rows, places) to (rows, places, channels)."""
        features: Tensor = torch.stack([left == 0, left == 1, left == 2, left / 4], dim=2).to(left.dtype)
        seen: Tensor = self.of_left(features)
        return seen

    def bound(self, logits: Tensor, left: Tensor, counts: Tensor, above: Tensor) -> Tensor:
        """The log-odds of pitches: none comes after the last, and the last comes at the highest pitch at the latest.

        Args:
            logits: (rows, places).
            left: as :meth:`left` gives it, at these places.
            counts: the columns of the numbers, (rows, most + 1).
            above: how many pitches there are from each place on, itself included, (rows, places) or (places,).
        """
        may_be_more = counts[:, -1:] > 0
        logits = logits.masked_fill((left <= 0) & ~may_be_more, -CERTAIN)
        return logits.masked_fill((left > 0) & (left >= above), CERTAIN)
