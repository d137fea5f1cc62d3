"""The contract of what a model is trained on and validated with."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64
from torch import Tensor

from pianoroll_seq2seq.augmentation import Augmentation
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.pitches import PitchRange


@runtime_checkable
class Examples(Protocol):
    """Examples to learn from, fetched by number: windows of pieces, or groups of whole ones.

    Built in: :class:`~pianoroll_seq2seq.windowing.SlidingWindows`, :class:`~pianoroll_seq2seq.pieces.WholePieces`.
    """

    grid: FrameGrid
    """What a frame is."""

    pitches: PitchRange
    """The pitches of a frame."""

    input_frames: int
    """Frames that a model hears before it predicts the first."""

    augmentation: Augmentation | None
    """Variations to be drawn, if any."""

    @property
    def frame_size(self) -> int:
        """Columns of a frame."""
        ...

    @property
    def target_frames(self) -> int:
        """Frames to predict, of the longest example."""
        ...

    @property
    def frames(self) -> int:
        """Target frames that count, of all examples together."""
        ...

    def __len__(self) -> int:
        """The number of examples."""
        ...

    def batch(
        self,
        indices: Int64[np.ndarray, " batch"] | Sequence[int],
        *,
        generator: np.random.Generator | None = None,
        out: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Inputs (rows, input_frames, pitches) and targets (rows, target_frames, pitches), float32 zeros and ones.

        Args:
            indices: which examples.
            generator: what variations are drawn from; without it there are none.
            out: memory that may be used, (rows, input_frames + target_frames, pitches).
        """
        ...

    def counted(self, indices: Int64[np.ndarray, " batch"] | Sequence[int]) -> Tensor | None:
        """Which of the batch's target frames count, (rows, target_frames); None where all do."""
        ...


@runtime_checkable
class ConditionedExamples(Examples, Protocol):
    """What examples may have besides: conditions, for a model to hear (:mod:`~pianoroll_seq2seq.conditions`).

    Windows may have them. Groups of whole pieces have none.
    """

    @property
    def condition_size(self) -> int:
        """Numbers of a condition, 0 where there are none."""
        ...

    def conditioned_batch(
        self,
        indices: Int64[np.ndarray, " batch"] | Sequence[int],
        *,
        generator: np.random.Generator | None = None,
        out: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """As :meth:`Examples.batch`, and the conditions, (rows, input_frames + target_frames, size), if any."""
        ...


def condition_size_of(examples: Examples) -> int:
    """Numbers of the examples' conditions, 0 where there are none."""
    return examples.condition_size if isinstance(examples, ConditionedExamples) else 0


def fetch(
    examples: Examples,
    indices: Int64[np.ndarray, " batch"] | Sequence[int],
    *,
    generator: np.random.Generator | None = None,
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Inputs, targets and, where there are any, conditions."""
    if isinstance(examples, ConditionedExamples):
        return examples.conditioned_batch(indices, generator=generator, out=out)
    return (*examples.batch(indices, generator=generator, out=out), None)
