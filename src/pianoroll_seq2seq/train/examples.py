"""The contract of the examples that a model is trained on and validated with."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64
from torch import Tensor

from pianoroll_seq2seq.data.augmentation import Augmentation
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.given_frames import GivenFrames


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
class FillingExamples(Examples, Protocol):
    """Examples of which something is given beside the inputs, for a model that fills the rest."""

    @property
    def has_tasks(self) -> bool:
        """Whether anything is given beside the inputs."""
        ...

    def given(
        self,
        indices: Int64[np.ndarray, " batch"] | Sequence[int],
        *,
        generator: np.random.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What is given of the examples of a batch.

        Args:
            indices: numbers of the examples.
            generator: draws the tasks; None for the same tasks at every call.

        Returns:
            Which parts are given in which frames, booleans of shape (rows, input_frames + target_frames, parts); and
            the number of frames of each row where it is known that the piece ends there, or 0, of shape (rows,).
        """
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


def has_tasks(examples: Examples) -> bool:
    """Whether something is given of the examples beside the inputs."""
    return isinstance(examples, FillingExamples) and examples.has_tasks


def given_frames(
    examples: Examples,
    indices: Int64[np.ndarray, " batch"] | Sequence[int],
    frames: Tensor,
    *,
    generator: np.random.Generator | None = None,
) -> GivenFrames | None:
    """What is given of a batch, None for examples without tasks; ``frames`` are inputs and targets in one tensor."""
    if not isinstance(examples, FillingExamples) or not examples.has_tasks:
        return None
    mask, end = examples.given(indices, generator=generator)
    return GivenFrames.of(frames, mask, examples.layout, end=end)


def frames_to_score(given: GivenFrames | None, target_mask: Tensor | None, input_frames: int) -> Tensor | None:
    """Which target frames count for the loss: those that are no padding, and not given as a whole."""
    if given is None:
        return target_mask
    not_given = ~given.mask[:, input_frames:].all(dim=2)
    return not_given if target_mask is None else not_given & target_mask
