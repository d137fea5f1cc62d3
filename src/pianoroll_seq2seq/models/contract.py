"""The contract of a model: what ``fit``, ``evaluate`` and ``generate`` require.

To write a model, derive from ``torch.nn.Module`` and define ``forward``, ``start`` and ``advance``. Nothing of this
file needs to be imported. With ``settings`` as well, checkpoints of the model load without its code being named. A
model with an attribute ``layout`` (a :class:`~pianoroll_seq2seq.layout.FrameLayout`) refuses music on another grid or
of other pitches. A model with conditions has a ``condition_size`` and takes them in ``forward`` and ``start``.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from pianoroll_seq2seq.data.condition_sources import ConditionSource
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.layout import FrameLayout, OnGrid
from pianoroll_seq2seq.models.given_frames import GivenFrames
from pianoroll_seq2seq.models.heads.contract import FrameDistribution


@runtime_checkable
class SequenceModel(Protocol):
    """A model that continues piano rolls. Frames are float tensors of zeros and ones."""

    def __call__(self, inputs: Tensor, targets: Tensor) -> FrameDistribution:
        """``forward``: the distribution of every target frame, given the frames before it.

        Args:
            inputs: input frames, (batch, input_frames, frame_size).
            targets: the frames to predict, (batch, target_frames, frame_size). Target ``t`` may be predicted from the
                inputs and from targets before ``t`` (teacher forcing), never from later ones.

        Returns:
            A distribution of batch shape (batch, target_frames).
        """
        ...

    def start(self, primer: Tensor) -> tuple[FrameDistribution, Any]:
        """Reads a primer (batch, frames, frame_size): the distribution of the next frame, and a state."""
        ...

    def advance(self, frame: Tensor, state: Any) -> tuple[FrameDistribution, Any]:
        """Reads one more frame (batch, frame_size): the distribution of the frame after it, and a new state."""
        ...

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """As in ``torch.nn.Module``."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """As in ``torch.nn.Module``."""
        ...

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Any:
        """As in ``torch.nn.Module``."""
        ...

    def train(self, mode: bool = True) -> "SequenceModel":
        """As in ``torch.nn.Module``."""
        ...

    @property
    def training(self) -> bool:
        """As in ``torch.nn.Module``."""
        ...


@runtime_checkable
class ConditionalModel(Protocol):
    """A model that reads conditions together with frames (:mod:`~pianoroll_seq2seq.data.conditions`)."""

    condition_size: int
    """Size of a condition, 0 for a model without conditions."""

    def __call__(self, inputs: Tensor, targets: Tensor, condition: Tensor | None = None) -> FrameDistribution:
        """``forward``, with the conditions of inputs and targets, (batch, input_frames + target_frames, size).

        Target ``t`` may be predicted from the conditions of all frames up to ``t``, never from later ones. None means
        no condition.
        """
        ...

    def start(self, primer: Tensor, condition: Tensor | None = None) -> tuple[FrameDistribution, Any]:
        """``start``, with the conditions of the primer and of the frames to come. The last one is repeated."""
        ...

    def advance(self, frame: Tensor, state: Any) -> tuple[FrameDistribution, Any]:
        """As in :class:`SequenceModel`."""
        ...


@runtime_checkable
class FillingModel(Protocol):
    """A model that fills what is not given of a piece.

    Its distributions are of whole frames: samples have the given cells as they are, and log-probabilities are of the
    other cells.
    """

    def __call__(
        self, inputs: Tensor, targets: Tensor, condition: Tensor | None = None, *, given: GivenFrames | None = None
    ) -> FrameDistribution:
        """``forward``, with what is given of inputs and targets; by default the inputs alone."""
        ...

    def start_filling(
        self, given: GivenFrames, condition: Tensor | None = None, *, begin: int = 0
    ) -> tuple[FrameDistribution, Any]:
        """Reads what is given of a piece: the distribution of its frame ``begin``, and a state.

        All frames before ``begin`` are given as a whole.
        """
        ...

    def advance(self, frame: Tensor, state: Any) -> tuple[FrameDistribution, Any]:
        """As in :class:`SequenceModel`."""
        ...


def source_of(model: object) -> ConditionSource | None:
    """The source of a model's conditions, or None if it has none."""
    source = getattr(model, "condition_source", None)
    return source if isinstance(source, ConditionSource) else None


def require_filling(model: object) -> FillingModel:
    """The model, if it can fill what is not given.

    Raises:
        SettingsError: it cannot.
    """
    if isinstance(model, FillingModel):
        return model
    raise SettingsError(
        f"{type(model).__name__} only continues music: it cannot read what is given of later frames. Train a "
        f"FillingLSTM on WholePieces(..., tasks=FillTasks())."
    )


def require_conditional(model: object, size: int) -> ConditionalModel:
    """The model, if it reads conditions of a size.

    Raises:
        SettingsError: it reads conditions of another size, or none.
    """
    if isinstance(model, ConditionalModel) and model.condition_size == size:
        return model
    expected = getattr(model, "condition_size", 0)
    raise SettingsError(
        f"Got conditions of size {size}, but this {type(model).__name__} expects "
        f"{f'conditions of size {expected}' if expected else 'none'}. Build a Seq2SeqLSTM with "
        f"condition_size={size} and train it on SlidingWindows(..., conditions=...), or leave the conditions out."
    )


def predict(
    model: SequenceModel,
    inputs: Tensor,
    targets: Tensor,
    condition: Tensor | None,
    given: GivenFrames | None = None,
) -> FrameDistribution:
    """The distribution of every target frame, with the condition and what is given, if there are any.

    Raises:
        SettingsError: a condition that the model does not read, or something given for a model that cannot fill.
    """
    dtype = dtype_of(model)
    inputs, targets = inputs.to(dtype), targets.to(dtype)
    if given is not None:
        condition = None if condition is None else condition.to(dtype)
        return require_filling(model)(inputs, targets, condition, given=given.to(inputs.device, dtype))
    if condition is None:
        return model(inputs, targets)
    return require_conditional(model, condition.shape[-1])(inputs, targets, condition.to(dtype))


def layout_of(model: object) -> FrameLayout | None:
    """The frame layout that a model was built from, or None if it does not say."""
    layout = getattr(model, "layout", None)
    return layout if isinstance(layout, FrameLayout) else None


def check_frame_size(frame_size: int, *frames: Tensor) -> None:
    """Refuses frames of another size than the model's.

    Raises:
        ShapeError: names both sizes, and the usual reason.
    """
    for each in frames:
        if each.shape[-1] != frame_size:
            raise ShapeError(
                f"The model expects frames of {frame_size} columns, got frames of shape {tuple(each.shape)}. Use the "
                f"layout of the model's training windows: its pitches, and its onset plane if it has one."
            )


def check_inputs(inputs: Tensor, model: object) -> None:
    """Refuses inputs without frames, for a model that reads some before it predicts the first.

    Raises:
        ShapeError: names the argument to pass.
    """
    if not inputs.shape[1]:
        raise ShapeError(
            f"{type(model).__name__} reads at least one input frame before it predicts the first, got inputs of shape "
            f"{tuple(inputs.shape)}. Pass input_frames (and target_frames) as in the windows of its training, such as "
            f"likelihood(model, rolls, input_frames=32, target_frames=32)."
        )


def check_primer(frame_size: int, primer: Tensor) -> None:
    """Refuses a primer of another frame size, or without frames.

    Raises:
        ShapeError: names the expected shape.
    """
    if primer.shape[1] < 1 or primer.shape[2] != frame_size:
        raise ShapeError(
            f"The model expects a primer of shape (batch, frames >= 1, {frame_size}), got {tuple(primer.shape)}. "
            f"Convert the primer with roll.to_frames(layout), where layout is that of the training windows."
        )


def choose_layout(model: object, layout: FrameLayout | None) -> FrameLayout | None:
    """The layout of a model's frames: its own, or the given one for a model without one.

    Raises:
        GridError, PitchRangeError, ShapeError: the given layout is not the model's own.
    """
    own = layout_of(model)
    if own is not None and layout is not None:
        own.check_same(layout, "The layout")
    return own or layout


def layout_for(model: object, music: OnGrid, layout: FrameLayout | None = None) -> FrameLayout:
    """The layout of a model's frames: its own, the given one, or that of the music for a model without one.

    A model that was built from a number of columns has onsets if these are the columns of two planes.

    Args:
        model: the model.
        music: the music that it reads.
        layout: the layout of a model that was built from a number of columns.

    Raises:
        GridError, PitchRangeError, ShapeError: the given layout is not the model's own.
    """
    chosen = choose_layout(model, layout)
    if chosen is not None:
        return chosen
    with_onsets = FrameLayout.of(music)
    has_onsets = getattr(model, "frame_size", None) in (None, with_onsets.frame_size)
    return with_onsets if has_onsets else FrameLayout.of(music, onsets=False)


def device_of(model: SequenceModel) -> torch.device:
    """The device of the model's parameters; the CPU for a model without parameters."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def dtype_of(model: SequenceModel) -> torch.dtype:
    """The type in which a model reads frames: that of its weights; float32 for a model without weights.

    Raises:
        SettingsError: weights in 16 bits on a CPU that cannot compute with them.
    """
    for parameter in model.parameters():
        if parameter.is_floating_point():
            dtype = parameter.dtype
            if parameter.device.type == "cpu" and dtype.itemsize < torch.float32.itemsize and not _cpu_has(dtype):
                raise SettingsError(
                    f"The model's weights are {dtype}, which this CPU cannot compute with. Call model.float()."
                )
            return dtype
    return torch.float32


@cache
def _cpu_has(dtype: torch.dtype) -> bool:
    """Whether an LSTM runs in a type on this CPU."""
    try:
        with torch.no_grad():
            nn.LSTM(1, 1).to(dtype)(torch.zeros(1, 1, 1, dtype=dtype))
    except RuntimeError:
        return False
    return True
