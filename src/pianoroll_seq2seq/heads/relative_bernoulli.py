"""Independent pitches, each judged by one small network from what sounds around it.

The network is shared by all pitches and sees everything relative to the pitch it judges, as a listener
does: a chord is the same chord in every key. So it needs far less music than a layer with weights for each
absolute pitch, and it keeps to scales it has never been trained on (the idea of tied pitch networks is
from Johnson, 2017, "Generating polyphonic music using tied parallel networks").
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.dropout import Dropout
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.heads.proposals import COPY_WINDOW, split_features, state_size

_OCTAVE = 12
_TONAL_WIDTH = 64


@dataclass(frozen=True)
class Heard:
    """What the head remembers of the past.

    Args:
        latest: the frames in its window, (batch, frames, pitches).
        counts: how often each pitch class sounded, forgotten at each rate, (batch, decays, 12).
        totals: what they would be of a class that always sounds, (decays,).
        ever: whether each class ever sounded, (batch, 12).
    """

    latest: Tensor
    counts: Tensor
    totals: Tensor
    ever: Tensor


class RelativeBernoulliHead(nn.Module):
    """Log-odds of each pitch from the decoder's features and the past frames around the pitch.

    For pitch ``p`` the shared network sees: the last ``frames`` frames from ``window`` semitones below ``p``
    to ``window`` above; how often each pitch class, counted from ``p``, sounded in the past, forgotten at
    several rates, and whether it sounded at all (the tonal context); the decoder's features; and, so that it
    keeps to the registers it has heard, an embedding of ``p`` itself. What a model proposes for each pitch, such
    as frames to copy, is seen around ``p`` too.

    Args:
        features: size of the decoder's output, proposals included.
        pitches: size of a frame.
        channels: width of the shared network.
        window: semitones to either side.
        frames: past frames in the window, at least 1.
        decays: how much of the tonal context is left after each frame, one rate or more, each in (0, 1).
        dropout: share of the shared network's units silenced in training, 0 <= dropout < 1.
        proposals: the last ``proposals * pitches`` features are proposals: for each, the probability of each pitch.

    Raises:
        SettingsError: a size below 1, a decay or share out of range, proposals that take more than the features.

    Example:
        >>> head = RelativeBernoulliHead(features=8, pitches=12)
        >>> frames = torch.zeros(2, 3, 12)  # (batch, steps, pitches)
        >>> head(torch.zeros(2, 3, 8), frames).log_prob(frames).shape
        torch.Size([2, 3])
    """

    _rotation: Tensor
    _decays: Tensor

    def __init__(
        self,
        features: int,
        pitches: int,
        *,
        channels: int = 24,
        window: int = 12,
        frames: int = 6,
        decays: tuple[float, ...] | list[float] = (0.8, 0.95, 0.99, 0.998),
        dropout: float = 0.0,
        proposals: int = 0,
    ) -> None:
        """Starts near silence."""
        super().__init__()
        sizes = {"features": features, "pitches": pitches, "channels": channels, "window": window, "frames": frames}
        if min(sizes.values()) < 1 or not decays or not all(0 < decay < 1 for decay in decays) or not 0 <= dropout < 1:
            raise SettingsError(
                f"Sizes must be at least 1 and decays, one or more, in (0, 1), dropout in [0, 1), got {sizes}, decays "
                f"{decays} and dropout {dropout}."
            )
        state = state_size(features, pitches, proposals)
        self.features = features
        self.pitches = pitches
        self.context_frames: int | None = None
        self._settings = {
            "channels": channels,
            "window": window,
            "frames": frames,
            "decays": list(decays),
            "dropout": dropout,
            "proposals": proposals,
        }
        self._window, self._frames, self._proposals = window, frames, proposals
        self.of_features: nn.Linear = nn.Linear(state, channels)
        # One output more than the channels: what the tonal context says of a pitch by itself.
        self.of_tones: nn.Sequential = nn.Sequential(
            nn.Linear((len(decays) + 1) * _OCTAVE, _TONAL_WIDTH), nn.GELU(), nn.Linear(_TONAL_WIDTH, channels + 1)
        )
        self.of_window: nn.Conv2d = nn.Conv2d(1, channels, (frames, 2 * window + 1), bias=False)
        self.of_proposals: nn.Conv2d | None = (
            nn.Conv2d(proposals, channels, (1, 2 * COPY_WINDOW + 1), bias=False) if proposals else None
        )
        self.of_pitch: nn.Parameter = nn.Parameter(torch.zeros(channels, 1, pitches))
        self.mix: nn.Linear = nn.Linear(channels, channels)
        self.dropout: Dropout = Dropout(dropout)
        self.logit: nn.Linear = nn.Linear(channels, 1)
        nn.init.constant_(self.logit.bias, -3.0)
        # Row p of this table holds the pitch classes p, p + 1, ... as seen from pitch class p.
        rotation = (torch.arange(_OCTAVE)[:, None] + torch.arange(_OCTAVE)) % _OCTAVE
        self.register_buffer("_rotation", rotation, persistent=False)
        self.register_buffer("_decays", torch.tensor(list(decays)), persistent=False)

    def forward(
        self, features: Float[Tensor, "batch steps features"], past: Float[Tensor, "batch known pitches"]
    ) -> Bernoulli:
        """Distributions of batch shape (batch, steps)."""
        steps = features.shape[1]
        padded = functional.pad(past, (0, 0, self._frames - 1, 0))
        return self._judge(features, padded[:, -(steps + self._frames - 1) :], self._tonal_context(steps, past))

    def hear(self, past: Float[Tensor, "batch known pitches"]) -> Heard:
        """See :class:`~pianoroll_seq2seq.heads.base.SteppingHead`."""
        classes = self._classes(past)
        age = torch.arange(past.shape[1] - 1, -1, -1, device=past.device)
        weights = self._decays[:, None] ** age
        latest = functional.pad(past, (0, 0, self._frames - 1, 0))[:, -self._frames :]
        counts = torch.einsum("dk,bkc->bdc", weights, classes)
        return Heard(latest, counts, weights.sum(dim=1), classes.amax(dim=1))

    def hear_next(self, frame: Float[Tensor, "batch pitches"], heard: Heard) -> Heard:
        """See :class:`~pianoroll_seq2seq.heads.base.SteppingHead`."""
        classes = self._classes(frame.unsqueeze(1))
        return Heard(
            torch.cat([heard.latest[:, 1:], frame.unsqueeze(1)], dim=1),
            heard.counts * self._decays[:, None] + classes,
            heard.totals * self._decays + 1,
            torch.maximum(heard.ever, classes[:, 0]),
        )

    def answer(self, features: Float[Tensor, "batch features"], heard: Heard) -> Bernoulli:
        """See :class:`~pianoroll_seq2seq.heads.base.SteppingHead`."""
        context = torch.cat([heard.counts / heard.totals[:, None], heard.ever.unsqueeze(1)], dim=1)
        return self._judge(features.unsqueeze(1), heard.latest, context.unsqueeze(1))[:, 0]

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"features": self.features, "pitches": self.pitches, **self._settings}

    def _judge(self, features: Tensor, latest: Tensor, context: Tensor) -> Bernoulli:
        """Distributions of batch shape (batch, steps).

        Args:
            features: (batch, steps, features).
            latest: the frames in the windows of all steps, (batch, steps + frames - 1, pitches).
            context: the tonal context, (batch, steps, decays + 1, 12).
        """
        steps = features.shape[1]
        seen = self.of_window(functional.pad(latest, (self._window, self._window)).unsqueeze(1))
        tones = self._from_tones(context)
        state, proposals = split_features(features, self.pitches, self._proposals)
        if self.of_proposals is not None:
            padded = functional.pad(proposals, (COPY_WINDOW, COPY_WINDOW))
            seen = seen + self.of_proposals(padded.transpose(1, 2))
        of_features = self.of_features(state).transpose(1, 2).unsqueeze(3)
        seen = self.dropout(functional.relu(seen + tones[:, :-1] + of_features + self.of_pitch))
        hidden = seen.flatten(2)  # (batch, channels, steps * pitches): plain matrix products are quickest on it
        hidden = hidden + self.dropout(functional.relu(self.mix.weight @ hidden + self.mix.bias[:, None]))
        logits = (self.logit.weight @ hidden + self.logit.bias).view(-1, steps, self.pitches)
        return Bernoulli(logits + tones[:, -1])

    def _tonal_context(self, steps: int, past: Tensor) -> Tensor:
        """How often and whether each pitch class sounded before each step: (batch, steps, decays + 1, 12)."""
        known = past.shape[1]
        classes = self._classes(past)
        frame = torch.arange(known, device=past.device)
        age = frame[known - steps :, None] - frame  # of each known frame at each step, below 0 if yet to come
        left = torch.where(age >= 0, self._decays[:, None, None] ** age.clamp(min=0), 0.0)
        left = left / left.sum(dim=2, keepdim=True)
        counts = torch.einsum("dsk,bkc->bsdc", left, classes)
        ever = classes.cummax(dim=1).values[:, -steps:].unsqueeze(2)
        return torch.cat([counts, ever], dim=2)

    def _classes(self, frames: Tensor) -> Tensor:
        """Whether each pitch class sounds, counted from the lowest pitch: (batch, frames, 12)."""
        octaves = -(-self.pitches // _OCTAVE)
        spread = functional.pad(frames, (0, octaves * _OCTAVE - self.pitches))
        return spread.view(-1, frames.shape[1], octaves, _OCTAVE).amax(dim=2)

    def _from_tones(self, context: Tensor) -> Tensor:
        """What the shared network makes of the tonal context: (batch, channels + 1, steps, pitches)."""
        octaves = -(-self.pitches // _OCTAVE)
        as_heard = context[..., self._rotation]  # (batch, steps, rates, 12, 12)
        of_class: Tensor = self.of_tones(as_heard.transpose(2, 3).flatten(3))  # (batch, steps, 12, channels)
        return of_class.permute(0, 3, 1, 2).repeat(1, 1, 1, octaves)[..., : self.pitches]
