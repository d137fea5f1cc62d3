"""Where a decoder looks."""

from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq.errors import ShapeError
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.plot.figures import new_axes
from pianoroll_seq2seq.plot.palette import MAP
from pianoroll_seq2seq.plot.times import times_of_lines, unit_of
from pianoroll_seq2seq.tempo import TempoMap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor


def plot_attention(
    weights: "Tensor | np.ndarray", *, grid: FrameGrid | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Draws how much a decoder looks at each input frame, to the right, for each target frame, downwards.

    Args:
        weights: of one piece, (target, input): ``model.attention_weights(inputs, targets)[0]``.
        grid: the grid of the frames; the axes then count its beats (or seconds) from the first input frame and from
            the first target frame. By default they count frames.
        ax: where to draw; a new figure by default.

    Raises:
        ShapeError: weights of several pieces, or of none.
        MissingExtraError: matplotlib is not installed.
    """
    if weights.ndim != 2 or 0 in weights.shape:
        raise ShapeError(
            f"plot_attention expects the weights of one piece, (target, input), got {tuple(weights.shape)}. "
            f"Draw one of a batch: weights[0]."
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
    for axis, what in ((ax.xaxis, "input"), (ax.yaxis, "target")):
        axis.set_label_text(f"{what} frame" if unit is None else f"{what}, {unit}")
        axis.set_major_locator(MaxNLocator(integer=True) if unit is None else AutoLocator())
    return ax
