"""What a head knows of the past while music is continued frame by frame."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from pianoroll_seq2seq.heads.base import FrameDistribution, OutputHead, SteppingHead


@runtime_checkable
class Past(Protocol):
    """The past as a head keeps it."""

    def after(self, frame: Tensor) -> "Past":
        """With one frame more, (batch, pitches)."""
        ...

    def distribution(self, features: Tensor) -> FrameDistribution:
        """The head's answer to the decoder's output (batch, features): batch shape (batch,)."""
        ...


def past_of(head: OutputHead, frames: Tensor) -> Past:
    """The past after some frames, (batch, known, pitches), in whichever form the head reads quickest."""
    if isinstance(head, SteppingHead):
        return Remembered(head, head.hear(frames))
    if head.context_frames is None:
        return Frames(head, frames, None)
    return Frames(head, frames[:, -max(1, head.context_frames) :], max(1, head.context_frames))


@dataclass(frozen=True)
class Remembered:
    """The memory of a head that has one."""

    head: SteppingHead
    heard: Any

    def after(self, frame: Tensor) -> "Remembered":
        """See :class:`Past`."""
        return Remembered(self.head, self.head.hear_next(frame, self.heard))

    def distribution(self, features: Tensor) -> FrameDistribution:
        """See :class:`Past`."""
        return self.head.answer(features, self.heard)


@dataclass(frozen=True)
class Frames:
    """The frames themselves: the latest ``most``, or all."""

    head: OutputHead
    frames: Tensor
    most: int | None

    def after(self, frame: Tensor) -> "Frames":
        """See :class:`Past`."""
        if self.most == 1:
            return Frames(self.head, frame.unsqueeze(1), 1)
        frames = torch.cat([self.frames, frame.unsqueeze(1)], dim=1)
        return Frames(self.head, frames if self.most is None else frames[:, -self.most :], self.most)

    def distribution(self, features: Tensor) -> FrameDistribution:
        """See :class:`Past`."""
        return self.head(features.unsqueeze(1), self.frames)[:, 0]
