"""Another number of notes at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq._internal.whole_numbers import is_real, is_whole
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.random_numbers import uniform
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling.samplers.contract import Sampler, next_sampler, start_sampler
from pianoroll_seq2seq.sampling.samplers.draw import Draw
from pianoroll_seq2seq.sampling.samplers.rejection import sample_accepted


@dataclass(frozen=True)
class PolyphonyControl:
    """Changes how many notes sound at once, by rejection sampling.

    For chords that lack a voice, or have one too many, more often than the data's. The probability of every frame is
    multiplied by the weight of its number of notes, and then all are normalized. A rejected frame is sampled again, up
    to ``tries`` times; the last one stays. So the result is exact up to a share of the frames that falls exponentially
    with the tries. :func:`polyphony_weights` finds weights from what the model has written.

    Args:
        weights: the factor for each number of notes in a frame, such as ``{3: 0.5}``; 1 for other numbers.
        layout: what the columns of a frame mean; ``generate`` sets it to the model's. If it is unknown, all columns
            count.
        sampler: the sampler to control.
        tries: how often a frame is sampled at most.

    Raises:
        SettingsError: arguments out of range; when it samples, ShapeError if frames have another size than the
            layout's.

    Example:
        >>> from pianoroll_seq2seq import Bernoulli
        >>> pair = PolyphonyControl({0: 0.0, 1: 0.0})  # two notes or more
        >>> pair(Bernoulli(torch.tensor([[9.0, 0.0]])), generator=torch.Generator().manual_seed(0))
        tensor([[1., 1.]])
    """

    weights: Mapping[int, float]
    layout: FrameLayout | None = None
    sampler: Sampler = field(default_factory=Draw)
    tries: int = 64

    def __post_init__(self) -> None:
        """Validates the arguments."""
        weights: object = self.weights
        if not isinstance(weights, Mapping):
            raise SettingsError(f"PolyphonyControl needs weights such as {{3: 0.5}}, got {weights!r}.")
        in_range = all(
            is_whole(number) and number >= 0 and is_real(weight) and 0 <= weight < float("inf")
            for number, weight in self.weights.items()
        )
        if not in_range or self.tries < 1:
            raise SettingsError(
                f"PolyphonyControl needs numbers of notes and finite weights of at least 0, and tries of at least 1, "
                f"got weights={dict(self.weights)}, tries={self.tries}."
            )

    def start(self, past: Tensor) -> "PolyphonyControl":
        """After some frames: see :class:`~pianoroll_seq2seq.sampling.SteppingSampler`."""
        return replace(self, sampler=start_sampler(self.sampler, past))

    def after(self, frame: Tensor) -> "PolyphonyControl":
        """After one more frame: see :class:`~pianoroll_seq2seq.sampling.SteppingSampler`."""
        return replace(self, sampler=next_sampler(self.sampler, frame))

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """The sampled frames."""
        accepted = partial(self._accepted, generator)
        return sample_accepted(self.sampler, distribution, accepted, tries=self.tries, generator=generator)

    def _accepted(self, generator: torch.Generator, frame: Tensor) -> Tensor:
        """Which frames (batch, frame_size) are kept, (batch,)."""
        if self.layout is not None:
            if frame.shape[-1] != self.layout.frame_size:
                raise ShapeError(
                    f"PolyphonyControl expects frames of {self.layout.frame_size} columns for {self.layout}, got "
                    f"{frame.shape[-1]}. Pass the model's layout."
                )
            frame = frame[..., self.layout.columns("active")]
        notes = (frame > 0).sum(dim=-1)
        chance = torch.ones(notes.shape, device=frame.device)
        for number, weight in self.weights.items():
            chance = torch.where(notes == number, weight, chance)
        largest = max([1.0, *self.weights.values()])
        return uniform(chance.shape, generator=generator, device=chance.device) < chance / largest


def polyphony_weights(
    written: Sequence[PianoRoll], data: Sequence[PianoRoll], *, fewest_frames: int = 20
) -> dict[int, float]:
    """The weights of :class:`PolyphonyControl` that bring the polyphony of written music nearer to that of data.

    The weight of a number of notes is its share of the frames of the data, over its share of the written frames; the
    largest is 1. Drums count.

    Args:
        written: what the model has written, for example continuations of validation pieces.
        data: music to compare it with, such as the same pieces.
        fewest_frames: numbers of notes that fewer of the written frames have get no weight of their own.

    Raises:
        SettingsError: no number of notes has enough written frames.

    Example:
        >>> single = PianoRoll.from_active(np.eye(40, 88, dtype=bool))
        >>> double = PianoRoll.from_active(single.active | np.eye(40, 88, 1, dtype=bool))
        >>> polyphony_weights([single + double], [single + double + double])
        {1: 0.5, 2: 1.0}
    """
    written_counts, counts = (_frames_by_polyphony(rolls) for rolls in (written, data))
    known = [number for number, frames in written_counts.items() if frames >= fewest_frames]
    if not known:
        raise SettingsError(
            f"No number of notes has {fewest_frames} written frames. Pass more music, or lower fewest_frames."
        )
    ratios = {number: counts.get(number, 0) / written_counts[number] for number in known}
    largest = max(ratios.values()) or 1.0
    return {number: ratio / largest for number, ratio in ratios.items()}


def _frames_by_polyphony(rolls: Sequence[PianoRoll]) -> dict[int, int]:
    """How many frames have each number of notes."""
    numbers = np.concatenate([roll.active.sum(axis=1) for roll in rolls])
    return {int(number): int(count) for number, count in zip(*np.unique(numbers, return_counts=True), strict=True)}
