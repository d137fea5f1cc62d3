"""The contract of a sampler, and how the rows of a batch are sampled."""

from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.random_numbers import RowGenerators, is_rowwise


@runtime_checkable
class Sampler(Protocol):
    """Chooses frames from distributions: any callable with this signature.

    :func:`~pianoroll_seq2seq.sampling.generate` calls it for each piece of a batch on its own, with distributions of
    batch shape (1,) and the generator of the piece. A class that says ``rowwise = True`` is called for the whole batch;
    it must take its random numbers from distributions alone, or from
    :func:`~pianoroll_seq2seq.models.heads.random_numbers.uniform`.
    """

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """Frames (..., frame_size) of zeros and ones for distributions of batch shape (...)."""
        ...


@runtime_checkable
class SteppingSampler(Protocol):
    """Optional methods of a sampler that depends on the frames so far, or on their number.

    Such a sampler is a value for one frame: each method returns the sampler of another frame, and changes nothing. A
    sampler that is called for each piece on its own also has a value for each piece.
    """

    def start(self, past: Tensor) -> Sampler:
        """The sampler of the first new frame, after frames (batch, frames, frame_size), of which there may be none."""
        ...

    def after(self, frame: Tensor) -> Sampler:
        """The sampler of the frame after this one, (batch, frame_size)."""
        ...


def for_layout(sampler: Any, layout: FrameLayout | None, *, owner: str = "") -> Sampler:
    """A sampler for a model: with the model's layout where it has none, and so the samplers that it controls.

    Args:
        sampler: a sampler; anything else is refused.
        layout: the model's; None if it is unknown.
        owner: the class of the sampler that controls it, for messages.

    Raises:
        SettingsError: no sampler; or one with a layout of as many columns as the model's, but of other pitches or in
            another order. A layout of another size is found by the sampler itself when it gets a frame.
    """
    if isinstance(sampler, type) or not callable(sampler):
        raise SettingsError(f"{owner + '.' if owner else ''}sampler must be a sampler such as Draw(), got {sampler!r}.")
    values: Any = sampler if is_dataclass(sampler) else None
    if values is None:
        return cast(Sampler, sampler)
    named = {one.name: getattr(sampler, one.name) for one in fields(values) if one.init}
    changed: dict[str, Any] = {}
    own, inner = named.get("layout", layout), named.get("sampler")
    if own is None and layout is not None:
        changed["layout"] = layout
    if isinstance(own, FrameLayout) and layout is not None and own.frame_size == layout.frame_size:
        of_sampler, of_model = (
            (each.planes, [(part.name, part.drums, part.pitches) for part in each.parts]) for each in (own, layout)
        )
        if of_sampler != of_model:
            raise SettingsError(
                f"{type(sampler).__name__} has another layout than the model: {own} instead of {layout}. Pass the "
                f"model's layout."
            )
    if inner is not None and (fitting := for_layout(inner, layout, owner=type(sampler).__name__)) is not inner:
        changed["sampler"] = fitting
    return cast(Sampler, replace(values, **changed) if changed else sampler)


@dataclass(frozen=True)
class RowSamplers:
    """A sampler for each row of a batch, while music is generated.

    Args:
        samplers: the samplers, in the order of the rows.
    """

    samplers: tuple[Sampler, ...]

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """Frames (batch, frame_size). The rows of a generator that has none share it."""
        rows = range(len(self.samplers))
        generators = [generator.generator(row) if isinstance(generator, RowGenerators) else generator for row in rows]
        frames = [
            sampler(distribution[row : row + 1], generator=generators[row]) for row, sampler in enumerate(self.samplers)
        ]
        return torch.cat(frames)

    def select(self, rows: Tensor) -> "RowSamplers":
        """The samplers of some rows, by their numbers."""
        return RowSamplers(tuple(self.samplers[row] for row in rows.tolist()))

    def after(self, frame: Tensor) -> "RowSamplers":
        """See :class:`SteppingSampler`."""
        samplers = [next_sampler(sampler, frame[row : row + 1]) for row, sampler in enumerate(self.samplers)]
        return RowSamplers(tuple(samplers))


def start_sampler(sampler: Sampler, past: Tensor) -> Sampler:
    """The sampler of the first new frame, for a batch of pieces.

    Args:
        sampler: any sampler. One that does not depend on earlier frames stays as it is.
        past: the frames before, (batch, frames, frame_size), of which there may be none.
    """
    if not isinstance(sampler, SteppingSampler):
        return sampler
    if is_rowwise(sampler, "__call__") or len(past) == 1:
        return sampler.start(past)
    return RowSamplers(tuple(sampler.start(past[row : row + 1]) for row in range(len(past))))


def next_sampler(sampler: Sampler, frame: Tensor) -> Sampler:
    """The sampler of the frame after ``frame``, (batch, frame_size): see :func:`start_sampler`."""
    after = getattr(sampler, "after", None)
    if after is None or not _is_stepping(type(sampler)):
        return sampler
    following: Sampler = after(frame)
    return following


@cache
def _is_stepping(kind: type) -> bool:
    """Whether a class has the methods of :class:`SteppingSampler`: a check that is slow, for a loop over frames."""
    return issubclass(kind, SteppingSampler | RowSamplers)


def select_rows(sampler: Sampler, rows: Tensor) -> Sampler:
    """The sampler of some rows of a batch, by their numbers: see :func:`start_sampler`."""
    return sampler.select(rows) if isinstance(sampler, RowSamplers) else sampler


def sample_rows(sampler: Sampler, distribution: FrameDistribution, generators: RowGenerators) -> Tensor:
    """Frames (batch, frame_size), of which row ``k`` has random numbers of its own.

    Args:
        sampler: chooses the frames.
        distribution: of batch shape (batch,).
        generators: of as many rows.
    """
    if isinstance(sampler, RowSamplers):
        return sampler(distribution, generator=generators)
    if is_rowwise(sampler, "__call__") and is_rowwise(distribution, "sample"):
        return sampler(distribution, generator=generators)
    if len(generators) == 1:
        return sampler(distribution, generator=generators.generator(0))
    rows = range(len(generators))
    return torch.cat([sampler(distribution[row : row + 1], generator=generators.generator(row)) for row in rows])
