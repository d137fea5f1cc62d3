"""The axes of a piano roll: time to the right, pitches by their names."""

from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq.plot.notes import Notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def set_frame(ax: "Axes", *several: Notes, pitches: tuple[int, int] | None = None, room: float = 1.5) -> None:
    """Makes room for notes, and names both axes; axes that share a scale keep room for what is there already.

    Args:
        ax: where they will be drawn.
        *several: the notes, of one unit of time.
        pitches: the lowest and the highest pitch to show; those that sound by default, or all where none does.
        room: semitones above and below them.
    """
    from pianoroll_seq2seq.plot.pitch_axis import name_pitches

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
    (left, right), (bottom, top) = (_room(ax, axis) for axis in (0, 1))
    ax.set_xlim(left, right if right > left else left + 1)
    ax.set_ylim(bottom - room, top + room)
    ax.set_xlabel(several[0].unit)
    ax.set_ylabel("pitch")
    name_pitches(ax.yaxis)
    ax.grid(axis="y", alpha=0.4)
    ax.set_axisbelow(True)


def _room(ax: "Axes", axis: int) -> tuple[float, float]:
    """The ends of what lies in the axes, and in those that share this axis with them."""
    shared = (ax.get_shared_x_axes(), ax.get_shared_y_axes())[axis].get_siblings(ax)
    points = np.array([other.dataLim.get_points()[:, axis] for other in shared])
    points = points[np.isfinite(points).all(axis=1)]
    return float(points.min()), float(points.max())
