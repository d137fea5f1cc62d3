"""Monophonic parts: each is silent, holds its pitch or begins one, given the parts decided before it.

One small network with inputs relative to the pitch decides each part: the intervals from what every part sounded before
and from what the parts before it have been decided to sound. It is the chain rule over the voices of a chorale, as in
DeepBach's and TonicNet's orders of voices, with the tied pitch networks of Johnson (2017).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.given_frames import GivenFrames
from pianoroll_seq2seq.models.heads.copy_features import split_features, state_size
from pianoroll_seq2seq.models.heads.monophonic_context import PartsContext
from pianoroll_seq2seq.models.heads.monophonic_frame import Monophonic
from pianoroll_seq2seq.models.heads.monophonic_network import PartNetwork, runs_of
from pianoroll_seq2seq.models.heads.upcoming import Upcoming, upcoming
from pianoroll_seq2seq.models.layers.exponential_average import ExponentialAverage, exponential_averages
from pianoroll_seq2seq.models.note_columns import NoteColumns, check_no_velocity, note_columns


@dataclass(frozen=True)
class PartsState:
    """The head's state in generation.

    Args:
        pitches: the latest pitches of each part, newest first, (batch, longest lag, parts); -1 for a rest.
        before: the pitch of each part before its latest one, (batch, parts).
        runs: for how many frames each part has held its latest pitch, (batch, parts).
        sounded: the active plane of the latest frame, (batch, plane_size).
        past: averages of the pitch classes of all past frames.
        ahead: what is given after each frame from the first step on; None for a head that does not look ahead.
        num_steps: frames since the first step.
    """

    pitches: Tensor
    before: Tensor
    runs: Tensor
    sounded: Tensor
    past: ExponentialAverage
    ahead: Upcoming | None = None
    num_steps: int = 0


class MonophonicHead(nn.Module):
    """Decides one part after another: a rest, a held pitch, or a pitch that begins.

    For pitch ``p`` of a part the shared network reads the intervals from ``p`` to: the pitch of every part in the frame
    before; the part's own pitches ``lags`` frames before, and its note before the latest one; the pitches of the parts
    that have been decided in this frame, and whether they moved. It also reads for how long each part has held its
    pitch, how often each pitch class, counted from ``p``, sounded in the past, the decoder's features, and the position
    of ``p`` in the part. Copy candidates are read around ``p``, and also as the mixture in which each counts as much as
    it agrees with the parts decided so far.

    Without an onset plane a part is silent or sounds a pitch, and nothing says whether a repeated pitch is held.

    Where some parts of a frame are given, they count as decided first. With ``look_ahead`` the network also reads the
    given notes to come of every part: the next one and the four after it, with their distances, and the pitches some
    frames on.

    Args:
        in_features: size of the decoder's output, candidates included.
        layout: what the columns of a frame mean: the active plane, or the active and the onset plane.
        order: the names of the parts in the order in which they are decided. None draws an order for every frame in
            training, from PyTorch's default generator; then the parts can be decided in any order
            (:meth:`Monophonic.in_order`), in evaluation in that of the layout by default.
        channels: width of the shared network.
        lags: how many frames back the part's own pitches are read.
        look_ahead: how many frames on given pitches are read, such as (4, 8, 16); None for a head that reads no given
            frames to come.
        decays: the factor on the weight of a past frame for each later frame; one or more, each in (0, 1).
        num_layers: residual layers of the shared network.
        dropout: dropout probability in the shared network, 0 <= dropout < 1.
        num_candidates: the last ``num_candidates * frame_size`` features are copy candidates: for each, the probability
            of each column.

    Raises:
        SettingsError: a size below 1, a decay or probability out of range, an order that is not one of the parts, a
            layout with velocities, or candidates that leave no features for the state.

    Example:
        >>> from pianoroll_seq2seq import Part, PitchRange
        >>> two = FrameLayout(parts=(Part("high", pitches=PitchRange(60, 71)), Part("low", pitches=PitchRange(48, 59))))
        >>> head = MonophonicHead(in_features=8, layout=two)
        >>> frames = torch.zeros(2, 3, 48)  # (batch, steps, frame_size): both parts rest
        >>> head(torch.zeros(2, 3, 8), frames).log_prob(frames).shape
        torch.Size([2, 3])
    """

    _decays: Tensor
    _chroma_weights: Tensor
    _places: Tensor
    _ranks: Tensor

    def __init__(
        self,
        in_features: int,
        layout: FrameLayout | int,
        *,
        order: Sequence[str] | list[str] | None = None,
        channels: int = 64,
        lags: tuple[int, ...] | list[int] = (2, 4, 8, 16),
        look_ahead: tuple[int, ...] | list[int] | None = None,
        decays: tuple[float, ...] | list[float] = (0.8, 0.95, 0.995),
        num_layers: int = 2,
        dropout: float = 0.0,
        num_candidates: int = 0,
    ) -> None:
        """Starts with almost equal probabilities."""
        super().__init__()
        check_no_velocity(layout, "MonophonicHead")
        self.columns: NoteColumns = note_columns(layout)
        sizes = {"in_features": in_features, "channels": channels, "lags": tuple(lags)}
        in_range = (
            min(in_features, channels, *lags, *(look_ahead or ())) >= 1
            and lags
            and num_layers >= 0
            and 0 <= dropout < 1
        )
        if not in_range or not decays or not all(0 < decay < 1 for decay in decays):
            raise SettingsError(
                f"Sizes and lags must be at least 1, num_layers at least 0, decays, one or more, in (0, 1), and "
                f"dropout in [0, 1), got {sizes}, {num_layers=}, {decays=}, {dropout=}."
            )
        self.in_features = in_features
        self.layout = layout
        self.frame_size: int = self.columns.frame_size
        self.context_frames: int | None = None
        self.takes_given: bool = True
        self.reads_given: bool = look_ahead is not None
        self.look_ahead: tuple[int, ...] | None = None if look_ahead is None else tuple(look_ahead)
        self.order: tuple[str, ...] | None = None if order is None else tuple(order)
        state = state_size(in_features, self.frame_size, num_candidates)
        self._settings = {
            "order": None if order is None else list(order),
            "channels": channels,
            "lags": list(lags),
            "look_ahead": None if look_ahead is None else list(look_ahead),
            "decays": list(decays),
            "num_layers": num_layers,
            "dropout": dropout,
            "num_candidates": num_candidates,
        }
        self._lags, self._num_candidates = tuple(lags), num_candidates
        self.network: PartNetwork = PartNetwork(
            self.columns,
            state_size=state,
            channels=channels,
            num_own=len(lags) + 1,
            look_ahead=self.look_ahead,
            num_rates=len(decays),
            num_layers=num_layers,
            dropout=dropout,
            num_candidates=num_candidates,
        )
        self.register_buffer("_decays", torch.tensor(list(decays)), persistent=False)
        self.register_buffer("_chroma_weights", self.columns.chroma_weights(), persistent=False)
        names = [block.name for block in self.columns.blocks]
        largest = max(block.size for block in self.columns.blocks)
        lowest = torch.tensor([block.lowest for block in self.columns.blocks])
        self.register_buffer("_places", lowest[:, None] + torch.arange(1, largest + 1), persistent=False)
        self.register_buffer("_ranks", self.ranks_of(names if order is None else order), persistent=False)

    def ranks_of(self, order: Sequence[str]) -> Tensor:
        """The place of each part in an order of their names: (parts,).

        Raises:
            SettingsError: not the names of the parts.
        """
        names = [block.name for block in self.columns.blocks]
        if sorted(order) != sorted(names):
            raise SettingsError(
                f"order must have the name of every part once, got {list(order)} for the parts {names}."
            )
        return torch.tensor([list(order).index(name) for name in names])

    def forward(
        self,
        features: Float[Tensor, "batch steps in_features"],
        past: Float[Tensor, "batch known frame_size"],
        given: GivenFrames | None = None,
    ) -> Monophonic:
        """Distributions of batch shape (batch, steps); ``given`` begins with the frame of the first step."""
        steps = features.shape[1]
        pitches, begins = self._read(past)
        runs, before = runs_of(pitches, begins)
        longest = max(self._lags)
        padded = functional.pad(pitches, (0, 0, longest, 0), value=-1)
        known = past.shape[1]
        rows = slice(known - steps, known)
        latest = [padded[:, longest - lag + 1 :][:, rows] for lag in (1, *self._lags)]
        averages = exponential_averages(self._chroma(past), self._decays)[:, -steps:]
        context = self._context(
            features,
            torch.stack([*latest, before[:, rows]], dim=2),
            runs[:, rows],
            past[:, rows, : self.columns.plane_size],
            averages,
            ahead=self._ahead(given, batch=len(past), steps=steps),
        )
        return Monophonic(self, context, self._chosen_ranks(features.shape[:2]))

    def init_state(self, past: Float[Tensor, "batch known frame_size"], given: GivenFrames | None = None) -> PartsState:
        """See :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""
        pitches, begins = self._read(past)
        runs, before = runs_of(pitches, begins)
        longest = max(self._lags)
        latest = functional.pad(pitches, (0, 0, longest, 0), value=-1)[:, -longest:].flip(1)
        averages = ExponentialAverage.of(self._chroma(past), self._decays)
        ahead = self._ahead(given, batch=len(past), steps=1 if given is None else given.mask.shape[1])
        sounded = past[:, -1, : self.columns.plane_size]
        return PartsState(latest, before[:, -1], runs[:, -1], sounded, averages, ahead)

    def update(self, frame: Float[Tensor, "batch frame_size"], state: PartsState) -> PartsState:
        """See :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""
        pitches, begins = (values[:, 0] for values in self._read(frame.unsqueeze(1)))
        changed = (pitches != state.pitches[:, 0]) | begins
        return PartsState(
            pitches=torch.cat([pitches.unsqueeze(1), state.pitches[:, :-1]], dim=1),
            before=torch.where(changed, state.pitches[:, 0], state.before),
            runs=torch.where(changed, 1, state.runs + 1),
            sounded=frame[:, : self.columns.plane_size],
            past=state.past.after(self._chroma(frame)),
            ahead=state.ahead,
            num_steps=state.num_steps + 1,
        )

    def predict(self, features: Float[Tensor, "batch in_features"], state: PartsState) -> Monophonic:
        """See :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""
        latest = [state.pitches[:, lag - 1] for lag in (1, *self._lags)]
        pitches = torch.stack([*latest, state.before], dim=1)
        ahead = None if state.ahead is None else state.ahead.at(state.num_steps)
        context = self._context(features, pitches, state.runs, state.sounded, state.past.average, ahead=ahead)
        return Monophonic(self, context, self._chosen_ranks(features.shape[:1]))

    def chords(self, frames: Float[Tensor, "*batch frame_size"]) -> dict[str, Tensor]:
        """By the name of each part, in which frames it sounds several pitches: booleans (...).

        Such frames have probability zero. :func:`~pianoroll_seq2seq.train.fit` refuses them.
        """
        active = frames[..., : self.columns.plane_size] > 0
        return {block.name: active[..., block.columns].sum(dim=-1) > 1 for block in self.columns.blocks}

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"in_features": self.in_features, "layout": self.layout, **self._settings}

    def _read(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """The pitch of each part, -1 for a rest, and whether a note of it begins: (batch, frames, parts).

        Of several pitches of a part, which input noise may bring, the highest counts.
        """
        planes = torch.unflatten(frames, 2, (self.columns.num_planes, self.columns.plane_size)) > 0
        by_part = self.columns.by_part(planes)
        active = by_part[:, :, 0]
        pitches = (active * self._places).amax(dim=3) - 1
        begins = by_part[:, :, 1].any(dim=3) if self.columns.has_onsets else torch.zeros_like(pitches, dtype=torch.bool)
        return pitches, begins

    def _chroma(self, frames: Tensor) -> Tensor:
        """How many pitches of each class sound: (..., frame_size) to (..., 12)."""
        return frames[..., : self.columns.plane_size] @ self._chroma_weights.to(frames.dtype)

    def _ahead(self, given: GivenFrames | None, *, batch: int, steps: int) -> Upcoming | None:
        """What is given after each step, batch shape (batch, steps); None for a head that does not look ahead."""
        if self.look_ahead is None:
            return None
        if given is None or not given.mask.shape[1]:
            steps = max(1, steps)
            nothing = torch.zeros(batch, steps, len(self.columns.blocks), dtype=torch.bool, device=self._ranks.device)
            pitches, begins, known = nothing.long() - 1, nothing, nothing
        else:
            pitches, begins = self._read(given.frames[..., : self.frame_size])
            known = given.mask
        return upcoming(pitches, begins, known, lags=self.look_ahead, steps=steps, has_onsets=self.columns.has_onsets)

    def _context(
        self,
        features: Tensor,
        pitches: Tensor,
        runs: Tensor,
        sounded: Tensor,
        averages: Tensor,
        *,
        ahead: Upcoming | None,
    ) -> PartsContext:
        """The context of each step, batch shape (...), from features (..., in_features): see :class:`PartsContext`."""
        state, candidates = split_features(features, self.frame_size, self._num_candidates)
        projected = self.network.project_state(state, runs, pitches[..., 0, :], ahead)
        to_come = pitches[..., :0, :] if ahead is None else ahead.pitches
        return PartsContext(projected, candidates, averages, pitches, sounded, to_come)

    def _chosen_ranks(self, batch: torch.Size) -> Tensor:
        """The order of decisions, (*batch, parts): drawn for each frame in training, unless it is fixed."""
        if self.training and self.order is None and len(self._ranks) > 1:
            return torch.rand(*batch, len(self._ranks), device=self._ranks.device).argsort(dim=-1)
        return self._ranks.expand(*batch, -1)
