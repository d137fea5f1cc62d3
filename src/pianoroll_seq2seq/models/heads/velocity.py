"""Velocities: any head for notes, and for each note that begins a distribution over its velocity.

For layouts with the planes ``("active", "onset", "velocity")``. As in Performance RNN (Simon and Oore, 2017) velocities
are binned; here a note's velocity is uniform inside its bin, so the likelihood is exact over 1 to 127.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.given_frames import GivenFrames
from pianoroll_seq2seq.models.heads.contract import HeadFactory, OutputHead, build_head, with_given
from pianoroll_seq2seq.models.heads.copy_features import split_features, state_size
from pianoroll_seq2seq.models.heads.head_state import HeadState, init_head_state
from pianoroll_seq2seq.models.heads.notes import NotesHead
from pianoroll_seq2seq.models.heads.velocity_frame import Velocity
from pianoroll_seq2seq.models.heads.velocity_network import HIGHEST, RATES, RECENT, VelocityContext, VelocityNetwork
from pianoroll_seq2seq.models.layers.exponential_average import ExponentialAverage, exponential_averages
from pianoroll_seq2seq.models.note_columns import NoteColumns, note_columns

_OLD = 10_000
"""The age of a note that has not been."""


@dataclass(frozen=True)
class VelocityState:
    """The head's state in generation.

    Args:
        notes: the state of the inner head.
        recent: mean velocities of the latest frames with onsets, (batch, parts, RECENT).
        averages: averages of the sums and the numbers of velocities of each part.
        latest: the velocity of the latest note of each column, (batch, plane_size).
        age: how many frames ago it began, (batch, plane_size).
    """

    notes: HeadState
    recent: Tensor
    averages: ExponentialAverage
    latest: Tensor
    age: Tensor


class VelocityHead(nn.Module):
    """Multiplies the distribution of another head over notes by one over the velocities of the notes that begin.

    The velocity of a note is decided given all notes of the frame, the velocities of those in the columns before it,
    the latest velocities of its part and of its pitch, averages of the past, the decoder's features, and what copy
    candidates played there. Where no note begins there is no velocity, so no term of the likelihood.

    Args:
        in_features: size of the decoder's output, candidates included.
        layout: what the columns of a frame mean, with all three planes.
        inner: the head for the active and the onset plane: a class, a ``functools.partial`` of one, or a head that is
            built already.
        bins: velocity bins, 1 to 127, of almost equal width.
        channels: width of the network.
        dropout: dropout probability in the network, 0 <= dropout < 1.
        detach: whether the velocities leave the decoder's features as the notes need them: gradients of velocities do
            not reach the decoder then.
        num_candidates: the last ``num_candidates * frame_size`` features are copy candidates.

    Raises:
        SettingsError: a layout without velocities, or sizes out of range.

    Example:
        >>> from pianoroll_seq2seq import PitchRange
        >>> layout = FrameLayout(pitches=PitchRange(60, 71), planes=("active", "onset", "velocity"))
        >>> head = VelocityHead(in_features=8, layout=layout)
        >>> frames = torch.zeros(2, 3, 36)  # (batch, steps, frame_size)
        >>> head(torch.zeros(2, 3, 8), frames).log_prob(frames).shape
        torch.Size([2, 3])
    """

    _decays: Tensor
    _bins: Tensor
    _widths: Tensor
    _middles: Tensor
    _starts: Tensor

    def __init__(
        self,
        in_features: int,
        layout: FrameLayout,
        *,
        inner: OutputHead | HeadFactory = NotesHead,
        bins: int = 32,
        channels: int = 96,
        dropout: float = 0.0,
        detach: bool = True,
        num_candidates: int = 0,
    ) -> None:
        """Builds the inner head and the network."""
        super().__init__()
        if not getattr(layout, "has_velocity", False):  # or only a number of columns
            raise SettingsError(
                f"VelocityHead needs a layout with velocities, got {layout}. Build it with "
                f"FrameLayout.of(roll, velocity=True), or take the inner head alone."
            )
        if min(in_features, channels) < 1 or not 1 <= bins <= HIGHEST or not 0 <= dropout < 1:
            raise SettingsError(
                f"in_features and channels must be at least 1, bins in 1..127 and dropout in [0, 1), got "
                f"{in_features=}, {channels=}, {bins=}, {dropout=}."
            )
        state = state_size(in_features, layout.frame_size, num_candidates)
        self.columns: NoteColumns = note_columns(layout)
        self.note_size: int = self.columns.frame_size
        notes_layout = replace(layout, planes=("active", "onset"))
        self.inner: OutputHead = build_head(
            inner, state + num_candidates * self.note_size, notes_layout, num_candidates
        )
        self.in_features = in_features
        self.layout = layout
        self.frame_size: int = layout.frame_size
        self.context_frames: int | None = None
        self.detach = detach
        self.takes_given: bool = getattr(self.inner, "takes_given", False)
        self.reads_given: bool = getattr(self.inner, "reads_given", False)
        self._num_candidates = num_candidates
        self._settings = {
            "bins": bins,
            "channels": channels,
            "dropout": dropout,
            "detach": detach,
            "num_candidates": num_candidates,
        }
        self.network: VelocityNetwork = VelocityNetwork(
            self.columns,
            state_size=state,
            channels=channels,
            bins=bins,
            dropout=dropout,
            num_candidates=num_candidates,
        )
        number = torch.arange(HIGHEST) * bins // HIGHEST  # the bin of each velocity
        widths = torch.bincount(number, minlength=bins)
        starts = 1 + functional.pad(widths.cumsum(dim=0)[:-1], (1, 0))
        self.register_buffer("_decays", torch.tensor(RATES), persistent=False)
        self.register_buffer("_bins", number, persistent=False)
        self.register_buffer("_widths", widths, persistent=False)
        self.register_buffer("_starts", starts, persistent=False)
        self.register_buffer("_middles", (starts + (widths - 1) / 2) / HIGHEST, persistent=False)

    def forward(
        self,
        features: Float[Tensor, "batch steps in_features"],
        past: Float[Tensor, "batch known frame_size"],
        given: GivenFrames | None = None,
    ) -> Velocity:
        """Distributions of batch shape (batch, steps); ``given`` begins with the frame of the first step."""
        steps = features.shape[1]
        notes = with_given(self.inner, self._inner_features(features), past[..., : self.note_size], given)
        velocity = past[..., self.note_size :]
        latest, age = _latest(velocity)
        averages = exponential_averages(self._by_part(velocity), self._decays)[:, -steps:]
        recent = self._recent(velocity)
        context = self._context(features, recent[:, -steps:], averages, latest[:, -steps:], age[:, -steps:])
        return Velocity(self, notes, context)

    def init_state(
        self, past: Float[Tensor, "batch known frame_size"], given: GivenFrames | None = None
    ) -> VelocityState:
        """See :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""
        velocity = past[..., self.note_size :]
        latest, age = _latest(velocity)
        return VelocityState(
            notes=init_head_state(self.inner, past[..., : self.note_size], given),
            recent=self._recent(velocity)[:, -1],
            averages=ExponentialAverage.of(self._by_part(velocity), self._decays),
            latest=latest[:, -1],
            age=age[:, -1],
        )

    def update(self, frame: Float[Tensor, "batch frame_size"], state: VelocityState) -> VelocityState:
        """See :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""
        velocity = frame[..., self.note_size :]
        sums = self._by_part(velocity)
        total, count = sums.chunk(2, dim=1)
        mean = (total / count.clamp(min=1)).unsqueeze(2)
        return VelocityState(
            notes=state.notes.update(frame[..., : self.note_size]),
            recent=torch.where(count.unsqueeze(2) > 0, torch.cat([mean, state.recent[..., :-1]], dim=2), state.recent),
            averages=state.averages.after(sums),
            latest=torch.where(velocity > 0, velocity, state.latest),
            age=torch.where(velocity > 0, 1, (state.age + 1).clamp(max=_OLD)),
        )

    def predict(self, features: Float[Tensor, "batch in_features"], state: VelocityState) -> Velocity:
        """See :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""
        notes = state.notes.predict(self._inner_features(features))
        context = self._context(features, state.recent, state.averages.average, state.latest, state.age)
        return Velocity(self, notes, context)

    def chords(self, frames: Float[Tensor, "*batch frame_size"]) -> dict[str, Tensor]:
        """As of an inner head for monophonic parts: see :meth:`MonophonicHead.chords`. Empty for all others."""
        find = getattr(self.inner, "chords", None)
        found: dict[str, Tensor] = {} if find is None else find(frames[..., : self.note_size])
        return found

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"in_features": self.in_features, "layout": self.layout, "inner": self.inner, **self._settings}

    def bin_of(self, velocities: Tensor) -> tuple[Tensor, Tensor]:
        """The bins of velocities 1 to 127, and how many velocities each bin has."""
        bins = self._bins[velocities - 1]
        return bins, self._widths[bins]

    def spread_bins(self, probabilities: Tensor) -> Tensor:
        """The probabilities of the velocities 1 to 127, from those of bins: (..., bins) to (..., 127)."""
        return (probabilities / self._widths)[..., self._bins]

    def expected(self, probabilities: Tensor) -> Tensor:
        """The expected velocities / 127, from the probabilities of bins: (..., bins) to (...)."""
        return probabilities @ self._middles.to(probabilities.dtype)

    def velocity_at(self, probabilities: Tensor, numbers: Tensor) -> Tensor:
        """The velocities (notes,), 1 to 127, that random numbers from [0, 1) choose: (notes, bins) and (notes,)."""
        cumulative = self.spread_bins(probabilities).cumsum(dim=1)
        return 1 + (numbers[:, None] >= cumulative).sum(dim=1).clamp(max=HIGHEST - 1)

    def _inner_features(self, features: Tensor) -> Tensor:
        """Features for the inner head: the state, and the candidates' note planes."""
        if not self._num_candidates:
            return features
        state, candidates = split_features(features, self.frame_size, self._num_candidates)
        return torch.cat([state, candidates[..., : self.note_size].flatten(-2)], dim=-1)

    def _context(
        self, features: Tensor, recent: Tensor, averages: Tensor, latest: Tensor, age: Tensor
    ) -> VelocityContext:
        """The context of each step, batch shape (...)."""
        state, candidates = split_features(features, self.frame_size, self._num_candidates)
        if self.detach:
            state, candidates = state.detach(), candidates.detach()
        total, count = averages.chunk(2, dim=-1)
        return VelocityContext(
            state=self.network.state_proj(state),
            candidates=torch.unflatten(candidates, -1, (3, -1)),
            recent=recent,
            averages=(total / count.clamp(min=1e-6)).transpose(-1, -2),
            latest=latest,
            age=age,
        )

    def _by_part(self, velocity: Tensor) -> Tensor:
        """Of each part the sum of the velocities, then the number of notes: (..., plane_size) to (..., 2 * parts)."""
        blocks = [velocity[..., block.columns] for block in self.columns.blocks]
        numbers = [(block > 0).sum(dim=-1).to(velocity.dtype) for block in blocks]
        return torch.stack([*(block.sum(dim=-1) for block in blocks), *numbers], dim=-1)

    def _recent(self, velocity: Tensor) -> Tensor:
        """Mean velocities of the latest frames with onsets, up to each frame: (batch, frames, parts, RECENT)."""
        total, count = self._by_part(velocity).chunk(2, dim=2)
        mean = functional.pad(total / count.clamp(min=1), (0, 0, 1, 0))  # place 0 stands for no such frame
        place = torch.arange(1, mean.shape[1], device=velocity.device)[:, None]
        latest = torch.where(count > 0, place, 0).cummax(dim=1).values
        before = functional.pad(latest, (0, 0, 1, 0))  # before[t]: the latest such place below t + 1
        found, index = [], latest
        for _ in range(RECENT):
            found.append(mean.gather(1, index))
            index = before.gather(1, (index - 1).clamp(min=0))
        return torch.stack(found, dim=3)


def _latest(velocity: Tensor) -> tuple[Tensor, Tensor]:
    """The velocity of the latest note of each column, up to each frame, and how many frames ago it began.

    Args:
        velocity: (batch, frames, plane_size).
    """
    place = torch.arange(velocity.shape[1], device=velocity.device)[:, None]
    index = torch.where(velocity > 0, place, -1).cummax(dim=1).values
    latest = torch.where(index >= 0, velocity.gather(1, index.clamp(min=0)), 0.0)
    return latest, torch.where(index >= 0, place + 1 - index, _OLD).clamp(max=_OLD)
