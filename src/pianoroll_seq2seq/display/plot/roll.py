"""The plot of a piano roll or a score."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int

from pianoroll_seq2seq.display.palette import CONTINUATION_COLOUR, PRIMER_COLOUR, PRIMER_HATCH, ink, shaded, shades
from pianoroll_seq2seq.display.plot.figures import new_axes
from pianoroll_seq2seq.display.plot.note_artists import add_bars, add_onsets
from pianoroll_seq2seq.display.plot.note_intervals import NoteIntervals, roll_intervals, score_intervals
from pianoroll_seq2seq.display.plot.roll_axes import set_roll_axes
from pianoroll_seq2seq.display.plot.times import TimeUnit, times_of_lines
from pianoroll_seq2seq.display.plot.voices import draw_voices, part_intervals
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.score import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_VELOCITY = 127


def plot_roll(
    roll: PianoRoll | Score,
    *,
    primer_frames: int = 0,
    time: TimeUnit | None = None,
    velocity: Int[np.ndarray, " notes"] | None = None,
    drums: bool = False,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draws the notes of a roll or a score: time to the right, pitch upwards.

    A dark line marks each onset; a note that is held from before the first frame has none. The parts of a roll have
    different colours and hatches, and softer notes are paler. Bar lines are drawn if the time signature is known. The
    pitch axis names every pitch if there is room, otherwise every C. C4 is middle C, and black keys are sharps.

    Args:
        roll: the roll or the score.
        primer_frames: for a roll, the number of first frames that are a primer. A roll of one part is drawn in another
            colour there; otherwise a line is drawn at the end of the primer.
        time: ``"beats"`` (quarter notes) or ``"seconds"``; by default beats for scores and rolls on a
            :class:`~pianoroll_seq2seq.grid.BeatGrid`, otherwise seconds.
        velocity: for a roll of one part, velocities to draw instead of its own, 1..127, in the order of
            :meth:`PianoRoll.notes`; louder notes are darker. Velocities of the roll or the score itself are drawn if
            they differ.
        drums: whether the drum notes of a score are drawn.
        ax: the axes to draw into; a new figure by default.

    Raises:
        SettingsError: another ``time``, velocities out of range, ``primer_frames`` or ``velocity`` for a score, or
            ``velocity`` for a roll of several parts.
        ShapeError: the number of velocities is not the number of notes.
        MissingExtraError: matplotlib is not installed.

    Example:
        >>> ax = plot_roll(PianoRoll.from_active(np.ones((8, 88), dtype=bool)), time="seconds")
        >>> ax.get_xlabel(), ax.get_xlim()[1]
        ('seconds', np.float64(1.0))
    """
    if isinstance(roll, Score):
        if primer_frames or velocity is not None:
            raise SettingsError(
                "A score has no frames and has its own velocities: leave primer_frames and velocity out."
            )
        score = roll if drums else roll.without_drums()
        notes, levels = score_intervals(score, time), score.notes.velocity
        velocity = levels if len(np.unique(levels)) > 1 else None
    else:
        notes = roll_intervals(roll, time)
        _check_velocity(velocity, len(notes))
        if velocity is not None and len(roll.parts) > 1:
            raise SettingsError("Velocities are drawn for rolls of one part: plot_roll(roll['melody'], velocity=...).")
    ax = ax if ax is not None else new_axes(width=11)
    if isinstance(roll, PianoRoll) and len(roll.parts) > 1:
        draw_voices(ax, part_intervals(roll, time))
        if primer_frames:
            ax.axvline(_primer_end(roll, primer_frames, notes.unit), color=ink(), linewidth=1.2)
        return ax
    set_roll_axes(ax, notes)
    primer = np.zeros(len(notes), dtype=bool)
    if isinstance(roll, PianoRoll) and primer_frames:
        primer_end = _primer_end(roll, primer_frames, notes.unit)
        primer = notes.start < primer_end
        ax.axvline(primer_end, color=ink(), linewidth=1.2)
        _add_legend(ax, grey=velocity is not None)
    _add_notes(ax, notes, primer, velocity)
    add_onsets(ax, notes)
    return ax


def _primer_end(roll: PianoRoll, primer_frames: int, unit: TimeUnit) -> float:
    line = np.array([min(primer_frames, len(roll))])
    return float(times_of_lines(line, grid=roll.grid, tempo=roll.tempo, unit=unit)[0])


def _check_velocity(velocity: np.ndarray | None, num_notes: int) -> None:
    if velocity is None:
        return
    if velocity.shape != (num_notes,):
        raise ShapeError(
            f"velocity must have one number for each of the {num_notes} notes, got shape {velocity.shape}."
        )
    if len(velocity) and not 1 <= velocity.min() <= velocity.max() <= _MAX_VELOCITY:
        raise SettingsError(f"velocity must be in 1..127, got {velocity.min()}..{velocity.max()}.")


def _add_notes(
    ax: "Axes", notes: NoteIntervals, primer: Bool[np.ndarray, " notes"], velocity: np.ndarray | None
) -> None:
    """Draws the bars, in two colours or shaded by velocity; the primer is hatched."""
    bars = None
    for selected, colour, hatch in ((primer, PRIMER_COLOUR, PRIMER_HATCH), (~primer, CONTINUATION_COLOUR, "")):
        if not selected.any():
            continue
        levels = notes.velocity if velocity is None else None
        colours = colour if levels is None else shaded(colour, levels[selected])
        bars = add_bars(ax, notes.where(selected), facecolors=colours, hatch=hatch)
        if velocity is not None:
            bars.set(array=velocity[selected], cmap=shades(), clim=(1, _MAX_VELOCITY))
    if velocity is not None and bars is not None:
        ax.figure.colorbar(bars, ax=ax, label="velocity", ticks=[1, 32, 64, 96, 127], pad=0.01)


def _add_legend(ax: "Axes", *, grey: bool) -> None:
    """Adds a legend of primer and continuation above the axes, by hatch and colour or by hatch alone."""
    from matplotlib.patches import Patch

    primer, continuation = ("0.45", "0.45") if grey else (PRIMER_COLOUR, CONTINUATION_COLOUR)
    keys = [
        Patch(facecolor=primer, edgecolor="white", hatch=PRIMER_HATCH, label="primer"),
        Patch(color=continuation, label="continuation"),
    ]
    ax.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
