"""Independent pitches, each predicted by one small network with inputs relative to the pitch.

All pitches share the network, and its inputs are relative to the pitch: a chord looks the same in every key. It needs
far less music than a layer with weights for each absolute pitch, and it keeps to scales that it was not trained on (the
idea of tied pitch networks is from Johnson, 2017, "Generating polyphonic music using tied parallel networks").
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.models.heads.copy_features import COPY_WINDOW, split_features, state_size
from pianoroll_seq2seq.models.heads.notes import Notes, notes_after
from pianoroll_seq2seq.models.layers.dropout import Dropout
from pianoroll_seq2seq.models.layers.exponential_average import (
    OCTAVE,
    ExponentialAverage,
    exponential_averages,
    rotations,
)
from pianoroll_seq2seq.models.note_columns import check_no_velocity, note_columns

_TONAL_WIDTH = 64


@dataclass(frozen=True)
class TonalState:
    """The head's state in generation.

    Args:
        latest: the frames in its window, (batch, num_frames, frame_size).
        past: averages of the pitch classes of all past frames.
        ever: whether each pitch class has sounded, (batch, 12).
    """

    latest: Tensor
    past: ExponentialAverage
    ever: Tensor


class RelativeBernoulliHead(nn.Module):
    """Log-odds of each pitch from the decoder's features and the past frames around the pitch.

    For pitch ``p`` the shared network reads: the last ``num_frames`` frames from ``window`` semitones below ``p`` to
    ``window`` above; how often each pitch class, counted from ``p``, sounded in the past, averaged with several decay
    rates, and whether it sounded at all (the tonal context); the decoder's features; and an embedding of ``p``, so that
    the music keeps to the registers of the training data. Copy candidates are read around ``p`` too.

    With an onset plane each pitch is off, held or begins a note
    (:class:`~pianoroll_seq2seq.models.heads.notes.Notes`), and the network reads both planes. Of several parts each is
    read around ``p`` as above, and also what all parts together sounded in the frame before.

    Args:
        in_features: size of the decoder's output, candidates included.
        layout: what the columns of a frame mean, or their number.
        channels: width of the shared network.
        window: semitones to either side.
        num_frames: past frames in the window, at least 1.
        decays: the factor on the weight of a past frame for each later frame; one or more, each in (0, 1).
        dropout: dropout probability in the shared network, 0 <= dropout < 1.
        num_candidates: the last ``num_candidates * frame_size`` features are copy candidates: for each, the probability
            of each pitch.

    Raises:
        SettingsError: a size below 1, a decay or probability out of range, a layout with velocities, or candidates
            that leave no features for the state.

    Example:
        >>> head = RelativeBernoulliHead(in_features=8, layout=12)
        >>> frames = torch.zeros(2, 3, 12)  # (batch, steps, frame_size)
        >>> head(torch.zeros(2, 3, 8), frames).log_prob(frames).shape
        torch.Size([2, 3])
    """

    _rotation: Tensor
    _decays: Tensor
    _positions: Tensor
    _pitches: Tensor
    _chroma_weights: Tensor

    def __init__(
        self,
        in_features: int,
        layout: FrameLayout | int,
        *,
        channels: int = 24,
        window: int = 12,
        num_frames: int = 6,
        decays: tuple[float, ...] | list[float] = (0.8, 0.95, 0.99, 0.998),
        dropout: float = 0.0,
        num_candidates: int = 0,
    ) -> None:
        """Starts near silence."""
        super().__init__()
        check_no_velocity(layout, "RelativeBernoulliHead")
        columns = note_columns(layout)
        sizes = {"in_features": in_features, "channels": channels, "window": window, "num_frames": num_frames}
        if min(sizes.values()) < 1 or not decays or not all(0 < decay < 1 for decay in decays) or not 0 <= dropout < 1:
            raise SettingsError(
                f"Sizes must be at least 1 and decays, one or more, in (0, 1), dropout in [0, 1), got {sizes}, decays "
                f"{decays} and dropout {dropout}."
            )
        state = state_size(in_features, columns.frame_size, num_candidates)
        self.columns = columns
        self.in_features = in_features
        self.layout = layout
        self.frame_size: int = columns.frame_size
        self.context_frames: int | None = None
        self.takes_given: bool = True
        self._settings = {
            "channels": channels,
            "window": window,
            "num_frames": num_frames,
            "decays": list(decays),
            "dropout": dropout,
            "num_candidates": num_candidates,
        }
        self._window, self._num_frames, self._num_candidates = window, num_frames, num_candidates
        self._gap = max(window, COPY_WINDOW)  # between the parts, so that none reads the columns of another as its own
        self.feature_proj: nn.Linear = nn.Linear(state, channels)
        planes = columns.num_planes
        # More outputs than channels: terms of the log-odds from the tonal context alone.
        self.chroma_proj: nn.Sequential = nn.Sequential(
            nn.Linear((len(decays) + 1) * OCTAVE, _TONAL_WIDTH), nn.GELU(), nn.Linear(_TONAL_WIDTH, channels + planes)
        )
        self.window_proj: nn.Conv2d = nn.Conv2d(planes, channels, (num_frames, 2 * window + 1), bias=False)
        self.merged_proj: nn.Conv1d | None = (
            nn.Conv1d(1, channels, 2 * window + 1, padding=window, bias=False) if len(columns.blocks) > 1 else None
        )
        self.candidate_proj: nn.Conv2d | None = (
            nn.Conv2d(num_candidates * planes, channels, (1, 2 * COPY_WINDOW + 1), bias=False)
            if num_candidates
            else None
        )
        self.pitch_embedding: nn.Parameter = nn.Parameter(torch.zeros(channels, 1, columns.plane_size))
        self.mix: nn.Linear = nn.Linear(channels, channels)
        self.dropout: Dropout = Dropout(dropout)
        self.logit: nn.Linear = nn.Linear(channels, planes)
        with torch.no_grad():
            self.logit.bias[:] = torch.tensor([0.0, -3.0])[-planes:]
        self.register_buffer("_rotation", rotations(), persistent=False)
        self.register_buffer("_positions", columns.positions(self._gap), persistent=False)
        self.register_buffer("_pitches", columns.pitches(), persistent=False)
        self.register_buffer("_chroma_weights", columns.chroma_weights(), persistent=False)
        self.register_buffer("_decays", torch.tensor(list(decays)), persistent=False)

    def forward(
        self, features: Float[Tensor, "batch steps in_features"], past: Float[Tensor, "batch known frame_size"]
    ) -> Bernoulli | Notes:
        """Distributions of batch shape (batch, steps)."""
        steps = features.shape[1]
        padded = functional.pad(past, (0, 0, self._num_frames - 1, 0))
        return self._distribution(
            features, padded[:, -(steps + self._num_frames - 1) :], self._tonal_context(steps, past)
        )

    def init_state(self, past: Float[Tensor, "batch known frame_size"]) -> TonalState:
        """See :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""
        classes = self._pitch_classes(past)
        latest = functional.pad(past, (0, 0, self._num_frames - 1, 0))[:, -self._num_frames :]
        return TonalState(latest, ExponentialAverage.of(classes, self._decays), classes.amax(dim=1))

    def update(self, frame: Float[Tensor, "batch frame_size"], state: TonalState) -> TonalState:
        """See :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""
        classes = self._pitch_classes(frame.unsqueeze(1))[:, 0]
        latest = torch.cat([state.latest[:, 1:], frame.unsqueeze(1)], dim=1)
        return TonalState(latest, state.past.after(classes), torch.maximum(state.ever, classes))

    def predict(self, features: Float[Tensor, "batch in_features"], state: TonalState) -> Bernoulli | Notes:
        """See :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""
        context = torch.cat([state.past.average, state.ever.unsqueeze(1)], dim=1)
        return self._distribution(features.unsqueeze(1), state.latest, context.unsqueeze(1))[:, 0]

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"in_features": self.in_features, "layout": self.layout, **self._settings}

    def _distribution(self, features: Tensor, latest: Tensor, context: Tensor) -> Bernoulli | Notes:
        """Distributions of batch shape (batch, steps).

        Args:
            features: (batch, steps, in_features).
            latest: the frames in the windows of all steps, (batch, steps + num_frames - 1, frame_size).
            context: the tonal context, (batch, steps, decays + 1, 12).
        """
        steps, planes = features.shape[1], self.columns.num_planes
        shape = (planes, self.columns.plane_size)
        hidden = self._at_columns(self.window_proj(self._around(torch.unflatten(latest, 2, shape), self._window)))
        if self.merged_proj is not None:
            merged = self.columns.merged(latest[:, -steps:, : self.columns.plane_size])
            around = self.merged_proj(merged.flatten(0, 1).unsqueeze(1))
            around = around.view(-1, steps, *around.shape[1:]).transpose(1, 2)
            hidden = hidden + around[..., self._pitches]
        tones = self._project_chroma(context)
        state, candidates = split_features(features, self.frame_size, self._num_candidates)
        if self.candidate_proj is not None:
            around = self._around(torch.unflatten(candidates, 3, shape).flatten(2, 3), COPY_WINDOW)
            hidden = hidden + self._at_columns(self.candidate_proj(around))
        projected = self.feature_proj(state).transpose(1, 2).unsqueeze(3)
        hidden = self.dropout(functional.relu(hidden + tones[:, :-planes] + projected + self.pitch_embedding))
        hidden = hidden.flatten(2)  # (batch, channels, steps * pitches): plain matrix products are fastest on it
        hidden = hidden + self.dropout(functional.relu(self.mix.weight @ hidden + self.mix.bias[:, None]))
        logits = (self.logit.weight @ hidden + self.logit.bias[:, None]).view(-1, planes, steps, shape[1])
        logits = logits + tones[:, -planes:]
        if not self.columns.has_onsets:
            return Bernoulli(logits[:, 0])
        off_held_onset = functional.pad(logits.permute(0, 2, 3, 1), (1, 0))
        sounded = latest[:, -steps:, : self.columns.plane_size]
        return notes_after(off_held_onset, sounded, training=self.training)

    def _around(self, planes: Tensor, reach: int) -> Tensor:
        """Planes (batch, frames, planes, plane_size) with room around each part: (batch, planes, frames, places)."""
        return functional.pad(self.columns.spread(planes.transpose(1, 2), self._gap), (reach, reach))

    def _at_columns(self, values: Tensor) -> Tensor:
        """(..., places) to (..., plane_size)."""
        return values if len(self.columns.blocks) == 1 else values[..., self._positions]

    def _tonal_context(self, steps: int, past: Tensor) -> Tensor:
        """How often and whether each pitch class sounded before each step: (batch, steps, decays + 1, 12)."""
        classes = self._pitch_classes(past)
        averages = exponential_averages(classes, self._decays, last=steps)
        ever = classes.cummax(dim=1).values[:, -steps:].unsqueeze(2)
        return torch.cat([averages, ever], dim=2)

    def _pitch_classes(self, frames: Tensor) -> Tensor:
        """Whether each pitch class sounds, counted from the lowest pitch: (batch, frames, 12)."""
        active = frames[..., : self.columns.plane_size]
        return ((active @ self._chroma_weights.to(active.dtype)) > 0).to(active.dtype)

    def _project_chroma(self, context: Tensor) -> Tensor:
        """The projected tonal context of each pitch: (batch, channels + planes, steps, plane_size)."""
        rotated = context[..., self._rotation]  # (batch, steps, rates, 12, 12)
        projected: Tensor = self.chroma_proj(rotated.transpose(2, 3).flatten(3))  # (batch, steps, 12, channels)
        return projected.permute(0, 3, 1, 2)[..., self._pitches % OCTAVE]
