"""Fewer parallel fifths and octaves."""

from dataclasses import dataclass, field, replace
from itertools import combinations

import torch
from torch import Tensor

from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.random_numbers import uniform
from pianoroll_seq2seq.models.note_columns import note_columns
from pianoroll_seq2seq.sampling.samplers.contract import Sampler, next_sampler, start_sampler
from pianoroll_seq2seq.sampling.samplers.draw import Draw
from pianoroll_seq2seq.sampling.samplers.rejection import sample_accepted

_FIFTH, _OCTAVE = 7, 12


@dataclass(frozen=True)
class ParallelControl:
    """Makes parallel fifths and octaves between parts less likely, by rejection sampling.

    For voices, whose rules forbid them. The probability of every frame in which two parts move in the same direction
    from a perfect fifth to another, or from an octave or a unison to another, is multiplied by ``weight``, and then all
    are normalized. A rejected frame is sampled again, up to ``tries`` times; the last one stays. So the result is exact
    up to a share of the frames that falls exponentially with the tries. Drums and parts with several pitches in a frame
    count with their highest pitch. Each piece has its own latest frame, beginning with that of its primer.

    Args:
        layout: what the columns of a frame mean, such as the model's ``layout``; of at least two parts.
        sampler: the sampler to control.
        weight: the factor, from 0, which forbids them, to 1.
        tries: how often a frame is sampled at most.
        latest: the pitch of each part in the latest frame, -1 for a rest, (batch, parts). ``generate`` sets it.

    Raises:
        SettingsError: arguments out of range, or a layout of one part; when it samples, ShapeError if frames have
            another size than the layout's.

    Example:
        >>> from pianoroll_seq2seq import Bernoulli, Part, PitchRange
        >>> parts = (Part("upper", pitches=PitchRange(67, 68)), Part("lower", pitches=PitchRange(60, 61)))
        >>> layout = FrameLayout(planes=("active",), parts=parts)
        >>> control = ParallelControl(layout, weight=0.0).start(torch.tensor([[[1.0, 0.0, 1.0, 0.0]]]))  # G over C
        >>> up = Bernoulli(torch.tensor([[-9.0, 9.0, -9.0, 0.0]]))  # the upper part rises; the lower one may as well
        >>> control(up, generator=torch.Generator().manual_seed(0))
        tensor([[0., 1., 0., 0.]])
    """

    layout: FrameLayout
    sampler: Sampler = field(default_factory=Draw)
    weight: float = 0.1
    tries: int = 64
    latest: Tensor | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Validates the arguments."""
        if not 0 <= self.weight <= 1 or self.tries < 1:
            raise SettingsError(
                f"ParallelControl needs a weight in [0, 1] and tries of at least 1, got {self.weight} and {self.tries}."
            )
        if len(self.layout.parts) < 2:
            raise SettingsError("ParallelControl is for several parts, but the layout has one. Leave it out.")

    def start(self, past: Tensor) -> "ParallelControl":
        """After some frames: see :class:`~pianoroll_seq2seq.sampling.SteppingSampler`."""
        latest = self._pitches(past[:, -1]) if past.shape[1] else None
        return replace(self, sampler=start_sampler(self.sampler, past), latest=latest)

    def after(self, frame: Tensor) -> "ParallelControl":
        """After one more frame: see :class:`~pianoroll_seq2seq.sampling.SteppingSampler`."""
        return replace(self, sampler=next_sampler(self.sampler, frame), latest=self._pitches(frame))

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """The sampled frames, of batch shape (batch,) once there is a latest frame."""
        latest = self.latest
        if latest is None or self.weight == 1.0:
            return self.sampler(distribution, generator=generator)

        def accepted(frame: Tensor) -> Tensor:
            chance = torch.where(moves_in_parallel(latest, self._pitches(frame)), self.weight, 1.0)
            return uniform(chance.shape, generator=generator, device=chance.device) < chance

        return sample_accepted(self.sampler, distribution, accepted, tries=self.tries, generator=generator)

    def _pitches(self, frames: Tensor) -> Tensor:
        """The highest pitch of each part, -1 for a rest: (batch, frame_size) to (batch, parts)."""
        columns = note_columns(self.layout)
        if frames.shape[-1] != self.layout.frame_size:
            raise ShapeError(
                f"ParallelControl expects frames of {self.layout.frame_size} columns for {self.layout}, got "
                f"{frames.shape[-1]}. Pass the model's layout."
            )
        pitches = []
        for block in columns.blocks:
            place = torch.arange(block.lowest + 1, block.lowest + block.size + 1, device=frames.device)
            pitches.append(((frames[..., block.columns] > 0) * place).amax(dim=-1) - 1)
        return torch.stack(pitches, dim=-1)


def moves_in_parallel(before: Tensor, after: Tensor) -> Tensor:
    """Whether any two parts move in parallel fifths or octaves.

    Args:
        before: the pitch of each part, -1 for a rest, (batch, parts).
        after: the same, of the next frame.

    Returns:
        (batch,), bool.
    """
    motion = (after - before).sign() * (before >= 0) * (after >= 0)
    parallel = torch.zeros(len(before), dtype=torch.bool, device=before.device)
    for one, other in combinations(range(before.shape[-1]), 2):
        first, second = ((pitches[:, one] - pitches[:, other]).abs() % _OCTAVE for pitches in (before, after))
        perfect = (first == second) & ((first == 0) | (first == _FIFTH))
        parallel |= perfect & (motion[:, one] * motion[:, other] > 0)
    return parallel
