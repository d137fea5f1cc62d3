"""What a model over whole pieces reads before each frame, beside its memory.

The latest frame, a fast average of the frames before, the chroma of slower averages (the tonal context), for how many
frames the latest one and each part have been repeated, and a clock: the phases of cycles of 2 to 64 frames, and the
number of frames so far.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq.layout import FrameLayout, frame_size_of
from pianoroll_seq2seq.models.layers.exponential_average import OCTAVE, ExponentialAverage, chroma, exponential_averages
from pianoroll_seq2seq.models.note_columns import NoteColumns, note_columns

_DECAYS = (0.8, 0.95, 0.995)
_CYCLES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


@dataclass(frozen=True)
class Past:
    """The past of a continuation, for :class:`PastFeatures`.

    Args:
        average: averages of the past frames.
        latest: the latest frame, (batch, frame_size).
        repeats: for how many frames it has been repeated, itself included, and each part of several, (batch, repeats).
        num_frames: frames so far.
    """

    average: ExponentialAverage
    latest: Tensor
    repeats: Tensor
    num_frames: int


class PastFeatures(nn.Module):
    """Features of the past, without weights.

    Args:
        layout: what the columns of a frame mean, or their number.

    Attributes:
        size: the number of features.
    """

    _decays: Tensor
    _cycles: Tensor
    _chroma_weights: Tensor
    _compared: Tensor

    def __init__(self, layout: FrameLayout | int) -> None:
        """Reads the layout."""
        super().__init__()
        self.columns: NoteColumns = note_columns(layout)
        frame_size, compared = frame_size_of(layout), _compared_columns(self.columns)
        repeats = len(compared[0])
        self.size: int = 2 * frame_size + len(_DECAYS) * OCTAVE + repeats + 2 * len(_CYCLES) + 1
        self.register_buffer("_compared", compared, persistent=False)
        self.register_buffer("_decays", torch.tensor(_DECAYS), persistent=False)
        self.register_buffer("_cycles", torch.tensor(_CYCLES), persistent=False)
        self.register_buffer("_chroma_weights", self.columns.chroma_weights(), persistent=False)

    def forward(self, read: Tensor, frames: Tensor) -> Tensor:
        """The features before the first frame, before the second, ..., and after the last.

        Args:
            read: the latest frame of each step, (batch, frames, frame_size): ``frames``, or some of them dropped.
            frames: the frames, of the same shape.

        Returns:
            (batch, frames + 1, size). Before the first frame there is silence.
        """
        latest = functional.pad(read, (0, 0, 1, 0))
        repeats = functional.pad(self._repeats(read), (0, 0, 1, 0))
        position = torch.arange(latest.shape[1], device=read.device)
        return self._features(latest, exponential_averages(frames, self._decays), repeats, position)

    def start(self, frames: Tensor) -> Past:
        """The past after frames (batch, frames, frame_size), of which there may be none."""
        average = ExponentialAverage.of(frames, self._decays)
        latest, repeats = (functional.pad(each, (0, 0, 1, 0))[:, -1] for each in (frames, self._repeats(frames)))
        return Past(average, latest, repeats, frames.shape[1])

    def after(self, frame: Tensor, past: Past) -> Past:
        """The past after one more frame, (batch, frame_size)."""
        repeats = torch.where(self._changed(frame, past.latest), 1, past.repeats + 1)
        return Past(past.average.after(frame), frame, repeats, past.num_frames + 1)

    def step(self, past: Past) -> Tensor:
        """The features before the next frame, (batch, 1, size)."""
        position = torch.tensor([past.num_frames], device=past.latest.device)
        averages = past.average.average.unsqueeze(1)
        return self._features(past.latest.unsqueeze(1), averages, past.repeats.unsqueeze(1), position)

    def _features(self, latest: Tensor, averages: Tensor, repeats: Tensor, position: Tensor) -> Tensor:
        """The features of some steps.

        Args:
            latest: the frame before each step, (batch, steps, frame_size).
            averages: averages of the past, (batch, steps, rates, frame_size).
            repeats: for how many frames the latest one has been repeated, and each part, (batch, steps, repeats).
            position: frames before each step, (steps,).
        """
        # Single precision at least: 16 bits have no frame 257.
        moment = position.to(torch.promote_types(latest.dtype, torch.float32))[:, None]
        angle = 2 * math.pi * moment / self._cycles
        clock = torch.cat([angle.sin(), angle.cos(), (1 + moment).log() / 4], dim=1).to(latest.dtype)
        parts = [
            latest,
            averages[:, :, 0].to(latest.dtype),
            self._chroma(averages).flatten(2).to(latest.dtype),
            ((1 + repeats.to(moment.dtype)).log() / 2).to(latest.dtype),
            clock.expand(len(latest), -1, -1),
        ]
        return torch.cat(parts, dim=2)

    def _chroma(self, averages: Tensor) -> Tensor:
        """Averages of the active plane, summed over octaves: (..., frame_size) to (..., 12)."""
        active = averages[..., : self.columns.plane_size]
        return chroma(active) if len(self.columns.blocks) == 1 else active @ self._chroma_weights.to(active.dtype)

    def _changed(self, frames: Tensor, before: Tensor) -> Tensor:
        """Whether frames (..., frame_size) differ from others in all note planes, and in each part: (..., repeats)."""
        compared = self._compared
        differ = (frames != before)[..., : len(compared)].to(compared.dtype)
        return differ @ compared > 0

    def _repeats(self, frames: Tensor) -> Tensor:
        """For how many frames each frame has been repeated, itself included: (batch, frames, repeats)."""
        position = torch.arange(frames.shape[1], device=frames.device)[:, None]
        began = functional.pad(self._changed(frames[:, 1:], frames[:, :-1]), (0, 0, 1, 0), value=True)
        return position + 1 - torch.where(began, position, 0).cummax(dim=1).values


def _compared_columns(columns: NoteColumns) -> Tensor:
    """The columns that are compared with those of the frame before: (columns of the note planes, repeats).

    Those of all note planes together, and, of several parts, those of each.
    """
    whole = torch.ones(columns.frame_size, 1)
    if len(columns.blocks) == 1:
        return whole
    parts = torch.zeros(columns.num_planes, columns.plane_size, len(columns.blocks))
    for number, block in enumerate(columns.blocks):
        parts[:, block.columns, number] = 1
    return torch.cat([whole, parts.flatten(0, 1)], dim=1)
