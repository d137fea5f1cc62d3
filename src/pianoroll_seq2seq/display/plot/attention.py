"""Attention weights."""

from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq.display.palette import MAP
from pianoroll_seq2seq.display.plot.figures import new_axes
from pianoroll_seq2seq.display.plot.times import times_of_lines, unit_of
from pianoroll_seq2seq.errors import ShapeError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.tempo import TempoMap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor


def plot_attention(
    weights: "Tensor | np.ndarray", *, grid: FrameGrid | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Draws attention weights: input frames to the right, target frames downwards.

    Args:
        weights: of one piece, of shape (target, input): ``model.attention_weights(inputs, targets)[0]``.
        grid: the grid of the frames; the axes are then in its beats (or seconds), from the first input frame and from
            the first target frame. By default they are in frames.
        ax: the axes to draw into; a new figure by default.

    Raises:
        ShapeError: weights of another shape, or without elements.
        MissingExtraError: matplotlib is not installed.
    """
    if weights.ndim != 2 or 0 in weights.shape:
        raise ShapeError(
            f"plot_attention expects the weights of one piece, (target, input), got {tuple(weights.shape)}. "
            f"Draw one piece of a batch: weights[0]."
        )
    ax = ax if ax is not None else new_axes(width=7)
    from matplotlib.ticker import AutoLocator, MaxNLocator

    shares = np.array(weights.tolist())
    extent = unit = None
    if grid is not None:
        unit = unit_of(grid, None)
        ends = times_of_lines(np.array(shares.shape), grid=grid, tempo=TempoMap(), unit=unit)
        extent = (0.0, float(ends[1]), float(ends[0]), 0.0)
    image = ax.imshow(
        shares, aspect="auto", cmap=MAP, interpolation="nearest", vmin=0, vmax=shares.max(), extent=extent
    )
    ax.figure.colorbar(image, ax=ax, label="weight")
    for axis, name in ((ax.xaxis, "input"), (ax.yaxis, "target")):
        axis.set_label_text(f"{name} frame" if unit is None else f"{name}, {unit}")
        axis.set_major_locator(MaxNLocator(integer=True) if unit is None else AutoLocator())
    return ax
