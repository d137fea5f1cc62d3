"""What is given of some pieces, as tensors: the input of a model that fills the rest."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from pianoroll_seq2seq.errors import ShapeError
from pianoroll_seq2seq.layout import FrameLayout, frame_size_of


@dataclass(frozen=True)
class GivenFrames:
    """The given cells of a batch of pieces. A mask says which parts are given in which frames.

    Args:
        frames: the given cells, zero where nothing is given, (batch, frames, frame_size).
        mask: which parts are given in each frame, (batch, frames, parts).
        end: the number of frames of each piece, where it is known that the piece ends there; 0 where it is not known
            how the piece goes on, (batch,).
    """

    frames: Float[Tensor, "batch frames columns"]
    mask: Bool[Tensor, "batch frames parts"]
    end: Int64[Tensor, " batch"]

    @classmethod
    def of(
        cls,
        frames: Float[Tensor, "batch frames columns"],
        mask: Bool[Tensor, "batch frames parts"],
        layout: FrameLayout | int,
        *,
        end: Int64[Tensor, " batch"] | None = None,
    ) -> "GivenFrames":
        """The given cells of whole pieces.

        Args:
            frames: all cells of the pieces; those that are not given are not kept.
            mask: which parts are given in each frame.
            layout: what the columns mean, or their number: then there is one part.
            end: the number of frames of each piece, or 0 where the end is not known; not known by default.

        Raises:
            ShapeError: a mask of another shape than the frames, or of another number of parts.
        """
        cells = given_columns(mask, layout)
        if cells.shape != frames.shape:
            raise ShapeError(
                f"Frames of shape {tuple(frames.shape)} need a mask of shape (batch, frames, parts), got "
                f"{tuple(mask.shape)}."
            )
        if end is None:
            end = torch.zeros(len(frames), dtype=torch.int64, device=frames.device)
        return cls(frames * cells, mask, end)

    def from_frame(self, begin: int) -> "GivenFrames":
        """From a frame on."""
        return GivenFrames(self.frames[:, begin:], self.mask[:, begin:], self.end)

    def to(self, device: torch.device, dtype: torch.dtype) -> "GivenFrames":
        """On a device, with frames of a type."""
        return GivenFrames(self.frames.to(device, dtype), self.mask.to(device), self.end.to(device))


def given_columns(mask: Bool[Tensor, "*batch parts"], layout: FrameLayout | int) -> Bool[Tensor, "*batch columns"]:
    """Which columns of frames are given, from which parts are.

    Raises:
        ShapeError: a mask of another number of parts than the layout's.
    """
    sizes = [len(part.pitches) for part in layout.parts] if isinstance(layout, FrameLayout) else [frame_size_of(layout)]
    if mask.shape[-1] != len(sizes):
        raise ShapeError(f"The mask has {mask.shape[-1]} parts, the layout {len(sizes)}: {layout}.")
    cells = mask.repeat_interleave(torch.tensor(sizes, device=mask.device), dim=-1)
    num_planes = len(layout.planes) if isinstance(layout, FrameLayout) else 1
    return cells.repeat(*[1] * (cells.ndim - 1), num_planes)
