"""The contract of the examples that a model is trained on and validated with."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64
from torch import Tensor

from pianoroll_seq2seq.data.augmentation import Augmentation
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout


@runtime_checkable
class Examples(Protocol):
    """Numbered examples to learn from: windows of pieces, or groups of whole pieces.

    Built in: :class:`~pianoroll_seq2seq.windowing.SlidingWindows` and
    :class:`~pianoroll_seq2seq.data.whole_pieces.WholePieces`.
    """

    layout: FrameLayout
    """What the columns of a frame mean."""

    input_frames: int
    """Frames that a model reads before it predicts the first."""

    augmentation: Augmentation | None
    """Random variations of the examples, if any."""

    @property
    def target_frames(self) -> int:
        """Frames to predict, of the longest example."""
        ...

    @property
    def num_target_frames(self) -> int:
        """Target frames of all examples together, without padding."""
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
        """Inputs and targets, float32 zeros and ones.

        Args:
            indices: numbers of the examples.
            generator: draws the augmentation; None for no augmentation.
            out: memory that may be used, (rows, input_frames + target_frames, frame_size).

        Returns:
            Inputs of shape (rows, input_frames, frame_size) and targets of shape (rows, target_frames, frame_size).
        """
        ...

    def target_mask(self, indices: Int64[np.ndarray, " batch"] | Sequence[int]) -> Tensor | None:
        """Which target frames of a batch are no padding, (rows, target_frames); None if all are."""
        ...


@runtime_checkable
class ConditionedExamples(Examples, Protocol):
    """Examples with conditions for the model (:mod:`~pianoroll_seq2seq.data.conditions`), as windows may have them."""

    @property
    def condition_size(self) -> int:
        """Numbers of a condition; 0 for no conditions."""
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


@runtime_checkable
class FingerprintedExamples(Protocol):
    """Examples that say what they are made of, so that a run is not resumed with others.

    Of examples without this method, ``fit`` compares their number and the content of some of them, and so it does for a
    subclass that has another ``batch`` and no ``fingerprint`` of its own.
    """

    def fingerprint(self) -> Mapping[str, Any]:
        """Sizes and hashes, for JSON: equal for examples that are equal. ``content`` is a hash of the pieces."""
        ...


def check_examples(examples: object, argument: str) -> None:
    """Refuses what is no set of examples, or an empty one; ``argument`` is what errors call it.

    Raises:
        SettingsError: names what came, and the fix.
    """
    if not isinstance(examples, Examples):
        is_empty = isinstance(examples, list | tuple) and not examples
        got = f"a {type(examples).__name__}" + (" without items" if is_empty else "")
        optional = " Pass None to train without validation." if argument == "valid" else ""
        raise SettingsError(
            f"{argument} must be windows, got {got}. Cut rolls into windows: SlidingWindows(rolls, input_frames=..., "
            f"target_frames=..., hop=...).{optional}"
        )
    if not len(examples):
        raise SettingsError(f"{argument} has no examples. Add pieces.")


def condition_size_of(examples: Examples) -> int:
    """Numbers of the examples' conditions; 0 for no conditions."""
    return examples.condition_size if isinstance(examples, ConditionedExamples) else 0


def fetch(
    examples: Examples,
    indices: Int64[np.ndarray, " batch"] | Sequence[int],
    *,
    generator: np.random.Generator | None = None,
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Inputs, targets and conditions of a batch; the last are None for examples without conditions."""
    if isinstance(examples, ConditionedExamples):
        return examples.conditioned_batch(indices, generator=generator, out=out)
    return (*examples.batch(indices, generator=generator, out=out), None)
