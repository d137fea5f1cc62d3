"""The latest frames of a continuation, for the next run of an encoder over them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class LatestFrames:
    """As many of the latest frames as the primer had.

    One more frame costs the memory of that frame alone, whatever the length of the primer. It is a value: two
    continuations may start from the same one, and they share what lies before.

    Args:
        read: the frames that the encoder read last, (batch, frames, frame_size).
        written: the frames since then: the latest one, and in the same form the frames before it; None for no frame.
        num_written: their number.
    """

    read: Tensor
    written: tuple[Tensor, Any] | None = None
    num_written: int = 0

    def after(self, frame: Tensor) -> "LatestFrames":
        """The latest frames after one more, (batch, frame_size)."""
        return LatestFrames(self.read, (frame.clone(), self.written), self.num_written + 1)

    def tensor(self) -> Tensor:
        """The frames in their order, (batch, frames, frame_size)."""
        newest_first: list[Tensor] = []
        rest = self.written
        while rest is not None:
            frame, rest = rest
            newest_first.append(frame)
        num_frames = self.read.shape[1]
        kept = newest_first[:num_frames][::-1]
        if not kept:
            return self.read
        return torch.cat([self.read[:, len(kept) :], torch.stack(kept, dim=1)], dim=1)
