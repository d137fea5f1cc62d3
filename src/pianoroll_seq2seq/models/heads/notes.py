"""Notes: each pitch is off, held or begins a note, independently of the others.

For layouts with the planes ``("active", "onset")``.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout, frame_size_of
from pianoroll_seq2seq.models.heads.precision import at_least_float32, check_temperature
from pianoroll_seq2seq.models.heads.random_numbers import uniform
from pianoroll_seq2seq.models.note_columns import check_no_velocity

_OFF, _HELD, _ONSET = range(3)
_HELD_LOGIT = math.log(1e-4)
"""Log-odds in training that a pitch is held although it did not sound."""


@dataclass(frozen=True)
class Notes:
    """Independent pitches, each of which is off, held or begins a note.

    A frame has two columns for each pitch, the active plane and then the onset plane: off is (0, 0), held (1, 0) and
    onset (1, 1). A frame with an onset of a pitch that is not active has probability zero.

    Args:
        logits: of off, held and onset for each pitch, up to a constant, (..., pitches, 3); minus infinity if
            impossible.

    Example:
        >>> even = Notes(torch.zeros(2, 3))
        >>> round(float(even.log_prob(torch.tensor([1.0, 1.0, 0.0, 1.0]))), 4)  # one held, one onset: 2 * log(1/3)
        -2.1972
    """

    rowwise: ClassVar[bool] = True

    logits: Float[Tensor, "*batch pitches 3"]

    def log_prob(self, frames: Float[Tensor, "*batch frame_size"]) -> Float[Tensor, "*batch"]:
        """Log-probability of whole frames in nats, summed over pitches."""
        active, onset = (half > 0 for half in frames.chunk(2, dim=-1))
        chosen = active.long() + onset.long()
        cells = torch.log_softmax(at_least_float32(self.logits), dim=-1).gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
        return cells.masked_fill(onset & ~active, -math.inf).sum(dim=-1)

    def sample(self, *, generator: torch.Generator) -> Float[Tensor, "*batch frame_size"]:
        """A sample of each pitch."""
        probabilities = self._probabilities()
        numbers = uniform(probabilities.shape[:-1], generator=generator, device=probabilities.device)
        active = numbers >= probabilities[..., _OFF]
        onset = numbers >= probabilities[..., _OFF] + probabilities[..., _HELD]
        return torch.cat([active, onset], dim=-1).to(probabilities.dtype)

    @property
    def mean(self) -> Float[Tensor, "*batch frame_size"]:
        """The probability that each pitch is active, then the probability of its onset."""
        probabilities = self._probabilities()
        return torch.cat([probabilities[..., _HELD] + probabilities[..., _ONSET], probabilities[..., _ONSET]], dim=-1)

    def __getitem__(self, index: Any) -> "Notes":
        """The distributions at some places of the batch shape."""
        return Notes(self.logits[index])

    def tempered(self, temperature: float) -> "Notes":
        """Logits divided by the temperature."""
        return Notes(self.logits / check_temperature(temperature))

    def given(self, frames: Float[Tensor, "*batch frame_size"], cells: Bool[Tensor, "*batch frame_size"]) -> "Notes":
        """The given pitches are certain: see :class:`~pianoroll_seq2seq.models.heads.contract.FillingDistribution`."""
        active, onset = (half > 0 for half in frames.chunk(2, dim=-1))
        states = torch.stack([~active, active & ~onset, active & onset], dim=-1)
        certain = torch.where(states, 0.0, -math.inf).to(self.logits.dtype)
        return Notes(torch.where(cells.chunk(2, dim=-1)[0].unsqueeze(-1), certain, self.logits))

    def _probabilities(self) -> Tensor:
        return torch.softmax(at_least_float32(self.logits), dim=-1)


class NotesHead(nn.Module):
    """One linear layer from features to the probabilities that each pitch is off, held or begins a note.

    Only a pitch that sounded in the frame before can be held: all others have probability zero. In training they have
    odds of 1 to 10,000, because ``input_noise`` of :class:`~pianoroll_seq2seq.models.seq2seq_lstm.Seq2SeqLSTM` may have
    removed the note from the frame before.

    Args:
        in_features: size of the decoder's output.
        layout: what the columns of a frame mean: the active and the onset plane; or their number, which is even.

    Raises:
        SettingsError: a size below 1, or a layout without an onset plane.

    Example:
        >>> NotesHead(32, 2 * 88)(torch.zeros(1, 4, 32), torch.zeros(1, 9, 176)).mean.shape
        torch.Size([1, 4, 176])
    """

    def __init__(self, in_features: int, layout: FrameLayout | int) -> None:
        """Starts near silence, as most pitches are silent most of the time."""
        super().__init__()
        check_no_velocity(layout, "NotesHead")
        frame_size = frame_size_of(layout)
        if in_features < 1 or frame_size % 2 or (isinstance(layout, FrameLayout) and not layout.has_onsets):
            raise SettingsError(
                f"NotesHead needs in_features of at least 1 and two columns for each pitch, active and onset; got "
                f"{in_features} and {layout}. Add the onset plane: FrameLayout.of(roll, onsets=True), or "
                f"--onsets on the command line."
            )
        self.in_features = in_features
        self.layout = layout
        self.frame_size: int = frame_size
        self.context_frames: int | None = 1
        self.takes_given: bool = True
        self.logits: nn.Linear = nn.Linear(in_features, 3 * (frame_size // 2))
        with torch.no_grad():
            self.logits.bias.view(-1, 3)[:] = torch.tensor([0.0, 0.0, -3.0])

    def forward(
        self, features: Float[Tensor, "batch steps in_features"], past: Float[Tensor, "batch known frame_size"]
    ) -> Notes:
        """Distributions of batch shape (batch, steps)."""
        steps, pitches = features.shape[1], self.frame_size // 2
        logits = self.logits(features).view(-1, steps, pitches, 3)
        return notes_after(logits, past[:, -steps:, :pitches], training=self.training)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"in_features": self.in_features, "layout": self.layout}


def notes_after(
    logits: Float[Tensor, "*batch pitches 3"], latest: Float[Tensor, "*batch pitches"], *, training: bool
) -> Notes:
    """Notes of which only those that sounded in the latest active plane can be held; in training the others hardly."""
    off, held, onset = at_least_float32(logits).unbind(dim=-1)
    held_after_silence = torch.logaddexp(off, onset) + _HELD_LOGIT if training else torch.full_like(held, -math.inf)
    return Notes(torch.stack([off, torch.where(latest > 0, held, held_after_silence), onset], dim=-1))
