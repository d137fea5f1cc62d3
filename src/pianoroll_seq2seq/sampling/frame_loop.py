"""The loop behind generating and filling: a model predicts a frame, a sampler chooses it, and the model reads it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from pianoroll_seq2seq._internal.whole_numbers import is_whole
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import FillingModel, SequenceModel, device_of, dtype_of
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.random_numbers import RowGenerators
from pianoroll_seq2seq.models.modes import Evaluation
from pianoroll_seq2seq.pianoroll.conversions import DEFAULT_VELOCITY
from pianoroll_seq2seq.sampling.free_cells import FreeCells
from pianoroll_seq2seq.sampling.samplers import (
    Sampler,
    for_layout,
    next_sampler,
    sample_rows,
    select_rows,
    start_sampler,
)


@runtime_checkable
class AutoregressiveModel(Protocol):
    """The methods of a model that generation calls. Every sequence model has them."""

    def start(self, primer: Tensor) -> tuple[FrameDistribution, Any]:
        """Reads a primer (batch, frames, frame_size): the distribution of the next frame, and a state."""
        ...

    def advance(self, frame: Tensor, state: Any) -> tuple[FrameDistribution, Any]:
        """Reads one more frame (batch, frame_size): the distribution of the frame after it, and a new state."""
        ...


@dataclass(frozen=True)
class GivenCells:
    """The given cells of frames to write.

    Args:
        frames: the frames, zero where nothing is given, (batch, frames, frame_size).
        cells: which cells are given, (batch, frames, frame_size).
        has_free: whether a frame has cells that are not given, (batch, frames).
    """

    frames: Tensor
    cells: Tensor
    has_free: np.ndarray


@dataclass(frozen=True)
class FrameLoop:
    """What stays the same from frame to frame.

    Args:
        model: the model.
        sampler: how to choose each frame from its distribution.
        layout: what the columns of a frame mean, if that is known.
        generators: the random numbers of each piece.
        device: of the model.
        dtype: in which the model reads frames.
    """

    model: AutoregressiveModel | FillingModel
    sampler: Sampler
    layout: FrameLayout | None
    generators: RowGenerators
    device: torch.device
    dtype: torch.dtype

    @classmethod
    def of(
        cls,
        model: AutoregressiveModel | FillingModel,
        sampler: Sampler,
        layout: FrameLayout | None,
        *,
        seed: int,
        count: int,
    ) -> "FrameLoop":
        """The loop for a batch of pieces.

        Raises:
            SettingsError: a seed that is no 64-bit integer, no sampler, or one for another layout.
        """
        if not is_whole(seed) or not -(2**63) <= seed < 2**63:
            raise SettingsError(f"seed must be a 64-bit integer, got {seed!r}.")
        sampler = for_layout(sampler, layout)
        trained = model if isinstance(model, SequenceModel) else None
        device = torch.device("cpu") if trained is None else device_of(trained)
        dtype = torch.float32 if trained is None else dtype_of(trained)
        return cls(model, sampler, layout, RowGenerators(seed, count, device), device, dtype)

    def after(self, past: Tensor) -> "FrameLoop":
        """The loop with the sampler of the first new frame, after frames (batch, frames, frame_size), maybe none."""
        return replace(self, sampler=start_sampler(self.sampler, past))

    def select(self, rows: Tensor) -> "FrameLoop":
        """The loop for some pieces of the batch."""
        return replace(self, generators=self.generators.select(rows))

    @property
    def evaluating(self) -> AbstractContextManager[None]:
        """A context in which the model is in evaluation mode."""
        return Evaluation(self.model) if isinstance(self.model, SequenceModel) else nullcontext()

    def tensor(self, frames: np.ndarray) -> Tensor:
        """Frames as the model reads them."""
        values = frames if self.layout is None else self.layout.to_float(frames)
        return torch.tensor(values, dtype=self.dtype, device=self.device)

    def frames(
        self,
        start: Callable[[], tuple[FrameDistribution, Any]],
        before: Tensor,
        given: GivenCells | None = None,
    ) -> Iterator[np.ndarray]:
        """The frames that the sampler chooses, one after another, without end.

        Args:
            start: gives the distribution of the first frame, and the model's state.
            before: the frame before the first, (batch, frame_size).
            given: the given cells of the frames; the frames end with them.

        Yields:
            The next frame of every piece, of shape (batch, frame_size): bool, or uint8 with a velocity plane.
        """
        evaluating = self.evaluating
        with evaluating, torch.inference_mode():
            distribution, state = start()
            sampler = self.sampler
            frame = self.choose(sampler, distribution, before, given, 0)
            array = self.to_array(frame)
        step = 0
        while True:
            yield array
            step += 1
            if given is not None and step == given.frames.shape[1]:
                return
            # Gradients are on again while the caller has the frame: the caller may be training.
            with evaluating, torch.inference_mode():
                distribution, state = self.model.advance(frame, state)
                sampler = next_sampler(sampler, frame)
                frame = self.choose(sampler, distribution, frame, given, step)
                array = self.to_array(frame)

    def choose(
        self, sampler: Sampler, distribution: FrameDistribution, before: Tensor, given: GivenCells | None, step: int
    ) -> Tensor:
        """The frame of a step, with the given cells as they are."""
        if given is None:
            frame = sample_rows(sampler, distribution, self.generators).to(self.dtype)
            if frame.shape != before.shape:
                name = getattr(sampler, "__name__", type(sampler).__name__)
                raise ShapeError(
                    f"The sampler {name} chose frames of shape {tuple(frame.shape)}; the model has "
                    f"{tuple(before.shape)} (pieces, columns)."
                )
            return self._consistent(frame, before)
        frame, cells = given.frames[:, step], given.cells[:, step]
        free = given.has_free[:, step]
        if not free.any():
            return frame
        generators = self.generators
        chosen = slice(None) if free.all() else torch.from_numpy(np.flatnonzero(free)).to(self.device)
        if not isinstance(chosen, slice):
            distribution, generators = distribution[chosen], generators.select(chosen)
            sampler = select_rows(sampler, chosen)
        left = FreeCells(distribution, frame[chosen], ~cells[chosen])
        drawn = frame.clone()
        drawn[chosen] = left.whole(sample_rows(sampler, left, generators).to(self.dtype))
        return torch.where(cells, frame, self._consistent(drawn, before))

    def to_array(self, frame: Tensor) -> np.ndarray:
        """Frames of the model as those of :meth:`frames`."""
        values = frame.float().cpu().numpy()
        return values > 0 if self.layout is None else self.layout.from_float(values)

    def _consistent(self, frame: Tensor, before: Tensor) -> Tensor:
        """A frame (batch, frame_size) with an onset for every pitch that begins to sound, and none for silent pitches.

        An onset that is added gets the default velocity.
        """
        layout = self.layout
        if layout is None or not layout.has_onsets:
            return frame
        active, onset = frame[:, layout.columns("active")], frame[:, layout.columns("onset")]
        begins = active > before[:, layout.columns("active")]
        onset = active * torch.maximum(onset, begins.to(onset.dtype))
        if not layout.has_velocity:
            return torch.cat([active, onset], dim=-1)
        velocity = frame[:, layout.columns("velocity")]
        velocity = torch.where(velocity > 0, velocity, DEFAULT_VELOCITY / 127) * onset
        return torch.cat([active, onset, velocity], dim=-1)
