"""Bars of notes and the marks at their onsets, whose lines stay thin beside short notes however far one zooms.

Matplotlib is imported here: this module is asked for where one draws.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64
from matplotlib.collections import LineCollection, PolyCollection

SHARE = 0.2
"""Of a note's length and height, which its lines take at the most."""
_FAINTEST_POINTS = 0.05  # a thinner line is not seen


class Bars(PolyCollection):
    """Bars, given as corners, of shape (notes, 4, 2).

    Args:
        corners: where each lies: at its beginning the lower one and the upper one, at its end the upper one first.
        points: width of their edges, where they are large enough.
        share: of a bar's length and height, which its edges take at the most.
        **style: as of ``PolyCollection``.
    """

    def __init__(
        self, corners: Float64[np.ndarray, "notes 4 2"], *, points: float, share: float = SHARE, **style: Any
    ) -> None:
        """Takes the bars."""
        super().__init__([], **style)
        self._points, self._share = points, share
        self._lengths = corners[:, 2, 0] - corners[:, 0, 0]
        self._heights = corners[:, 1, 1] - corners[:, 0, 1]
        if len(corners):
            shapes: Any = corners
            self.set_verts(shapes)  # as one array, which is quicker than a list

    def draw(self, renderer: Any) -> None:
        """Draws them, with edges as thin as they now must be."""
        widths = _line_widths(self.axes, self._points, self._share, self._lengths, self._heights)
        self.set_linewidth(widths)  # type: ignore[arg-type]
        super().draw(renderer)


class Marks(LineCollection):
    """Upright lines at the beginnings of notes.

    Args:
        ends: of the lines, (notes, 2, 2): the lower end first.
        lengths: of the notes.
        points: width of the lines, where the notes are large enough.
        **style: as of ``LineCollection``.
    """

    def __init__(
        self,
        ends: Float64[np.ndarray, "notes 2 2"],
        lengths: Float64[np.ndarray, " notes"],
        *,
        points: float,
        **style: Any,
    ) -> None:
        """Takes the lines."""
        super().__init__(list(ends), capstyle="butt", **style)
        self._points = points
        self._lengths = lengths
        self._heights = ends[:, 1, 1] - ends[:, 0, 1]

    def draw(self, renderer: Any) -> None:
        """Draws them as thin as they now must be, and not at all where none would be seen."""
        widths = _line_widths(self.axes, self._points, SHARE, self._lengths, self._heights)
        if widths.max(initial=0) > _FAINTEST_POINTS:
            self.set_linewidth(widths)  # type: ignore[arg-type]
            super().draw(renderer)


def _line_widths(
    ax: Any,
    points: float,
    share: float,
    lengths: Float64[np.ndarray, " notes"],
    heights: Float64[np.ndarray, " notes"],
) -> Float64[np.ndarray, " notes"]:
    """A line width for each note of some axes, in points."""
    extent, inch = ax.get_window_extent(), ax.get_figure(root=True).dpi
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    wide = extent.width / inch * 72 / abs(right - left) * lengths
    high = extent.height / inch * 72 / abs(top - bottom) * heights
    widths: np.ndarray = np.minimum(points, share * np.minimum(wide, high))
    return widths
