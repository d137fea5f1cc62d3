"""The contract of a model: all that ``fit``, ``evaluate`` and ``generate`` ask of one.

Derive from ``torch.nn.Module`` and write ``forward``, ``start`` and ``advance``; nothing of this file
needs to be imported. With ``settings`` as well, checkpoints of the model load by themselves. A model that hears
conditions has a ``condition_size`` and takes them in ``forward`` and ``start``.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.heads.base import FrameDistribution


@runtime_checkable
class SequenceModel(Protocol):
    """A model that continues piano rolls. Frames are floats of zeros and ones."""

    def __call__(self, inputs: Tensor, targets: Tensor) -> FrameDistribution:
        """``forward``: the distribution of every target frame, given the frames before it.

        Args:
            inputs: frames heard, (batch, input_frames, pitches).
            targets: the frames to predict, (batch, target_frames, pitches). Target ``t`` may be predicted
                from the inputs and from targets before ``t`` (teacher forcing), never from later ones.

        Returns:
            A distribution of batch shape (batch, target_frames).
        """
        ...

    def start(self, primer: Tensor) -> tuple[FrameDistribution, Any]:
        """Hears a primer (batch, frames, pitches): the distribution of the next frame, and a state."""
        ...

    def advance(self, frame: Tensor, state: Any) -> tuple[FrameDistribution, Any]:
        """Hears one more frame (batch, pitches): the distribution of the frame after it, and a new state."""
        ...

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """As of ``torch.nn.Module``."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """As of ``torch.nn.Module``."""
        ...

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Any:
        """As of ``torch.nn.Module``."""
        ...

    def train(self, mode: bool = True) -> "SequenceModel":
        """As of ``torch.nn.Module``."""
        ...

    @property
    def training(self) -> bool:
        """As of ``torch.nn.Module``."""
        ...


@runtime_checkable
class HearsConditions(Protocol):
    """What a model has besides that is told more of a piece than its frames (:mod:`~pianoroll_seq2seq.conditions`)."""

    condition_size: int
    """Numbers of a condition, 0 for a model that hears none."""

    def __call__(self, inputs: Tensor, targets: Tensor, condition: Tensor | None = None) -> FrameDistribution:
        """``forward``, with the conditions of inputs and targets, (batch, input_frames + target_frames, size).

        Target ``t`` may be predicted from the conditions of all frames up to ``t``, never from later ones. None tells
        nothing.
        """
        ...

    def start(self, primer: Tensor, condition: Tensor | None = None) -> tuple[FrameDistribution, Any]:
        """``start``, with the conditions of the primer and of the frames to come, the last for all beyond."""
        ...

    def advance(self, frame: Tensor, state: Any) -> tuple[FrameDistribution, Any]:
        """As of :class:`SequenceModel`."""
        ...


def hearing(model: object, size: int) -> HearsConditions:
    """The model as one that hears conditions of a size.

    Raises:
        SettingsError: it hears conditions of another size, or none.
    """
    if isinstance(model, HearsConditions) and model.condition_size == size:
        return model
    heard = getattr(model, "condition_size", 0)
    raise SettingsError(
        f"Conditions of {size} numbers were given, but this {type(model).__name__} hears "
        f"{f'conditions of {heard}' if heard else 'none'}. Build a Seq2SeqLSTM with condition_size={size} and "
        f"train it on SlidingWindows(..., conditions=), or leave the conditions out."
    )


def predict(model: SequenceModel, inputs: Tensor, targets: Tensor, condition: Tensor | None) -> FrameDistribution:
    """The distribution of every target frame, with the condition where there is one.

    Raises:
        SettingsError: a condition that the model does not hear.
    """
    if condition is None:
        return model(inputs, targets)
    return hearing(model, condition.shape[-1])(inputs, targets, condition)


def check_columns(pitches: int, *frames: Tensor) -> None:
    """Refuses frames of another size than a model's.

    Raises:
        ShapeError: names both sizes, and the usual reason.
    """
    for each in frames:
        if each.shape[-1] != pitches:
            raise ShapeError(
                f"The model expects frames of {pitches} columns, got frames of shape {tuple(each.shape)}. Read the "
                f"music with the grid and PitchRange (and onsets) that the model was trained on."
            )


@contextmanager
def inference(model: SequenceModel) -> Iterator[None]:
    """Within: no gradients, and the model in evaluation mode; afterwards as before."""
    was_training = model.training
    model.train(False)
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def device_of(model: SequenceModel) -> torch.device:
    """Where the model's parameters lie; the CPU for a model without any."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
