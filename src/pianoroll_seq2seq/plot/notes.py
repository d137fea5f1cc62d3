"""The notes of rolls and scores as pictures need them, and their bars."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PIANO
from pianoroll_seq2seq.plot.palette import INK
from pianoroll_seq2seq.plot.times import TimeUnit, checked_unit, times_of_lines, times_of_ticks, unit_of
from pianoroll_seq2seq.score import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection

BAR = 0.86
"""Height of a note's bar, in semitones."""
_MARK_POINTS = 1.3  # width of the mark at an onset, where notes are long enough
_EDGE_POINTS = 0.6
_AT_ONCE = 10_000  # bars to hatch


@dataclass(frozen=True)
class Notes:
    """Notes to draw.

    Args:
        start: where each begins, in ``unit``.
        end: where it ends.
        pitch: MIDI note numbers.
        struck: whether it is struck where it begins; a note that is held from before is not.
        extent: where the music begins and ends.
        pitches: the lowest and the highest pitch that may sound.
        unit: what time is measured in.
    """

    start: Float64[np.ndarray, " notes"]
    end: Float64[np.ndarray, " notes"]
    pitch: Int64[np.ndarray, " notes"]
    struck: Bool[np.ndarray, " notes"]
    extent: tuple[float, float]
    pitches: tuple[int, int]
    unit: TimeUnit

    def __len__(self) -> int:
        """The number of notes."""
        return len(self.pitch)

    def where(self, keep: Bool[np.ndarray, " notes"]) -> "Notes":
        """Those of the notes, of the same music."""
        return replace(
            self, start=self.start[keep], end=self.end[keep], pitch=self.pitch[keep], struck=self.struck[keep]
        )


def notes_of_roll(roll: PianoRoll, time: TimeUnit | None) -> Notes:
    """The notes of a roll, in the order of :meth:`PianoRoll.notes`."""
    unit = unit_of(roll.grid, time)
    onset_frame, end_frame, column = roll.notes()
    count = len(column)
    lines = np.concatenate([onset_frame, end_frame, [0, len(roll)]])
    times = times_of_lines(lines, grid=roll.grid, tempo=roll.tempo, unit=unit)
    return Notes(
        times[:count],
        times[count : 2 * count],
        column + roll.pitches.lowest,
        roll.onset[onset_frame, column],
        (float(times[-2]), float(times[-1])),
        (roll.pitches.lowest, roll.pitches.highest),
        unit,
    )


def notes_of_score(score: Score, time: TimeUnit | None) -> Notes:
    """The notes of a score, in its order."""
    unit = checked_unit(time or "beats")
    notes, count = score.notes, len(score.notes)
    ticks = np.concatenate([notes.onset_tick, notes.end_tick, [0, notes.end_tick.max(initial=0)]])
    times = times_of_ticks(ticks, tempo=score.tempo, unit=unit)
    return Notes(
        times[:count],
        times[count : 2 * count],
        notes.pitch,
        np.ones(count, dtype=bool),
        (float(times[-2]), float(times[-1])),
        (PIANO.lowest, PIANO.highest),
        unit,
    )


def notes_of(music: PianoRoll | Score, time: TimeUnit | None) -> Notes:
    """The notes of either."""
    return notes_of_roll(music, time) if isinstance(music, PianoRoll) else notes_of_score(music, time)


def add_bars(
    ax: "Axes",
    notes: Notes,
    *,
    height: float | Float64[np.ndarray, " notes"] = BAR,
    hatch: str = "",
    points: float = _EDGE_POINTS,
    **style: Any,
) -> "PolyCollection":
    """Draws the notes as bars, however many there are.

    Args:
        ax: where to draw.
        notes: what to draw.
        height: of the bars, in semitones; one for all, or one for each.
        hatch: lines to draw over the bars.
        points: width of their edges, where they are large enough.
        **style: as of :class:`~pianoroll_seq2seq.plot.bars.Bars`.
    """
    from pianoroll_seq2seq.plot.bars import Bars

    low, high = notes.pitch - np.divide(height, 2), notes.pitch + np.divide(height, 2)
    corners = ((notes.start, low), (notes.start, high), (notes.end, high), (notes.end, low))
    shapes = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)
    bars = Bars(shapes, points=points, **{"edgecolors": "white", **style})
    ax.add_collection(bars, autolim=False)
    for begin in range(0, len(notes) if hatch else 0, _AT_ONCE):
        _add_hatch(ax, shapes[begin : begin + _AT_ONCE], hatch)
    return bars


def _add_hatch(ax: "Axes", shapes: Float64[np.ndarray, "notes 4 2"], hatch: str) -> None:
    """Hatches many bars as one shape: one by one, a hundred thousand would take minutes."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    codes = np.tile([Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], len(shapes))
    closed = np.concatenate([shapes, shapes[:, :1]], axis=1)
    shape = Path(closed.reshape(-1, 2), codes.astype(Path.code_type))
    ax.add_artist(PathPatch(shape, facecolor="none", edgecolor="white", linewidth=0, hatch=hatch))


def add_onsets(ax: "Axes", notes: Notes, *, height: float | Float64[np.ndarray, " notes"] = BAR) -> None:
    """Marks where notes are struck, so that a repeated note is told from a held one."""
    from pianoroll_seq2seq.plot.bars import Marks

    half = np.broadcast_to(np.divide(height, 2), notes.pitch.shape)[notes.struck]
    struck = notes.where(notes.struck)
    low, high = struck.pitch - half, struck.pitch + half
    ends = np.stack([np.stack([struck.start, low], axis=-1), np.stack([struck.start, high], axis=-1)], axis=1)
    marks = Marks(ends, struck.end - struck.start, points=_MARK_POINTS, colors=INK, zorder=1.5)
    ax.add_collection(marks, autolim=False)
