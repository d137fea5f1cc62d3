"""Draws note intervals as bars with onset marks."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from pianoroll_seq2seq.display.palette import ground, ink
from pianoroll_seq2seq.display.plot.note_intervals import NoteIntervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection

BAR_HEIGHT = 0.86
"""Height of a note's bar, in semitones."""
_ONSET_POINTS = 1.3  # width of an onset mark, if the notes are large enough
_EDGE_POINTS = 0.6
_HATCH_CHUNK = 10_000  # bars that are hatched as one shape


def add_bars(
    ax: "Axes",
    notes: NoteIntervals,
    *,
    height: float | Float64[np.ndarray, " notes"] = BAR_HEIGHT,
    hatch: str = "",
    points: float = _EDGE_POINTS,
    **style: Any,
) -> "PolyCollection":
    """Draws the notes as bars.

    Args:
        ax: the axes.
        notes: the notes.
        height: height of the bars in semitones; one for all, or one for each.
        hatch: a hatch over the bars.
        points: width of their edges, if the bars are large enough.
        **style: further arguments of :class:`~pianoroll_seq2seq.display.plot.bars.Bars`.
    """
    from pianoroll_seq2seq.display.plot.bars import Bars

    low, high = notes.pitch - np.divide(height, 2), notes.pitch + np.divide(height, 2)
    corners = ((notes.start, low), (notes.start, high), (notes.end, high), (notes.end, low))
    shapes = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)
    bars = Bars(shapes, points=points, **{"edgecolors": ground(), **style})
    ax.add_collection(bars, autolim=False)
    for begin in range(0, len(notes) if hatch else 0, _HATCH_CHUNK):
        _add_hatch(ax, shapes[begin : begin + _HATCH_CHUNK], hatch)
    return bars


def add_onsets(ax: "Axes", notes: NoteIntervals, *, height: float | Float64[np.ndarray, " notes"] = BAR_HEIGHT) -> None:
    """Marks the onsets, which distinguish a repeated note from a held one."""
    from pianoroll_seq2seq.display.plot.bars import OnsetMarks

    half = np.broadcast_to(np.divide(height, 2), notes.pitch.shape)[notes.has_onset]
    begun = notes.where(notes.has_onset)
    low, high = begun.pitch - half, begun.pitch + half
    lines = np.stack([np.stack([begun.start, low], axis=-1), np.stack([begun.start, high], axis=-1)], axis=1)
    marks = OnsetMarks(lines, begun.end - begun.start, points=_ONSET_POINTS, colors=ink(), zorder=1.5)
    ax.add_collection(marks, autolim=False)


def _add_hatch(ax: "Axes", shapes: Float64[np.ndarray, "notes 4 2"], hatch: str) -> None:
    """Hatches many bars as one shape; one by one, a hundred thousand bars would take minutes."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    codes = np.tile([Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], len(shapes))
    closed = np.concatenate([shapes, shapes[:, :1]], axis=1)
    shape = Path(closed.reshape(-1, 2), codes.astype(Path.code_type))
    ax.add_artist(PathPatch(shape, facecolor="none", edgecolor="white", linewidth=0, hatch=hatch))
