"""The contracts of a head and of the distribution it gives.

An implementation imports nothing from here; ``tests/contracts`` proves that each built-in one fits.
"""

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class FrameDistribution(Protocol):
    """A joint distribution over the pitches of a frame: batch shape (...), event shape (pitches,)."""

    def log_prob(self, frames: Tensor) -> Tensor:
        """The exact log-probability of frames (..., pitches) of zeros and ones, in nats: shape (...)."""
        ...

    def sample(self, *, generator: torch.Generator) -> Tensor:
        """An exact draw: float frames (..., pitches) of zeros and ones."""
        ...

    @property
    def mean(self) -> Tensor:
        """The marginal probability of each pitch, (..., pitches), for plots and thresholds."""
        ...

    def __getitem__(self, index: Any) -> "FrameDistribution":
        """The distributions at some places of the batch shape, indexed as a tensor of that shape would be."""
        ...

    def tempered(self, temperature: float) -> "FrameDistribution":
        """Sharper below a temperature of 1, flatter above it."""
        ...


@runtime_checkable
class OutputHead(Protocol):
    """A ``torch.nn.Module`` that turns decoder features into frame distributions."""

    features: int
    """Size of the decoder's output that it reads."""

    pitches: int
    """Size of the frames that it describes."""

    context_frames: int | None
    """How many past frames it reads, 0 for none, None for all there are. A decoder that writes all target
    frames at once knows no past frames, and takes only heads with 0."""

    def __call__(self, features: Tensor, past: Tensor) -> FrameDistribution:
        """One distribution per decoder step.

        Args:
            features: the decoder's output, (batch, steps, features).
            past: frames known, (batch, known, pitches), with known >= steps: step ``i`` may look at
                ``past[:, : known - steps + 1 + i]`` and at nothing later.

        Returns:
            A distribution of batch shape (batch, steps).
        """
        ...

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        ...


@runtime_checkable
class SteppingHead(Protocol):
    """What a head with a long memory may have besides: it then need not read all past frames again at every step.

    A model that continues music one frame at a time uses these three in place of ``__call__``, if a head has them, and
    they must say the same.
    """

    def hear(self, past: Tensor) -> Any:
        """What it remembers of frames known, (batch, known, pitches): a value, of any kind."""
        ...

    def hear_next(self, frame: Tensor, heard: Any) -> Any:
        """What it remembers after one more frame, (batch, pitches)."""
        ...

    def answer(self, features: Tensor, heard: Any) -> FrameDistribution:
        """The distribution of the next frame, from the decoder's output (batch, features): batch shape (batch,)."""
        ...
