"""Independent pitches, each judged by one small network from what sounds around it.

The network is shared by all pitches and sees everything relative to the pitch it judges, as a listener
does: a chord is the same chord in every key. So it needs far less music than a layer with weights for each
absolute pitch, and it keeps to scales it has never been trained on (the idea of tied pitch networks is
from Johnson, 2017, "Generating polyphonic music using tied parallel networks").
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.heads.bernoulli import Bernoulli

_OCTAVE = 12
_TONAL_WIDTH = 64


class RelativeBernoulliHead(nn.Module):
    """Log-odds of each pitch from the decoder's features and the past frames around the pitch.

    For pitch ``p`` the shared network sees: the last ``frames`` frames from ``window`` semitones below ``p``
    to ``window`` above; how often each pitch class, counted from ``p``, sounded in the past, forgotten at
    several rates, and whether it sounded at all (the tonal context); the decoder's features; and, so that it
    keeps to the registers it has heard, an embedding of ``p`` itself.

    Args:
        features: size of the decoder's output.
        pitches: size of a frame.
        channels: width of the shared network.
        window: semitones to either side.
        frames: past frames in the window, at least 1.
        decays: how much of the tonal context is left after each frame, one rate or more, each in (0, 1).

    Raises:
        SettingsError: a size below 1, or a decay out of range.
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
    ) -> None:
        """Starts near silence."""
        super().__init__()
        sizes = {"features": features, "pitches": pitches, "channels": channels, "window": window, "frames": frames}
        if min(sizes.values()) < 1 or not decays or not all(0 < decay < 1 for decay in decays):
            raise SettingsError(
                f"Sizes must be at least 1 and decays, one or more, in (0, 1), got {sizes} and decays {decays}."
            )
        self.features = features
        self.pitches = pitches
        self.context_frames: int | None = None
        self._settings = {"channels": channels, "window": window, "frames": frames, "decays": list(decays)}
        self._window, self._frames = window, frames
        self.of_features = nn.Linear(features, channels)
        # One output more than the channels: what the tonal context says of a pitch by itself.
        self.of_tones = nn.Sequential(
            nn.Linear((len(decays) + 1) * _OCTAVE, _TONAL_WIDTH), nn.GELU(), nn.Linear(_TONAL_WIDTH, channels + 1)
        )
        self.of_window = nn.Conv2d(1, channels, (frames, 2 * window + 1), bias=False)
        self.of_pitch = nn.Parameter(torch.zeros(channels, 1, pitches))
        self.mix = nn.Linear(channels, channels)
        self.logit = nn.Linear(channels, 1)
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
        tones = self._from_tones(steps, past)
        of_features = self.of_features(features).transpose(1, 2).unsqueeze(3)
        seen = functional.relu(self._from_window(steps, past) + tones[:, :-1] + of_features + self.of_pitch)
        hidden = seen.flatten(2)  # (batch, channels, steps * pitches): plain matrix products are quickest on it
        hidden = hidden + functional.relu(self.mix.weight @ hidden + self.mix.bias[:, None])
        logits = (self.logit.weight @ hidden + self.logit.bias).view(-1, steps, self.pitches)
        return Bernoulli(logits + tones[:, -1])

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"features": self.features, "pitches": self.pitches, **self._settings}

    def _from_window(self, steps: int, past: Tensor) -> Tensor:
        """What the shared network makes of the last frames around each pitch: (batch, channels, steps, pitches)."""
        padded = functional.pad(past, (self._window, self._window, self._frames - 1, 0))
        latest = padded[:, -(steps + self._frames - 1) :]
        seen: Tensor = self.of_window(latest.unsqueeze(1))
        return seen

    def _from_tones(self, steps: int, past: Tensor) -> Tensor:
        """What the shared network makes of the tonal context: (batch, channels + 1, steps, pitches)."""
        known = past.shape[1]
        octaves = -(-self.pitches // _OCTAVE)
        spread = functional.pad(past, (0, octaves * _OCTAVE - self.pitches))
        classes = spread.view(-1, known, octaves, _OCTAVE).amax(dim=2)  # (batch, known, 12)
        frame = torch.arange(known, device=past.device)
        age = frame[known - steps :, None] - frame  # of each known frame at each step, below 0 if yet to come
        left = torch.where(age >= 0, self._decays[:, None, None] ** age.clamp(min=0), 0.0)
        left = left / left.sum(dim=2, keepdim=True)
        counts = torch.einsum("dsk,bkc->bsdc", left, classes)
        ever = classes.cummax(dim=1).values[:, -steps:].unsqueeze(2)
        context = torch.cat([counts, ever], dim=2)[..., self._rotation]  # (batch, steps, rates, 12, 12)
        of_class: Tensor = self.of_tones(context.transpose(2, 3).flatten(3))  # (batch, steps, 12, channels)
        return of_class.permute(0, 3, 1, 2).repeat(1, 1, 1, octaves)[..., : self.pitches]
