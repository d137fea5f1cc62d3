"""The contract of a model: all that ``fit``, ``evaluate`` and ``generate`` ask of one.

Derive from ``torch.nn.Module`` and write ``forward``, ``start`` and ``advance``; nothing of this file
needs to be imported. With ``settings`` as well, checkpoints of the model load by themselves.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

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
