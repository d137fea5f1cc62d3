"""Pitches that depend on one another: each is decided given those below it, by a hidden layer that they share.

NADE, the neural autoregressive distribution estimator (Larochelle and Murray, 2011), with biases that follow the music,
as in RNN-NADE (Boulanger-Lewandowski, Bengio and Vincent, 2012).
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout, frame_size_of
from pianoroll_seq2seq.models.heads.pitch_autoregression import by_rows, estimated_mean, sample_skipping_silence
from pianoroll_seq2seq.models.heads.precision import at_least_float32, check_temperature
from pianoroll_seq2seq.models.heads.random_numbers import uniform


@dataclass(frozen=True, eq=False)
class NADE:
    """A frame whose pitches are decided from low to high.

    With the frame ``x``, pitch ``p`` has the log-odds ``bias[p] + above[p] . sigmoid(start + sum of x[q] below[q] over
    q < p)``. The hidden state changes only where a pitch sounds, so a frame takes one state for each sounding pitch
    and one more, not one for each pitch.

    Args:
        start: input of the hidden layer before the first pitch, (..., hidden).
        bias: log-odds of each pitch without the hidden layer, (..., frame_size).
        below: what each sounding pitch adds to the input of the hidden layer, (frame_size, hidden).
        above: weights from the hidden state to the log-odds of each pitch, (frame_size, hidden).
        temperature: all log-odds are divided by it.

    Example:
        >>> weights = torch.zeros(3, 5)
        >>> even = NADE(torch.zeros(5), torch.zeros(3), weights, weights)
        >>> round(float(even.log_prob(torch.ones(3))), 4)  # 3 * log(1/2)
        -2.0794
    """

    rowwise: ClassVar[bool] = True

    start: Float[Tensor, "*batch hidden"]
    bias: Float[Tensor, "*batch frame_size"]
    below: Float[Tensor, "frame_size hidden"]
    above: Float[Tensor, "frame_size hidden"]
    temperature: float = 1.0

    def log_prob(self, frames: Float[Tensor, "*batch frame_size"]) -> Float[Tensor, "*batch"]:
        """Log-probability of whole frames in nats, exact."""
        logits = self.logits_given(frames)
        return -functional.binary_cross_entropy_with_logits(logits, frames.to(logits.dtype), reduction="none").sum(-1)

    def logits_given(self, frames: Float[Tensor, "*batch frame_size"]) -> Float[Tensor, "*batch frame_size"]:
        """The log-odds of every pitch, given those of some frames below it."""
        sounding = frames > 0
        passed = functional.pad(sounding.cumsum(dim=-1), (1, 0))[..., :-1]  # pitches that sound below each
        max_sounding = int(passed.max()) if passed.numel() else 0
        # State k is the one after k pitches that sound: it reads the lowest k of them.
        count = torch.arange(max_sounding + 1, device=frames.device)
        read = sounding.unsqueeze(-2) & (passed.unsqueeze(-2) < count[:, None])
        hidden = torch.sigmoid(self.start.unsqueeze(-2) + read.to(self.below.dtype) @ self.below)
        of_states = hidden @ self.above.mT  # (..., states, pitches)
        logits = self.bias + torch.take_along_dim(of_states, passed.unsqueeze(-2), dim=-2).squeeze(-2)
        return at_least_float32(logits) / self.temperature

    @torch.no_grad()
    def sample(self, *, generator: torch.Generator) -> Float[Tensor, "*batch frame_size"]:
        """An exact sample."""
        rows = self._rows()

        def logits_above(frames: Tensor, chosen: Tensor) -> Tensor:
            """Those above the highest sounding pitch, where all pitches have the same hidden state."""
            read = rows.start.index_select(0, chosen) + frames.to(rows.below.dtype) @ rows.below
            state_proj = torch.sigmoid(read) @ rows.above.mT
            return at_least_float32(rows.bias.index_select(0, chosen) + state_proj) / rows.temperature

        numbers = uniform(rows.bias.shape, generator=generator, device=rows.bias.device)
        frames = sample_skipping_silence(logits_above, numbers)
        return frames.to(at_least_float32(rows.bias).dtype).view(self.bias.shape)

    @property
    def mean(self) -> Float[Tensor, "*batch frame_size"]:
        """The probability of each pitch, estimated from 32 draws: mostly within a few hundredths of the exact value."""
        rows = self._rows()

        def means(chosen: slice) -> Tensor:
            some = rows[chosen]

            def logits_given(frames: Tensor, repeated: Tensor) -> Tensor:
                return some[repeated].logits_given(frames)

            return estimated_mean(logits_given, *some.bias.shape, device=some.bias.device)

        return by_rows(means, len(rows.bias)).view(self.bias.shape)

    def __getitem__(self, index: Any) -> "NADE":
        """The distributions at some places of the batch shape."""
        return replace(self, start=self.start[index], bias=self.bias[index])

    def tempered(self, temperature: float) -> "NADE":
        """The log-odds of every pitch, given those below, divided by the temperature.

        This differs from raising the probabilities of whole frames to a power, which would need a sum over all frames.
        """
        return replace(self, temperature=self.temperature * check_temperature(temperature))

    def _rows(self) -> "NADE":
        """With the batch shape flattened."""
        return replace(
            self,
            start=self.start.reshape(-1, self.start.shape[-1]),
            bias=self.bias.reshape(-1, self.bias.shape[-1]),
        )


class NADEHead(nn.Module):
    """From features to the biases of a :class:`NADE`, one linear layer each.

    Args:
        in_features: size of the decoder's output.
        layout: what the columns of a frame mean, or their number.
        hidden_size: size of the hidden layer that the pitches share.

    Raises:
        SettingsError: a size below 1.

    Example:
        >>> head = NADEHead(in_features=8, layout=12)
        >>> frames = torch.zeros(2, 3, 12)  # (batch, steps, frame_size)
        >>> head(torch.zeros(2, 3, 8), frames).log_prob(frames).shape
        torch.Size([2, 3])
    """

    def __init__(self, in_features: int, layout: FrameLayout | int, *, hidden_size: int = 128) -> None:
        """Starts near silence, as most pitches are silent most of the time."""
        super().__init__()
        if min(in_features, hidden_size) < 1:
            raise SettingsError(f"in_features and hidden_size must be at least 1, got {in_features} and {hidden_size}.")
        self.in_features = in_features
        self.layout = layout
        self.frame_size: int = frame_size_of(layout)
        self.context_frames: int | None = 0
        self.start: nn.Linear = nn.Linear(in_features, hidden_size)
        self.bias: nn.Linear = nn.Linear(in_features, self.frame_size)
        nn.init.constant_(self.bias.bias, -3.0)
        # Linear layers of these sizes have the same initial range.
        columns = self.frame_size
        self.below: nn.Parameter = nn.Parameter(
            torch.empty(columns, hidden_size).uniform_(-(columns**-0.5), columns**-0.5)
        )
        self.above: nn.Parameter = nn.Parameter(
            torch.empty(columns, hidden_size).uniform_(-(hidden_size**-0.5), hidden_size**-0.5)
        )

    def forward(
        self, features: Float[Tensor, "batch steps in_features"], past: Float[Tensor, "batch known frame_size"]
    ) -> NADE:
        """Distributions of batch shape (batch, steps); past frames are not read."""
        return NADE(self.start(features), self.bias(features), self.below, self.above)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"in_features": self.in_features, "layout": self.layout, "hidden_size": self.below.shape[1]}
