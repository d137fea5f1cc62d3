"""Notes: each pitch is off, held or struck, whatever the others do.

For frames that say which pitches are struck beside which sound (``SlidingWindows(..., onsets=True)``).
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pianoroll_seq2seq.errors import SettingsError

_OFF, _HELD, _STRUCK = range(3)
_SLIP = math.log(1e-4)
"""Log-odds in training that a pitch is held which did not sound."""


@dataclass(frozen=True)
class Notes:
    """Independent pitches, each of which is off, held or struck.

    A frame has two columns for each pitch, all that say whether it sounds and then all that say whether it is struck:
    off is (0, 0), held (1, 0) and struck (1, 1). A frame in which a pitch is struck that does not sound is impossible.

    Args:
        logits: of off, held and struck for each pitch, up to a constant, (..., pitches, 3); one that is impossible has
            minus infinity.

    Example:
        >>> even = Notes(torch.zeros(2, 3))
        >>> round(float(even.log_prob(torch.tensor([1.0, 1.0, 0.0, 1.0]))), 4)  # one held, one struck: 2 * log(1/3)
        -2.1972
    """

    logits: Float[Tensor, "*batch pitches 3"]

    def log_prob(self, frames: Float[Tensor, "*batch columns"]) -> Float[Tensor, "*batch"]:
        """Log-probability of whole frames in nats, summed over pitches."""
        active, onset = (half > 0 for half in frames.chunk(2, dim=-1))
        chosen = active.long() + onset.long()
        cells = torch.log_softmax(_precise(self.logits), dim=-1).gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
        return cells.masked_fill(onset & ~active, -math.inf).sum(dim=-1)

    def sample(self, *, generator: torch.Generator) -> Float[Tensor, "*batch columns"]:
        """One draw of each pitch."""
        chances = self._chances()
        uniform = torch.rand(chances.shape[:-1], generator=generator, device=chances.device, dtype=chances.dtype)
        active = uniform >= chances[..., _OFF]
        onset = uniform >= chances[..., _OFF] + chances[..., _HELD]
        return torch.cat([active, onset], dim=-1).to(chances.dtype)

    @property
    def mean(self) -> Float[Tensor, "*batch columns"]:
        """The probability that each pitch sounds, then the probability that it is struck."""
        chances = self._chances()
        return torch.cat([chances[..., _HELD] + chances[..., _STRUCK], chances[..., _STRUCK]], dim=-1)

    def __getitem__(self, index: Any) -> "Notes":
        """The distributions at some places of the batch shape."""
        return Notes(self.logits[index])

    def tempered(self, temperature: float) -> "Notes":
        """Logits divided by the temperature."""
        if not temperature > 0:
            raise SettingsError(f"temperature must be above 0, got {temperature}.")
        return Notes(self.logits / temperature)

    def _chances(self) -> Tensor:
        return torch.softmax(_precise(self.logits), dim=-1)


class NotesHead(nn.Module):
    """One linear layer from features to the chances that each pitch is off, held or struck.

    Only a pitch that sounded in the frame before can be held, and the head sees to that. In training it leaves one
    chance in ten thousand that another is: the frames it then hears may have been changed on purpose, as
    ``frame_noise`` of :class:`~pianoroll_seq2seq.models.seq2seq_lstm.Seq2SeqLSTM` does.

    Beware: ``pitches`` is the size of a frame, as for every head, and here a frame has two columns for each pitch. For
    music of 88 pitches it is 176, that of the model as well (``windows.frame_size``).

    Args:
        features: size of the decoder's output.
        pitches: size of a frame, an even number.

    Raises:
        SettingsError: a size below 1, or a frame of an odd number of columns.

    Example:
        >>> NotesHead(32, 2 * 88)(torch.zeros(1, 4, 32), torch.zeros(1, 9, 176)).mean.shape
        torch.Size([1, 4, 176])
    """

    def __init__(self, features: int, pitches: int) -> None:
        """Starts near silence, as most pitches are silent most of the time."""
        super().__init__()
        if min(features, pitches) < 1 or pitches % 2:
            raise SettingsError(
                f"features must be at least 1 and pitches, the size of a frame, an even number: two columns for each "
                f"pitch, got {features} and {pitches}. Pass windows.frame_size of windows with onsets=True."
            )
        self.features = features
        self.pitches = pitches
        self.context_frames: int | None = 1
        self.logits: nn.Linear = nn.Linear(features, 3 * (pitches // 2))
        with torch.no_grad():
            self.logits.bias.view(-1, 3)[:] = torch.tensor([0.0, 0.0, -3.0])

    def forward(
        self, features: Float[Tensor, "batch steps features"], past: Float[Tensor, "batch known columns"]
    ) -> Notes:
        """Distributions of batch shape (batch, steps)."""
        steps, pitches = features.shape[1], self.pitches // 2
        off, held, struck = _precise(self.logits(features)).view(-1, steps, pitches, 3).unbind(dim=-1)
        sounded = past[:, -steps:, :pitches] > 0
        slip = torch.logaddexp(off, struck) + _SLIP if self.training else torch.full_like(held, -math.inf)
        return Notes(torch.stack([off, torch.where(sounded, held, slip), struck], dim=-1))

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"features": self.features, "pitches": self.pitches}


def _precise(logits: Tensor) -> Tensor:
    """In float32 at least: autocast may have given fewer digits."""
    return logits.float() if logits.itemsize < torch.float32.itemsize else logits
