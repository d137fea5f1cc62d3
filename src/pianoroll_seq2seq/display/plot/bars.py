"""Matplotlib artists for notes: bars and onset marks, whose lines stay thin relative to the notes at every zoom.

This module imports matplotlib, so it is imported only when something is drawn.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64
from matplotlib.collections import LineCollection, PolyCollection

MAX_SHARE = 0.2
"""The largest width of a line, as a share of its note's length and height."""
_MIN_POINTS = 0.05  # thinner lines are invisible


class Bars(PolyCollection):
    """The bars of notes.

    Args:
        corners: of shape (notes, 4, 2): the lower and the upper corner at the beginning, the upper and the lower at the
            end.
        points: width of the edges, if the bars are large enough.
        share: the largest width of the edges, as a share of a bar's length and height.
        **style: arguments of ``PolyCollection``.
    """

    def __init__(
        self, corners: Float64[np.ndarray, "notes 4 2"], *, points: float, share: float = MAX_SHARE, **style: Any
    ) -> None:
        """Creates the collection."""
        super().__init__([], **style)
        self._points, self._share = points, share
        self._lengths = corners[:, 2, 0] - corners[:, 0, 0]
        self._heights = corners[:, 1, 1] - corners[:, 0, 1]
        if len(corners):
            shapes: Any = corners
            self.set_verts(shapes)  # one array is faster than a list

    def draw(self, renderer: Any) -> None:
        """Draws the bars, with edge widths for the current zoom."""
        widths = _line_widths(self.axes, self._points, self._share, self._lengths, self._heights)
        self.set_linewidth(widths)  # type: ignore[arg-type]
        super().draw(renderer)


class OnsetMarks(LineCollection):
    """Vertical lines at the onsets of notes.

    Args:
        lines: of shape (notes, 2, 2): the lower and the upper end of each line.
        lengths: the lengths of the notes.
        points: width of the lines, if the notes are large enough.
        **style: arguments of ``LineCollection``.
    """

    def __init__(
        self,
        lines: Float64[np.ndarray, "notes 2 2"],
        lengths: Float64[np.ndarray, " notes"],
        *,
        points: float,
        **style: Any,
    ) -> None:
        """Creates the collection."""
        super().__init__(list(lines), capstyle="butt", **style)
        self._points = points
        self._lengths = lengths
        self._heights = lines[:, 1, 1] - lines[:, 0, 1]

    def draw(self, renderer: Any) -> None:
        """Draws the lines, with widths for the current zoom; skips them if all would be invisible."""
        widths = _line_widths(self.axes, self._points, MAX_SHARE, self._lengths, self._heights)
        if widths.max(initial=0) > _MIN_POINTS:
            self.set_linewidth(widths)  # type: ignore[arg-type]
            super().draw(renderer)


def _line_widths(
    ax: Any,
    points: float,
    share: float,
    lengths: Float64[np.ndarray, " notes"],
    heights: Float64[np.ndarray, " notes"],
) -> Float64[np.ndarray, " notes"]:
    """The line width of each note at the current zoom, in points."""
    extent, inch = ax.get_window_extent(), ax.get_figure(root=True).dpi
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    wide = extent.width / inch * 72 / abs(right - left) * lengths
    high = extent.height / inch * 72 / abs(top - bottom) * heights
    widths: np.ndarray = np.minimum(points, share * np.minimum(wide, high))
    return widths
