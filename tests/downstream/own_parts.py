"""Plug-ins of a user, each assigned to its contract.

A user of the installed package writes such code. ``nox -s package`` checks the files of this folder with
``mypy --strict`` and ``pyright`` against the installed wheel, and runs them there.
"""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pianoroll_seq2seq import (
    Bernoulli,
    BernoulliHead,
    FrameDistribution,
    FrameGrid,
    FrameLayout,
    OutputHead,
    Sampler,
    SecondsGrid,
    SequenceModel,
    TempoMap,
    Tracker,
)


class TwoLayerHead(nn.Module):
    """A head: the decoder's features become a distribution."""

    def __init__(self, in_features: int, layout: FrameLayout | int) -> None:
        """Builds both layers."""
        super().__init__()
        self.in_features = in_features
        self.frame_size = layout if isinstance(layout, int) else layout.frame_size
        self.context_frames: int | None = 0
        self.layers = nn.Sequential(nn.Linear(in_features, 8), nn.GELU(), nn.Linear(8, self.frame_size))

    def forward(self, features: Tensor, past: Tensor) -> FrameDistribution:
        """Independent pitches."""
        return Bernoulli(self.layers(features))

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"in_features": self.in_features, "layout": self.frame_size}


class Repeating(nn.Module):
    """A model: each frame probably equals the one before."""

    def __init__(self, frame_size: int, certainty: float = 3.0) -> None:
        """One weight."""
        super().__init__()
        self.frame_size = frame_size
        self.certainty = nn.Parameter(torch.tensor(certainty))

    def forward(self, inputs: Tensor, targets: Tensor) -> FrameDistribution:
        """The distribution of every target frame."""
        return self._after(torch.cat([inputs[:, -1:], targets[:, :-1]], dim=1))

    def start(self, primer: Tensor) -> tuple[FrameDistribution, Any]:
        """After a primer."""
        return self._after(primer[:, -1]), None

    def advance(self, frame: Tensor, state: Any) -> tuple[FrameDistribution, Any]:
        """After one more frame."""
        return self._after(frame), None

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"frame_size": self.frame_size}

    def _after(self, frames: Tensor) -> Bernoulli:
        return Bernoulli((2 * frames - 1) * self.certainty)


class AtMost:
    """A sampler: at most so many notes at once, the likeliest."""

    def __init__(self, notes: int) -> None:
        """Keeps the number."""
        self.notes = notes

    def __call__(self, distribution: FrameDistribution, *, generator: torch.Generator) -> Tensor:
        """The frames."""
        drawn = distribution.sample(generator=generator)
        least = distribution.mean.topk(self.notes, dim=-1).values[..., -1:]
        return drawn * (distribution.mean >= least)


class Printing:
    """A tracker: prints what it gets."""

    def __enter__(self) -> "Printing":
        """Begins."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Ends."""

    def log_params(self, params: Mapping[str, str | int | float | bool | None]) -> None:
        """Settings."""
        print(dict(params))

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        """Figures."""
        print(step, {name: round(value, 3) for name, value in metrics.items()})

    def log_artifact(self, path: str | os.PathLike[str]) -> None:
        """A file."""
        print(os.fspath(path))

    def flush(self) -> None:
        """Does nothing: all is printed."""


class Halves:
    """A grid: frames of half a second."""

    _grid = SecondsGrid(0.5)

    def lines_at(self, ticks: npt.NDArray[np.int64], tempo: TempoMap) -> npt.NDArray[np.int64]:
        """Lines of ticks."""
        return self._grid.lines_at(ticks, tempo)

    def ticks_at(self, lines: npt.NDArray[np.int64], tempo: TempoMap) -> npt.NDArray[np.int64]:
        """Ticks of lines."""
        return self._grid.ticks_at(lines, tempo)

    def seconds_at(self, lines: npt.NDArray[np.int64], tempo: TempoMap) -> npt.NDArray[np.float64]:
        """Seconds of lines."""
        return self._grid.seconds_at(lines, tempo)

    def settings(self) -> dict[str, int | float]:
        """None."""
        return {}


head: OutputHead = TwoLayerHead(8, 12)
plain_head: OutputHead = BernoulliHead(8, 12)
model: SequenceModel = Repeating(12)
sampler: Sampler = AtMost(3)
tracker: Tracker = Printing()
grid: FrameGrid = Halves()
