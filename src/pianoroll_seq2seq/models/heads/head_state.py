"""The state of an output head while music is generated frame by frame."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from pianoroll_seq2seq.models.given_frames import GivenFrames
from pianoroll_seq2seq.models.heads.contract import FrameDistribution, LookingHead, OutputHead, SteppingHead


@runtime_checkable
class HeadState(Protocol):
    """The past, in the form that a head reads fastest."""

    def update(self, frame: Tensor) -> "HeadState":
        """The state after one more frame, (batch, frame_size)."""
        ...

    def predict(self, features: Tensor) -> FrameDistribution:
        """The distribution of the next frame, from features (batch, in_features): batch shape (batch,)."""
        ...


def init_head_state(head: OutputHead, frames: Tensor, given: GivenFrames | None = None) -> HeadState:
    """The state of a head after known frames, (batch, known, frame_size); ``given`` begins with the next frame."""
    if isinstance(head, SteppingHead):
        if isinstance(head, LookingHead) and head.reads_given:
            return SteppingHeadState(head, head.init_state(frames, given))
        return SteppingHeadState(head, head.init_state(frames))
    if head.context_frames is None:
        return FrameHistory(head, frames, None)
    max_frames = max(1, head.context_frames)
    return FrameHistory(head, frames[:, -max_frames:], max_frames)


@dataclass(frozen=True)
class SteppingHeadState:
    """The state of a :class:`~pianoroll_seq2seq.models.heads.contract.SteppingHead`."""

    head: SteppingHead
    state: Any

    def update(self, frame: Tensor) -> "SteppingHeadState":
        """See :class:`HeadState`."""
        return SteppingHeadState(self.head, self.head.update(frame, self.state))

    def predict(self, features: Tensor) -> FrameDistribution:
        """See :class:`HeadState`."""
        return self.head.predict(features, self.state)


@dataclass(frozen=True)
class FrameHistory:
    """The past frames: the latest ``max_frames``, or all if it is None."""

    head: OutputHead
    frames: Tensor
    max_frames: int | None

    def update(self, frame: Tensor) -> "FrameHistory":
        """See :class:`HeadState`."""
        if self.max_frames == 1:
            return FrameHistory(self.head, frame.unsqueeze(1), 1)
        frames = torch.cat([self.frames, frame.unsqueeze(1)], dim=1)
        if self.max_frames is not None:
            frames = frames[:, -self.max_frames :]
        return FrameHistory(self.head, frames, self.max_frames)

    def predict(self, features: Tensor) -> FrameDistribution:
        """See :class:`HeadState`."""
        return self.head(features.unsqueeze(1), self.frames)[:, 0]
