"""Small models that fill, whose behaviour is known."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.given_frames import GivenFrames, given_columns
from pianoroll_seq2seq.models.heads.random_numbers import uniform


@dataclass(frozen=True, eq=False)
class FreeCoins:
    """Independent columns, of which some are given."""

    rowwise = True

    mean_: Tensor
    frames: Tensor
    cells: Tensor

    def log_prob(self, frames: Tensor) -> Tensor:
        each = torch.where(frames > 0, self.mean_, 1 - self.mean_).log()
        return each.masked_fill(self.cells, 0).sum(dim=-1)

    def sample(self, *, generator: torch.Generator) -> Tensor:
        drawn = (uniform(self.mean_.shape, generator=generator) < self.mean_).float()
        return torch.where(self.cells, self.frames, drawn)

    @property
    def mean(self) -> Tensor:
        return torch.where(self.cells, self.frames, self.mean_)

    def __getitem__(self, index: Any) -> "FreeCoins":
        return FreeCoins(self.mean_[index], self.frames[index], self.cells[index])

    def tempered(self, temperature: float) -> "FreeCoins":
        return FreeCoins(self.mean_ ** (1 / temperature), self.frames, self.cells)


@dataclass(frozen=True)
class CoinState:
    given: GivenFrames
    step: int
    condition: Tensor | None


class Coins(nn.Module):
    """Draws each free cell with a probability that depends on the frame before and on the given frames to come.

    Every column of a velocity plane is 0 or 1, as a model's frame may be. ``seen`` has the arguments of its calls.
    """

    def __init__(self, layout: FrameLayout, p: float = 0.3, condition_size: int = 0) -> None:
        super().__init__()
        self.layout = layout
        self.frame_size = layout.frame_size
        self.condition_size = condition_size
        self.p = nn.Parameter(torch.tensor(p))
        self.seen: list[Any] = []

    def forward(
        self, inputs: Tensor, targets: Tensor, condition: Tensor | None = None, *, given: GivenFrames | None = None
    ) -> FreeCoins:
        raise NotImplementedError

    def start(self, primer: Tensor, condition: Tensor | None = None) -> tuple[FreeCoins, CoinState]:
        mask = torch.ones(*primer.shape[:2], len(self.layout.parts), dtype=torch.bool)
        given = GivenFrames.of(primer, mask, self.layout)
        state = CoinState(given, primer.shape[1], condition)
        return self._predict(primer[:, -1], state), state

    def start_filling(
        self, given: GivenFrames, condition: Tensor | None = None, *, begin: int = 0
    ) -> tuple[FreeCoins, CoinState]:
        self.seen.append((given, condition))
        state = CoinState(given, begin, condition)
        before = given.frames[:, begin - 1] if begin else torch.zeros_like(given.frames[:, 0])
        return self._predict(before, state), state

    def advance(self, frame: Tensor, state: CoinState) -> tuple[FreeCoins, CoinState]:
        self.seen.append(frame)
        following = CoinState(state.given, state.step + 1, state.condition)
        return self._predict(frame, following), following

    def _predict(self, before: Tensor, state: CoinState) -> FreeCoins:
        given, step = state.given, state.step
        frames, cells = torch.zeros_like(before), torch.zeros_like(before, dtype=torch.bool)
        if step < given.frames.shape[1]:
            frames, cells = given.frames[:, step], given_columns(given.mask[:, step], self.layout)
        ahead = given.frames[:, step:].sum(dim=(1, 2)) + given.end
        odd = (before.round().sum(dim=1) + ahead.round()) % 2
        return FreeCoins((self.p + 0.1 * odd[:, None]).expand_as(before), frames, cells)
