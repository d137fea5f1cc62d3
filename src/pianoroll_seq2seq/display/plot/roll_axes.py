"""The axes of a piano roll: time to the right, pitches by name."""

from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq.display.plot.note_intervals import NoteIntervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def set_roll_axes(
    ax: "Axes", *several: NoteIntervals, pitches: tuple[int, int] | None = None, margin: float = 1.5
) -> None:
    """Sets limits and labels for notes. Axes that share a scale with others keep the others' content in view.

    Args:
        ax: the axes in which the notes will be drawn.
        *several: the notes, in one unit of time.
        pitches: the lowest and the highest pitch to show; by default the sounding range, or all pitches of silence.
        margin: semitones above and below them.
    """
    from pianoroll_seq2seq.display.plot.pitch_axis import name_pitches

    sounding = np.concatenate([notes.pitch for notes in several])
    if pitches is not None:
        lowest, highest = pitches
    elif len(sounding):
        lowest, highest = int(sounding.min()), int(sounding.max())
    else:
        lowest = min(notes.pitches[0] for notes in several)
        highest = max(notes.pitches[1] for notes in several)
    begin, end = min(notes.extent[0] for notes in several), max(notes.extent[1] for notes in several)
    ax.update_datalim([(begin, lowest), (end, highest)])
    (left, right), (bottom, top) = (_data_limits(ax, axis) for axis in (0, 1))
    ax.set_xlim(left, right if right > left else left + 1)
    ax.set_ylim(bottom - margin, top + margin)
    ax.set_xlabel(several[0].unit)
    ax.set_ylabel("pitch")
    name_pitches(ax.yaxis)
    ax.grid(axis="y", alpha=0.4)
    ax.set_axisbelow(True)
    for bar in several[0].bars:
        ax.axvline(bar, color="0.5", linewidth=0.6, alpha=0.6, zorder=0.5)


def _data_limits(ax: "Axes", axis: int) -> tuple[float, float]:
    """The limits of the data in the axes, and in those that share this axis with them."""
    shared = (ax.get_shared_x_axes(), ax.get_shared_y_axes())[axis].get_siblings(ax)
    points = np.array([other.dataLim.get_points()[:, axis] for other in shared])
    points = points[np.isfinite(points).all(axis=1)]
    return float(points.min()), float(points.max())
