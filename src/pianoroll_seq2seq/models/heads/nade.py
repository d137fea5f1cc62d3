"""Pitches that depend on one another: each is decided given those below it, by a hidden layer that they share.

NADE, the neural autoregressive distribution estimator (Larochelle and Murray, 2011), with biases that follow the music,
as in RNN-NADE (Boulanger-Lewandowski, Bengio and Vincent, 2012).
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.heads.given_logits import given_logits, with_given
from pianoroll_seq2seq.models.heads.onset_decisions import constrain_onsets, decision_nats
from pianoroll_seq2seq.models.heads.pitch_autoregression import by_rows, estimated_mean, sample_skipping_silence
from pianoroll_seq2seq.models.heads.precision import at_least_float32, check_temperature
from pianoroll_seq2seq.models.heads.random_numbers import uniform
from pianoroll_seq2seq.models.note_columns import NoteColumns, check_no_velocity, note_columns


@dataclass(frozen=True, eq=False)
class NADE:
    """A frame whose pitches are decided from low to high.

    With the frame ``x``, pitch ``p`` has the log-odds ``bias[p] + above[p] . sigmoid(start + sum of x[q] below[q] over
    q < p)``. The hidden state changes only where a pitch sounds, so a frame takes one state for each sounding pitch
    and one more, not one for each pitch.

    With an onset plane the sum is over both columns of ``q``, and the second column of ``p`` has such log-odds too:
    that a note begins, given that ``p`` sounds. It is certain if ``p`` did not sound before.

    Args:
        start: input of the hidden layer before the first pitch, (..., hidden).
        bias: log-odds of each column without the hidden layer, (..., frame_size).
        below: what each active column adds to the input of the hidden layer, (frame_size, hidden).
        above: weights from the hidden state to the log-odds of each column, (frame_size, hidden).
        temperature: all log-odds are divided by it.
        sounded: with an onset plane, the pitches that sounded in the frame before, (..., pitches).
        training: with an onset plane, whether a pitch that did not sound may be held, though hardly.
        known: log-odds of the columns that are given, if any: see :meth:`given`.

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
    sounded: Float[Tensor, "*batch pitches"] | None = None
    training: bool = False
    known: Float[Tensor, "*batch frame_size"] | None = None

    @property
    def num_onsets(self) -> int:
        """Columns of the onset plane, 0 without one."""
        return 0 if self.sounded is None else self.sounded.shape[-1]

    def log_prob(self, frames: Float[Tensor, "*batch frame_size"]) -> Float[Tensor, "*batch"]:
        """Log-probability of whole frames in nats, exact."""
        logits = self.logits_given(frames)
        size = frames.shape[-1]
        nats = decision_nats(logits.reshape(-1, size), frames.reshape(-1, size), self.num_onsets)
        return -nats.sum(dim=1).view(logits.shape[:-1])

    def logits_given(self, frames: Float[Tensor, "*batch frame_size"]) -> Float[Tensor, "*batch frame_size"]:
        """The log-odds of every column, given the pitches of some frames below it."""
        pitches = frames.shape[-1] - self.num_onsets
        sounding = frames[..., :pitches] > 0
        passed = functional.pad(sounding.cumsum(dim=-1), (1, 0))[..., :-1]  # pitches that sound below each
        max_sounding = int(passed.max()) if passed.numel() else 0
        # State k is the one after k pitches that sound: it reads the lowest k of them.
        count = torch.arange(max_sounding + 1, device=frames.device)
        read = sounding.unsqueeze(-2) & (passed.unsqueeze(-2) < count[:, None])
        if self.num_onsets:
            read = torch.cat([read, read & (frames[..., pitches:] > 0).unsqueeze(-2)], dim=-1)
            passed = torch.cat([passed, passed], dim=-1)
        hidden = torch.sigmoid(self.start.unsqueeze(-2) + read.to(self.below.dtype) @ self.below)
        of_states = hidden @ self.above.mT  # (..., states, columns)
        logits = self.bias + torch.take_along_dim(of_states, passed.unsqueeze(-2), dim=-2).squeeze(-2)
        return self._constrained(logits)

    def _constrained(self, logits: Tensor) -> Tensor:
        """Divided by the temperature; notes begin for certain where nothing sounded, and what is given is certain."""
        logits = at_least_float32(logits) / self.temperature
        if self.sounded is not None:
            sounds, begins = logits.chunk(2, dim=-1)
            logits = torch.cat([sounds, constrain_onsets(begins, self.sounded, training=self.training)], dim=-1)
        return logits if self.known is None else with_given(logits, self.known)

    @torch.no_grad()
    def sample(self, *, generator: torch.Generator) -> Float[Tensor, "*batch frame_size"]:
        """An exact sample."""
        rows = self._rows()

        def logits_above(frames: Tensor, chosen: Tensor) -> Tensor:
            """Those above the highest sounding pitch, where all pitches have the same hidden state."""
            some = rows[chosen]
            read = some.start + frames.to(rows.below.dtype) @ rows.below
            return some._constrained(some.bias + torch.sigmoid(read) @ rows.above.mT)

        numbers = uniform(rows.bias.shape, generator=generator, device=rows.bias.device)
        frames = sample_skipping_silence(logits_above, numbers, self.num_onsets)
        return frames.to(at_least_float32(rows.bias).dtype).view(self.bias.shape)

    @property
    def mean(self) -> Float[Tensor, "*batch frame_size"]:
        """The probability of each pitch, estimated from 32 draws: mostly within a few hundredths of the exact value."""
        rows = self._rows()

        def means(chosen: slice) -> Tensor:
            some = rows[chosen]

            def logits_given(frames: Tensor, repeated: Tensor) -> Tensor:
                return some[repeated].logits_given(frames)

            count, columns = some.bias.shape
            pitches, has_onsets = columns - some.num_onsets, some.num_onsets > 0
            return estimated_mean(logits_given, count, pitches, device=some.bias.device, has_onsets=has_onsets)

        return by_rows(means, len(rows.bias)).view(self.bias.shape)

    def __getitem__(self, index: Any) -> "NADE":
        """The distributions at some places of the batch shape."""
        sounded = None if self.sounded is None else self.sounded[index]
        known = None if self.known is None else self.known[index]
        return replace(self, start=self.start[index], bias=self.bias[index], sounded=sounded, known=known)

    def tempered(self, temperature: float) -> "NADE":
        """The log-odds of every pitch, given those below, divided by the temperature.

        This differs from raising the probabilities of whole frames to a power, which would need a sum over all frames.
        """
        return replace(self, temperature=self.temperature * check_temperature(temperature))

    def given(self, frames: Float[Tensor, "*batch frame_size"], cells: Bool[Tensor, "*batch frame_size"]) -> "NADE":
        """The distribution of what is not given of frames, as of a ``FillingDistribution``.

        It is the product of the decisions that are free, each given all columns before it in the order of decisions,
        with the given ones as they are. Given columns later in the order are not read: those above in the same part,
        and the parts after it. Only the features can tell of them.
        """
        return replace(self, known=given_logits(frames, cells))

    def _rows(self) -> "NADE":
        """With the batch shape flattened."""
        return replace(
            self,
            start=self.start.reshape(-1, self.start.shape[-1]),
            bias=self.bias.reshape(-1, self.bias.shape[-1]),
            sounded=None if self.sounded is None else self.sounded.reshape(-1, self.num_onsets),
            known=None if self.known is None else self.known.reshape(-1, self.known.shape[-1]),
        )


class NADEHead(nn.Module):
    """From features to the biases of a :class:`NADE`, one linear layer each.

    Args:
        in_features: size of the decoder's output.
        layout: what the columns of a frame mean, or their number. Parts are decided one after another, each from low to
            high.
        hidden_size: size of the hidden layer that the pitches share.

    Raises:
        SettingsError: a size below 1, or a layout with velocities.

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
        check_no_velocity(layout, "NADEHead")
        self.columns: NoteColumns = note_columns(layout)
        self.in_features = in_features
        self.layout = layout
        self.frame_size: int = self.columns.frame_size
        self.context_frames: int | None = 1 if self.columns.has_onsets else 0
        self.takes_given: bool = True
        self.start: nn.Linear = nn.Linear(in_features, hidden_size)
        self.bias: nn.Linear = nn.Linear(in_features, self.frame_size)
        with torch.no_grad():
            self.bias.bias[: self.columns.plane_size] = -3.0
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
        """Distributions of batch shape (batch, steps). Of past frames only which notes can be held is read."""
        sounded = past[:, -features.shape[1] :, : self.columns.plane_size] if self.columns.has_onsets else None
        start, bias = self.start(features), self.bias(features)
        return NADE(start, bias, self.below, self.above, sounded=sounded, training=self.training)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"in_features": self.in_features, "layout": self.layout, "hidden_size": self.below.shape[1]}
