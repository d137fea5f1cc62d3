"""Pitch names along an axis.

This module imports matplotlib, so it is imported only when something is drawn.
"""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axis import Axis, YAxis
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import FuncFormatter, Locator

from pianoroll_seq2seq.pitches import ALL_PITCHES

_LABEL_HEIGHTS = 1.25  # height of a label, in font sizes
_CHOICES = (
    (tuple(range(12)), 1),  # every pitch, and the semitones between neighbours
    ((0, 4, 7), 3),  # C, E and G
    ((0,), 12),
)


class PitchLocator(Locator):
    """Ticks at every pitch if there is room for the names; else at every C, E and G, at every C, or at some C."""

    def __call__(self) -> Sequence[float]:
        """The pitches of the ticks, for the current limits and size of the axis."""
        if self.axis is None:
            return []
        low, high = self.axis.get_view_interval()
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """The pitches of the ticks between two limits."""
        pitches = np.arange(max(int(np.ceil(min(vmin, vmax))), 0), min(int(np.floor(max(vmin, vmax))), 127) + 1)
        semitones = self._semitones_per_label(abs(vmax - vmin))
        for classes, spacing in _CHOICES:
            chosen = pitches[np.isin(pitches % 12, classes)]
            if spacing >= semitones and len(chosen):
                return [float(pitch) for pitch in chosen]
        octaves = pitches[pitches % 12 == 0]
        every = max(int(np.ceil(semitones / 12)), 1)
        kept = octaves[::every] if len(octaves) else pitches[:1]
        return [float(pitch) for pitch in kept]

    def _semitones_per_label(self, semitones: float) -> float:
        """How many semitones the height of a label covers."""
        axis = self.axis
        figure = axis.axes.get_figure(root=True) if isinstance(axis, Axis) else None
        if not isinstance(axis, Axis) or figure is None:
            return 12.0
        extent = axis.axes.get_window_extent()
        pixels = extent.height if isinstance(axis, YAxis) else extent.width
        size = axis.get_tick_params().get("labelsize", mpl.rcParams["ytick.labelsize"])
        points = FontProperties(size=size).get_size_in_points()
        return semitones * _LABEL_HEIGHTS * points * figure.dpi / 72 / max(pixels, 1)


def name_pitches(axis: Axis) -> None:
    """Labels an axis with pitch names, such as ``C4`` for MIDI note 60; zooming in shows more of them."""
    axis.set_major_locator(PitchLocator())
    axis.set_major_formatter(FuncFormatter(_name))


def _name(pitch: float, _position: int | None = None) -> str:
    nearest = round(pitch)
    return ALL_PITCHES.name_of(nearest) if nearest == pitch and 0 <= nearest <= 127 else ""
