"""A frame whose pitches are decided from low to high, by the network of a ``RelativeWindowHead``."""

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from pianoroll_seq2seq.models.heads.given_logits import given_logits, keep_given
from pianoroll_seq2seq.models.heads.onset_decisions import decision_nats
from pianoroll_seq2seq.models.heads.pitch_autoregression import by_rows, estimated_mean, sample_skipping_silence
from pianoroll_seq2seq.models.heads.precision import at_least_float32, check_temperature
from pianoroll_seq2seq.models.heads.random_numbers import uniform

if TYPE_CHECKING:
    from pianoroll_seq2seq.models.heads.relative_window import RelativeWindowHead

_NEVER = -12.0
"""Log-odds of a pitch outside the range that the head covers."""


@dataclass(frozen=True)
class FrameContext:
    """The context of a frame, known before its first pitch is decided: batch shape (...).

    Args:
        planes: the past frames, newest first, then averages of the past, and with an onset plane the latest onsets,
            (..., planes, places): see :class:`~pianoroll_seq2seq.models.heads.relative_cells.Cells`.
        candidates: copy candidates, of each its planes, (..., candidates * planes, places).
        chroma: the tonal context, (..., rates, 12).
        state: the projected state of the decoder, (..., channels).
        merged: of several parts, the pitches that any of them sounded in the latest frame, (..., pitches).
        known: log-odds of the columns of the frame that are given, (..., frame_size); (..., 0) if nothing is:
            see :meth:`RelativeWindow.given`.
    """

    planes: Tensor
    candidates: Tensor
    chroma: Tensor
    state: Tensor
    merged: Tensor
    known: Tensor

    def map(self, change: Any) -> "FrameContext":
        """With a function applied to every tensor."""
        return FrameContext(*(change(getattr(self, field.name)) for field in fields(self)))

    @property
    def batch(self) -> torch.Size:
        """The batch shape."""
        return self.state.shape[:-1]


@dataclass(frozen=True, eq=False)
class RelativeWindow:
    """A frame whose pitches are decided from low to high.

    Args:
        head: the head whose network computes the log-odds.
        context: the context of the frame, batch shape (...).
        temperature: divides the log-odds of every variable.
    """

    rowwise: ClassVar[bool] = True

    head: "RelativeWindowHead"
    context: FrameContext
    temperature: float = 1.0

    def log_prob(self, frames: Float[Tensor, "*batch frame_size"]) -> Float[Tensor, "*batch"]:
        """Log-probability of whole frames in nats, exact.

        In training mode, a head with ``num_scored_pitches`` gives an unbiased estimate instead: from some pitches of
        each frame, sampled at random and weighted.
        """
        flat, frames = self._flat(), frames.reshape(-1, frames.shape[-1])
        if torch.is_grad_enabled():
            log_probs = flat._row_log_probs(frames)
        else:
            log_probs = by_rows(lambda rows: flat[rows]._row_log_probs(frames[rows]), len(frames))
        return log_probs.view(self.context.batch)

    def sample(self, *, generator: torch.Generator) -> Float[Tensor, "*batch frame_size"]:
        """One exact sample."""
        head, flat = self.head, self._flat().context
        state, cells = flat.state, head.cells
        counts = head.num_counts
        numbers = uniform((len(state), counts + head.frame_size), generator=generator, device=state.device)
        planes = torch.unflatten(numbers[:, counts:], 1, (cells.columns.num_planes, -1))
        logits_given = head.conditional_logits(flat, self.temperature)
        decided = torch.cat([numbers[:, :counts], cells.cut(numbers[:, counts:]).flatten(1)], dim=1)
        drawn = sample_skipping_silence(logits_given, decided, head.num_onsets)[:, counts:]
        frames = cells.uncut(torch.unflatten(drawn, 1, (cells.columns.num_planes, -1)))
        if cells.count < cells.columns.plane_size:
            never = torch.sigmoid(torch.tensor(_NEVER / self.temperature))
            rare = (planes[:, 0] < never) & ~cells.inside(planes.device)
            frames = torch.maximum(frames, rare.repeat(1, cells.columns.num_planes).to(frames.dtype))
            frames = keep_given(frames, flat.known) if flat.known.shape[1] else frames
        return frames.to(at_least_float32(state).dtype).view(*self.context.batch, -1)

    @property
    def mean(self) -> Float[Tensor, "*batch frame_size"]:
        """The probability of each pitch, estimated from samples: within about a tenth of the exact value."""
        flat = self._flat()
        means = by_rows(lambda rows: flat[rows]._row_means(), len(flat.context.state))
        return means.view(*self.context.batch, -1)

    def __getitem__(self, index: Any) -> "RelativeWindow":
        """The distributions at some places of the batch shape."""
        return replace(self, context=self.context.map(lambda values: values[index]))

    def _flat(self) -> "RelativeWindow":
        """With the batch shape flattened."""
        dims = len(self.context.batch)
        return replace(self, context=self.context.map(lambda v: v.flatten(0, dims - 1) if dims else v.unsqueeze(0)))

    def _row_log_probs(self, frames: Tensor) -> Tensor:
        """Log-probabilities (rows,) of frames (rows, frame_size), for a flat batch."""
        head = self.head
        cells = head.cells.cut(frames).flatten(1)
        if head.training and head.num_scored_pitches is not None:
            nats = head.estimated_nats(self.context, cells)
        else:
            variables = head.variables_of(cells)
            nats = decision_nats(head.logits(self.context, variables, self.temperature), variables, head.num_onsets)
            nats = nats.sum(dim=1)
        return -(nats + self._rare_nats(frames, nats))

    def _rare_nats(self, frames: Tensor, like: Tensor) -> Tensor:
        """The nats of the columns that hardly ever sound: (rows,). Where one sounds, a note begins."""
        cells = self.head.cells
        if cells.count == cells.columns.plane_size:
            return torch.zeros_like(like)
        planes = torch.unflatten(frames, 1, (cells.columns.num_planes, -1))[:, :, ~cells.inside(frames.device)]
        never = torch.full_like(planes[:, 0], _NEVER / self.temperature, dtype=like.dtype)
        nats = functional.binary_cross_entropy_with_logits(never, planes[:, 0].to(like.dtype), reduction="none").sum(1)
        nats = nats.masked_fill((planes[:, 0] != planes[:, -1]).any(dim=1), math.inf)
        return nats.masked_fill((self.context.known != 0).any(dim=1), 0.0)  # there is one part, given or not

    def _row_means(self) -> Tensor:
        """Estimated probabilities (rows, frame_size), for a flat batch."""
        head = self.head
        rows, cells = len(self.context.state), head.cells
        variables = estimated_mean(
            head.conditional_logits(self.context, self.temperature),
            rows,
            head.num_active,
            device=self.context.state.device,
            variables_of=head.variables_of,
            has_onsets=head.num_onsets > 0,
        )
        planes = torch.unflatten(variables[:, head.num_counts :], 1, (cells.columns.num_planes, -1))
        mean = torch.unflatten(cells.uncut(planes), 1, (cells.columns.num_planes, -1))
        never = float(torch.sigmoid(torch.tensor(_NEVER / self.temperature)))
        mean = mean.masked_fill(~cells.inside(mean.device), never).flatten(1)
        return keep_given(mean, self.context.known) if self.context.known.shape[1] else mean

    def tempered(self, temperature: float) -> "RelativeWindow":
        """The log-odds of every variable divided by the temperature."""
        return replace(self, temperature=self.temperature * check_temperature(temperature))

    def given(
        self, frames: Float[Tensor, "*batch frame_size"], cells: Bool[Tensor, "*batch frame_size"]
    ) -> "RelativeWindow":
        """The distribution of what is not given of frames, as of a ``FillingDistribution``.

        It is the product of the decisions that are free, each given all notes before it in the order of decisions, with
        the given ones as they are. Given notes later in the order are not read: those above in the same part, and the
        parts after it. Only the features can tell of them. A head that decides the number of sounding pitches first
        chooses among the numbers that the given notes leave possible.
        """
        return replace(self, context=replace(self.context, known=given_logits(frames, cells)))
