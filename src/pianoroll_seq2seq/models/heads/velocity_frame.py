"""A frame of notes and of the velocities with which they begin."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pianoroll_seq2seq.models.heads.contract import FillingDistribution, FrameDistribution
from pianoroll_seq2seq.models.heads.precision import at_least_float32, check_temperature
from pianoroll_seq2seq.models.heads.random_numbers import SharedNumbers, is_rowwise, uniform
from pianoroll_seq2seq.models.heads.velocity_network import HIGHEST, NoteList, VelocityContext

if TYPE_CHECKING:
    from pianoroll_seq2seq.models.heads.velocity import VelocityHead

_SAMPLES = 32


@dataclass(frozen=True)
class GivenVelocities:
    """The velocities of some frames that are given.

    Args:
        velocities: velocity / 127 in the columns that are given, (..., plane_size).
        cells: which columns are given, (..., plane_size).
    """

    velocities: Tensor
    cells: Tensor

    def map(self, change: Any) -> "GivenVelocities":
        """With a function applied to both tensors."""
        return GivenVelocities(change(self.velocities), change(self.cells))


@dataclass(frozen=True)
class VelocityPredictions:
    """The predicted velocities of some notes, by frame and column.

    Args:
        columns: the column of each note in the onset plane, (notes,).
        velocities: its velocity, 1 to 127, (notes,).
        probabilities: those of the velocities 1 to 127, (notes, 127).
    """

    columns: Tensor
    velocities: Tensor
    probabilities: Tensor

    @property
    def nats(self) -> Tensor:
        """The negative log-probability of each velocity, (notes,)."""
        chosen = self.probabilities.gather(1, self.velocities.unsqueeze(1) - 1).squeeze(1)
        return -chosen.log()

    @property
    def errors(self) -> Tensor:
        """The distance of each velocity from the median, (notes,)."""
        return (self.medians - self.velocities).abs()

    @property
    def medians(self) -> Tensor:
        """The median of each distribution, the guess with the smallest expected absolute error, (notes,)."""
        return 1 + (self.probabilities.cumsum(dim=1) < 0.5).sum(dim=1).clamp(max=HIGHEST - 1)


@dataclass(frozen=True, eq=False)
class Velocity:
    """Notes, and a velocity for each note that begins: a categorical distribution over bins, uniform inside a bin.

    A frame has the columns of the active, the onset and the velocity plane. A velocity is written as
    ``velocity / 127``. A frame in which a velocity is above 0 without an onset, or 0 at an onset, has probability zero.

    Args:
        head: the head whose network computes the logits.
        notes: the distribution over the active and the onset plane.
        context: the context of the velocities, batch shape (...).
        temperature: divides the logits over bins.
        known: the velocities that are given, if any: see :meth:`given`.
    """

    head: "VelocityHead"
    notes: FrameDistribution
    context: VelocityContext
    temperature: float = 1.0
    known: GivenVelocities | None = None

    @property
    def rowwise(self) -> bool:
        """As the distribution over notes."""
        return is_rowwise(self.notes, "sample")

    def log_prob(self, frames: Float[Tensor, "*batch frame_size"]) -> Float[Tensor, "*batch"]:
        """Log-probability of whole frames in nats, exact: of the notes, and of their velocities given the notes."""
        notes, velocities = self.log_prob_parts(frames)
        return notes + velocities

    def log_prob_parts(
        self, frames: Float[Tensor, "*batch frame_size"]
    ) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
        """Log-probability of the notes, and of the velocities given the notes: two summands of ``log_prob``."""
        size = self.head.note_size
        notes = self.notes.log_prob(frames[..., :size])
        flat, rows = self._flat(), frames.reshape(-1, frames.shape[-1])
        listed, velocities = self._listed(rows)
        bins, widths = self.head.bin_of(velocities)
        log_probs = flat._bin_log_probs(rows, listed, velocities).gather(1, bins.unsqueeze(1)).squeeze(1)
        log_probs = log_probs - widths.to(log_probs.dtype).log()
        if flat.known is not None:
            log_probs = torch.where(flat.known.cells[listed.rows, listed.columns], 0.0, log_probs)
        total = log_probs.new_zeros(len(rows)).index_add(0, listed.rows, log_probs)
        onset, velocity = rows[:, size // 2 : size] > 0, rows[:, size:] > 0
        wrong = onset != velocity
        impossible = (wrong if flat.known is None else wrong & ~flat.known.cells).any(dim=1)
        return notes, total.masked_fill(impossible, -math.inf).view(notes.shape)

    def predictions(self, frames: Float[Tensor, "*batch frame_size"]) -> VelocityPredictions:
        """The predicted velocities of the notes that begin in some frames, each given those before it."""
        rows = frames.reshape(-1, frames.shape[-1])
        listed, velocities = self._listed(rows)
        probabilities = self._flat()._bin_log_probs(rows, listed, velocities).exp()
        return VelocityPredictions(listed.columns, velocities, self.head.spread_bins(probabilities))

    @torch.no_grad()
    def sample(self, *, generator: torch.Generator) -> Float[Tensor, "*batch frame_size"]:
        """One exact sample."""
        return self.sample_velocities(self.notes.sample(generator=generator), generator=generator)

    @torch.no_grad()
    def sample_velocities(
        self, notes: Float[Tensor, "*batch note_size"], *, generator: torch.Generator
    ) -> Float[Tensor, "*batch frame_size"]:
        """Frames of given notes, with an exact sample of their velocities.

        Args:
            notes: the active and the onset plane.
            generator: as for :meth:`sample`.
        """
        rows = notes.reshape(-1, notes.shape[-1])
        shape = (len(rows), rows.shape[1] // 2)
        numbers = uniform(shape, generator=generator, device=rows.device)
        return self._flat()._with_velocities(rows, numbers)[0].view(*notes.shape[:-1], -1)

    @property
    def mean(self) -> Float[Tensor, "*batch frame_size"]:
        """The mean of each column; of the velocity columns estimated from 32 samples, with 0 where no note begins."""
        notes = self.notes.mean
        flat, size = self._flat(), self.head.note_size
        count = len(flat.context.state)
        if size == 2:  # a single pitch: there is nothing to average over
            certain = notes.new_ones(count, size)
            return torch.cat([notes, notes[..., 1:] * flat._expected(certain).view(*notes.shape[:-1], 1)], dim=-1)
        generator = SharedNumbers(0)
        total = notes.new_zeros(count, size // 2)
        for _ in range(_SAMPLES):
            rows = flat.notes.sample(generator=generator)
            numbers = uniform((count, size // 2), generator=generator, device=rows.device)
            total = total + flat._with_velocities(rows, numbers)[1].to(total.dtype)
        return torch.cat([notes, (total / _SAMPLES).view(*notes.shape[:-1], -1)], dim=-1)

    def threshold(self, probability: float) -> Float[Tensor, "*batch frame_size"]:
        """The notes whose mean reaches a probability, with their expected velocities, from low to high."""
        if hasattr(self.notes, "threshold"):
            notes: Tensor = self.notes.threshold(probability)
        else:
            active, onset = (self.notes.mean >= probability).chunk(2, dim=-1)
            notes = torch.cat([active, onset & active], dim=-1).to(at_least_float32(self.context.state).dtype)
        expected = self._flat()._expected(notes.reshape(-1, notes.shape[-1]))
        rounded = (expected * HIGHEST).round() / HIGHEST
        return torch.cat([notes, rounded.view(*notes.shape[:-1], -1)], dim=-1)

    def __getitem__(self, index: Any) -> "Velocity":
        """The distributions at some places of the batch shape."""
        known = None if self.known is None else self.known.map(lambda values: values[index])
        context = self.context.map(lambda values: values[index])
        return replace(self, notes=self.notes[index], context=context, known=known)

    def given(self, frames: Float[Tensor, "*batch frame_size"], cells: Bool[Tensor, "*batch frame_size"]) -> "Velocity":
        """The distribution of what is not given of frames, as of a ``FillingDistribution``.

        The velocities of given notes are read like those of other notes: by the notes in the columns after them.
        """
        size = self.head.note_size
        notes = cast(FillingDistribution, self.notes).given(frames[..., :size], cells[..., :size])
        return replace(self, notes=notes, known=GivenVelocities(frames[..., size:], cells[..., size:]))

    def tempered(self, temperature: float) -> "Velocity":
        """The notes at the temperature, and the logits over bins divided by it."""
        temperature = check_temperature(temperature)
        return replace(self, notes=self.notes.tempered(temperature), temperature=self.temperature * temperature)

    def _flat(self) -> "Velocity":
        """With the batch shape flattened."""
        dims = self.context.state.ndim - 1

        def change(values: Tensor) -> Tensor:
            return values.flatten(0, dims - 1) if dims else values.unsqueeze(0)

        context = self.context.map(change)
        known = None if self.known is None else self.known.map(change)
        notes = self.notes
        if dims != 1:
            shape = self.context.state.shape[:-1]
            place = torch.arange(shape.numel(), device=self.context.state.device)
            index = torch.unravel_index(place, shape) if dims else (None,)
            notes = notes[index]
        return replace(self, notes=notes, context=context, known=known)

    def _listed(self, rows: Tensor) -> tuple[NoteList, Tensor]:
        """The notes that begin in frames (rows, frame_size), and their velocities, 1 to 127."""
        size = self.head.note_size
        listed = NoteList.of(rows[:, size // 2 : size])
        velocities = (rows[:, size:][listed.rows, listed.columns] * HIGHEST).round().long()
        return listed, velocities.clamp(1, HIGHEST)

    def _bin_log_probs(
        self, rows: Tensor, listed: NoteList, velocities: Tensor, chosen: Tensor | None = None
    ) -> Tensor:
        """Log-probabilities of the bins of some notes, for a flat batch: (notes, bins)."""
        size = self.head.note_size
        planes = torch.unflatten(rows[:, :size], 1, (2, -1))
        values = velocities.to(at_least_float32(self.context.state).dtype) / HIGHEST
        logits = self.head.network(self.context, planes, values, listed, chosen)
        return torch.log_softmax(logits / self.temperature, dim=1)

    def _with_velocities(self, rows: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Frames with velocities by random numbers (rows, plane_size), and the expected velocities, both from notes."""
        size = self.head.note_size
        listed = NoteList.of(rows[:, size // 2 :])
        velocities = torch.zeros_like(listed.rows)
        drawn, expected = rows.new_zeros(len(rows), size // 2), rows.new_zeros(len(rows), size // 2)
        for rank in range(int(listed.ranks.max()) + 1 if len(listed.ranks) else 0):
            chosen = (listed.ranks == rank).nonzero().squeeze(1)
            probabilities = self._bin_log_probs(rows, listed, velocities, chosen).exp()
            place = (listed.rows[chosen], listed.columns[chosen])
            velocities[chosen] = self._or_given(self.head.velocity_at(probabilities, numbers[place]), place)
            expected[place] = self._expected_or_given(probabilities, place).to(expected.dtype)
            drawn[place] = velocities[chosen].to(drawn.dtype) / HIGHEST
        return torch.cat([rows, drawn], dim=1), expected

    @torch.no_grad()
    def _expected(self, notes: Tensor) -> Tensor:
        """The expected velocities (rows, plane_size) of notes (rows, note_size), each given those below, rounded."""
        listed = NoteList.of(notes[:, notes.shape[1] // 2 :])
        velocities = torch.zeros_like(listed.rows)
        expected = notes.new_zeros(len(notes), notes.shape[1] // 2)
        for rank in range(int(listed.ranks.max()) + 1 if len(listed.ranks) else 0):
            chosen = (listed.ranks == rank).nonzero().squeeze(1)
            probabilities = self._bin_log_probs(notes, listed, velocities, chosen).exp()
            value = self._expected_or_given(probabilities, (listed.rows[chosen], listed.columns[chosen]))
            place = (listed.rows[chosen], listed.columns[chosen])
            velocities[chosen] = self._or_given((value * HIGHEST).round().long().clamp(1, HIGHEST), place)
            expected[place] = value.to(expected.dtype)
        return expected

    def _expected_or_given(self, probabilities: Tensor, place: tuple[Tensor, Tensor]) -> Tensor:
        """Expected velocities / 127 from bins (notes, bins), of notes at rows and columns; given ones as they are."""
        expected = self.head.expected(probabilities)
        if self.known is None:
            return expected
        return torch.where(self.known.cells[place], self.known.velocities[place].to(expected.dtype), expected)

    def _or_given(self, velocities: Tensor, place: tuple[Tensor, Tensor]) -> Tensor:
        """The velocities (notes,), 1 to 127, of notes at rows and columns; those that are given where they are."""
        if self.known is None:
            return velocities
        given = (self.known.velocities[place] * HIGHEST).round().long().clamp(1, HIGHEST)
        return torch.where(self.known.cells[place], given, velocities)
