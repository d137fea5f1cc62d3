"""More or fewer repeated frames, and no longer ones than wanted."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.random_numbers import uniform
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling.samplers.contract import Sampler, next_sampler, start_sampler
from pianoroll_seq2seq.sampling.samplers.draw import Draw
from pianoroll_seq2seq.sampling.samplers.rejection import sample_accepted


@dataclass(frozen=True)
class RepetitionControl:
    """Changes how often another sampler's frames repeat the latest ones, by rejection sampling.

    For music that freezes (a ``weight`` below 1, or ``max_run``) or that moves more than the data's (above 1). The
    probability of every frame that equals one of the latest is multiplied by ``weight``, and then all are normalized. A
    rejected frame is sampled again, up to ``tries`` times; the last one stays. So the result is exact up to a share of
    the frames that falls exponentially with the tries.

    Frames are equal if the same pitches sound in the same parts. Silence counts as well. Each piece has its own latest
    frames, beginning with those of its primer.

    Args:
        sampler: the sampler to control.
        weight: the factor on the probability of a repetition; 0 for none, as far as the tries find another frame.
        window: how many of the latest frames count.
        max_run: the most equal frames in a row, such as ``longest_run(training_rolls)``; None for any number.
        layout: what the columns of a frame mean; ``generate`` sets it to the model's. If it is unknown, all columns
            are compared.
        tries: how often a frame is sampled at most.
        latest: the latest frames of each piece, (batch, window, columns). ``generate`` sets it, and ``run``.
        run: how many of the latest frames are equal to the last one, itself included, (batch,).

    Raises:
        SettingsError: arguments out of range; when it samples, ShapeError if frames have another size than the
            layout's.

    Example:
        >>> from pianoroll_seq2seq import Bernoulli
        >>> other = RepetitionControl(weight=0.0).start(torch.tensor([[[1.0]]]))  # after a frame with the pitch
        >>> other(Bernoulli(torch.tensor([[2.0]])), generator=torch.Generator().manual_seed(0))
        tensor([[0.]])
    """

    sampler: Sampler = field(default_factory=Draw)
    weight: float = 1.0
    window: int = 1
    max_run: int | None = None
    layout: FrameLayout | None = None
    tries: int = 64
    latest: Tensor | None = field(default=None, repr=False, compare=False)
    run: Tensor | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Validates the arguments."""
        if not 0 <= self.weight < float("inf") or min(self.window, self.tries, self.max_run or 1) < 1:
            raise SettingsError(
                f"RepetitionControl needs a finite weight of at least 0, and window, max_run and tries of at least 1, "
                f"got weight={self.weight}, window={self.window}, max_run={self.max_run}, tries={self.tries}."
            )
        if self.max_run == 0:
            raise SettingsError("max_run must be at least 1, which lets no frame follow itself; None is for any.")

    def start(self, past: Tensor) -> "RepetitionControl":
        """After some frames: see :class:`~pianoroll_seq2seq.sampling.SteppingSampler`."""
        columns = self._compared(past)
        run = torch.zeros(len(past), dtype=torch.int64, device=past.device)
        if columns.shape[1]:
            changed = (columns != columns[:, -1:]).any(dim=2)
            number = torch.arange(1, columns.shape[1] + 1, device=past.device)
            run = columns.shape[1] - torch.where(changed, number, 0).amax(dim=1)
        return replace(self, sampler=start_sampler(self.sampler, past), latest=columns[:, -self.window :], run=run)

    def after(self, frame: Tensor) -> "RepetitionControl":
        """After one more frame: see :class:`~pianoroll_seq2seq.sampling.SteppingSampler`."""
        columns = self._compared(frame)
        latest = columns.unsqueeze(1)
        run = torch.ones(len(frame), dtype=torch.int64, device=frame.device)
        if self.latest is not None and self.run is not None and self.latest.shape[1]:
            run = torch.where((columns == self.latest[:, -1]).all(dim=1), self.run + 1, run)
            latest = torch.cat([self.latest, latest.to(self.latest.dtype)], dim=1)[:, -self.window :]
        return replace(self, sampler=next_sampler(self.sampler, frame), latest=latest, run=run)

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """The sampled frames, of batch shape (batch,) once there are latest frames."""
        if self.latest is None or not self.latest.shape[1] or (self.weight == 1.0 and self.max_run is None):
            return self.sampler(distribution, generator=generator)
        return sample_accepted(
            self.sampler, distribution, partial(self._accepted, generator), tries=self.tries, generator=generator
        )

    def _accepted(self, generator: torch.Generator, frame: Tensor) -> Tensor:
        """Which frames (batch, frame_size) are kept, (batch,)."""
        assert self.latest is not None
        assert self.run is not None
        same = (self._compared(frame).unsqueeze(1) == self.latest).all(dim=2)
        chance = torch.where(same.any(dim=1), self.weight, 1.0) / max(1.0, self.weight)
        if self.max_run is not None:
            chance = torch.where(same[:, -1] & (self.run >= self.max_run), 0.0, chance)
        return uniform(chance.shape, generator=generator, device=chance.device) < chance

    def _compared(self, frames: Tensor) -> Tensor:
        """The columns of frames (..., frame_size) that are compared."""
        if self.layout is None:
            return frames
        if frames.shape[-1] != self.layout.frame_size:
            raise ShapeError(
                f"RepetitionControl expects frames of {self.layout.frame_size} columns for {self.layout}, got "
                f"{frames.shape[-1]}. Pass the model's layout."
            )
        return frames[..., self.layout.columns("active")]


def longest_run(rolls: Sequence[PianoRoll]) -> int:
    """The most frames in a row in which the same pitches sound, in any of some pieces; 0 without frames.

    Example:
        >>> longest_run([PianoRoll.from_active(np.eye(88, dtype=bool)[[3, 3, 3, 4]])])
        3
    """
    longest = 0
    for roll in rolls:
        changes = np.flatnonzero((roll.active[1:] != roll.active[:-1]).any(axis=1)) + 1
        longest = max(longest, int(np.diff([0, *changes, len(roll)]).max()))
    return longest
