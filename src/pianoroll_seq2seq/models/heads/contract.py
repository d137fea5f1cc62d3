"""The contracts of an output head and of the distribution that it returns.

An implementation imports nothing from here; ``tests/contracts`` proves that each built-in one fits.
"""

import inspect
from collections.abc import Callable
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout, frame_size_of
from pianoroll_seq2seq.models.given_frames import GivenFrames


@runtime_checkable
class FrameDistribution(Protocol):
    """A joint distribution over the columns of a frame: batch shape (...), event shape (frame_size,).

    Frames are zeros and ones; the columns of a velocity plane hold ``velocity / 127``, and 0 where no note begins.
    Optional: ``threshold(probability)`` returns the frame that :class:`~pianoroll_seq2seq.sampling.Threshold` chooses,
    for a distribution whose columns cannot be chosen one by one.
    """

    def log_prob(self, frames: Tensor) -> Tensor:
        """The exact log-probability of frames (..., frame_size), in nats: shape (...)."""
        ...

    def sample(self, *, generator: torch.Generator) -> Tensor:
        """An exact sample: float frames (..., frame_size).

        A class whose samples take all random numbers from
        :func:`~pianoroll_seq2seq.models.heads.random_numbers.uniform` may say ``rowwise = True``: then many pieces are
        sampled at once. Of other classes ``generate`` samples one piece after another.
        """
        ...

    @property
    def mean(self) -> Tensor:
        """The mean of each column, (..., frame_size), for plots and thresholds; of zeros and ones the probability."""
        ...

    def __getitem__(self, index: Any) -> "FrameDistribution":
        """The distributions at an index of the batch shape, as a tensor of that shape is indexed."""
        ...

    def tempered(self, temperature: float) -> "FrameDistribution":
        """A sharper distribution for temperatures below 1, a flatter one above 1."""
        ...


class FillingDistribution(FrameDistribution, Protocol):
    """A distribution of frames of which some cells may be given."""

    def given(self, frames: Tensor, cells: Tensor) -> FrameDistribution:
        """The distribution of the other cells. Its samples are whole frames, with the given cells as they are.

        Args:
            frames: frames with the given cells, (..., frame_size); the others are not read.
            cells: the columns that are given, booleans (..., frame_size): all columns of a part, or none.
        """
        ...


@runtime_checkable
class OutputHead(Protocol):
    """A ``torch.nn.Module`` that turns decoder features into frame distributions."""

    in_features: int
    """Size of the decoder's output that it reads."""

    frame_size: int
    """Columns of the frames that it describes."""

    context_frames: int | None
    """How many past frames it reads: 0 for none, None for all. A decoder that writes all target frames at once knows no
    past frames, and takes only heads with 0."""

    def __call__(self, features: Tensor, past: Tensor) -> FrameDistribution:
        """One distribution per decoder step.

        Args:
            features: the decoder's output, (batch, steps, in_features).
            past: known frames, (batch, known, frame_size), with known >= steps. Step ``i`` may read
                ``past[:, : known - steps + 1 + i]`` and nothing later.

        Returns:
            A distribution of batch shape (batch, steps).
        """
        ...

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        ...


@runtime_checkable
class LookingHead(Protocol):
    """Optional: a head that reads what is given of the frames to come.

    A head whose distributions are :class:`FillingDistribution` says ``takes_given = True``.
    """

    reads_given: bool
    """Whether it reads them."""

    def __call__(self, features: Tensor, past: Tensor, given: GivenFrames | None = None) -> FrameDistribution:
        """As of :class:`OutputHead`; ``given`` begins with the frame of the first step."""
        ...

    def init_state(self, past: Tensor, given: GivenFrames | None = None) -> Any:
        """As of :class:`SteppingHead`; ``given`` begins with the frame after the known ones."""
        ...


def with_given(head: OutputHead, features: Tensor, past: Tensor, given: GivenFrames | None) -> FrameDistribution:
    """The distributions of a head, which reads what is given if it can."""
    if isinstance(head, LookingHead) and head.reads_given:
        return head(features, past, given)
    return head(features, past)


HeadFactory = Callable[..., OutputHead]
"""A head class, or a ``functools.partial`` of one: called as ``factory(in_features, layout)``."""


@runtime_checkable
class SteppingHead(Protocol):
    """Optional methods of a head with a long context, so that a step of generation need not read all past frames again.

    A model that generates frame by frame calls these three instead of ``__call__`` if a head has them. They must return
    the same distributions.
    """

    def init_state(self, past: Tensor) -> Any:
        """The state after known frames, (batch, known, frame_size): a value of any type."""
        ...

    def update(self, frame: Tensor, state: Any) -> Any:
        """The state after one more frame, (batch, frame_size)."""
        ...

    def predict(self, features: Tensor, state: Any) -> FrameDistribution:
        """The distribution of the next frame, from the decoder's output (batch, in_features): batch shape (batch,)."""
        ...


def build_head(
    head: OutputHead | HeadFactory, in_features: int, layout: FrameLayout | int, num_candidates: int
) -> OutputHead:
    """The head of a model: built by a factory, or checked if it is built already.

    Args:
        head: a head, or a factory. A factory that takes ``num_candidates`` is given it if the model has copy heads.
        in_features: size of the features that the model gives to its head.
        layout: what the columns of a frame mean, or their number.
        num_candidates: copy candidates among the features.

    Raises:
        SettingsError: a head of other sizes, or neither a head nor a factory.
        GridError, PitchRangeError, ShapeError: a head that was built for another layout.
    """
    if isinstance(head, nn.Module):
        built = cast(OutputHead, head)
    else:
        factory = cast(HeadFactory, head)
        if not callable(factory):
            raise SettingsError(f"head must be a head, its class or a functools.partial of it, got {head!r}.")
        takes_candidates = num_candidates and _takes(factory, "num_candidates")
        built = factory(in_features, layout, **({"num_candidates": num_candidates} if takes_candidates else {}))
    frame_size = frame_size_of(layout)
    if (built.in_features, built.frame_size) != (in_features, frame_size):
        raise SettingsError(
            f"The head has in_features={built.in_features} and frame_size={built.frame_size}, but the model needs "
            f"{in_features} and {frame_size}. Pass the head's class, such as head=BernoulliHead, and the model builds "
            f"it with its own sizes."
        )
    own = getattr(built, "layout", None)
    if isinstance(own, FrameLayout) and isinstance(layout, FrameLayout):
        layout.check_same(own, "The head's layout")
    return built


def _takes(factory: HeadFactory, name: str) -> bool:
    """Whether a factory takes a keyword argument."""
    parameters = inspect.signature(factory).parameters
    return name in parameters or any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
