"""A piano roll."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int

from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.plot.figures import new_axes
from pianoroll_seq2seq.plot.frame import set_frame
from pianoroll_seq2seq.plot.notes import Notes, add_bars, add_onsets, notes_of
from pianoroll_seq2seq.plot.palette import CONTINUATION_COLOUR, PRIMER_COLOUR, PRIMER_HATCH, shades
from pianoroll_seq2seq.plot.times import TimeUnit, times_of_lines
from pianoroll_seq2seq.score import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOUDEST = 127


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

    A dark line marks where a note is struck; one that is held from before the first frame has none. Pitches have names,
    each where there is room for it, otherwise each C: C4 is middle C, and black keys are sharps.

    Args:
        roll: what to draw.
        primer_frames: the first frames of a roll are a primer, told apart from what the model wrote.
        time: ``"beats"`` (quarter notes) or ``"seconds"``; by default beats for scores and rolls on a
            :class:`~pianoroll_seq2seq.grid.BeatGrid`, otherwise seconds.
        velocity: how hard each note of a roll is struck, 1..127, in the order of :meth:`PianoRoll.notes`: louder notes
            are darker. A score knows its own, which are drawn where they differ.
        drums: whether the drum kit of a score counts as pitches.
        ax: where to draw; a new figure by default.

    Raises:
        SettingsError: another ``time``, velocities out of range, or a primer or velocities beside a score.
        ShapeError: another number of velocities than of notes.
        MissingExtraError: matplotlib is not installed.

    Example:
        >>> ax = plot_roll(PianoRoll.from_active(np.ones((8, 88), dtype=bool)), time="seconds")
        >>> ax.get_xlabel(), ax.get_xlim()[1]
        ('seconds', np.float64(1.0))
    """
    if isinstance(roll, Score):
        if primer_frames or velocity is not None:
            raise SettingsError("A score has no frames and knows its velocities: leave primer_frames and velocity out.")
        score = roll if drums else roll.without_drums()
        notes, levels = notes_of(score, time), score.notes.velocity
        velocity = levels if len(np.unique(levels)) > 1 else None
    else:
        notes = notes_of(roll, time)
        _check(velocity, len(notes))
    ax = ax if ax is not None else new_axes(width=11)
    set_frame(ax, notes)
    primer = np.zeros(len(notes), dtype=bool)
    if isinstance(roll, PianoRoll) and primer_frames:
        line = np.array([min(primer_frames, len(roll))])
        until = float(times_of_lines(line, grid=roll.grid, tempo=roll.tempo, unit=notes.unit)[0])
        primer = notes.start < until
        ax.axvline(until, color="black", linewidth=1.2)
        add_legend(ax, plain=velocity is not None)
    _draw(ax, notes, primer, velocity)
    add_onsets(ax, notes)
    return ax


def _check(velocity: np.ndarray | None, notes: int) -> None:
    if velocity is None:
        return
    if velocity.shape != (notes,):
        raise ShapeError(f"velocity must hold one number for each of the {notes} notes, got shape {velocity.shape}.")
    if len(velocity) and not 1 <= velocity.min() <= velocity.max() <= _LOUDEST:
        raise SettingsError(f"velocity must lie in 1..127, got {velocity.min()}..{velocity.max()}.")


def _draw(ax: "Axes", notes: Notes, primer: Bool[np.ndarray, " notes"], velocity: np.ndarray | None) -> None:
    """The bars, in two colours or shaded by velocity; those of the primer hatched."""
    bars = None
    for which, colour, hatch in ((primer, PRIMER_COLOUR, PRIMER_HATCH), (~primer, CONTINUATION_COLOUR, "")):
        if not which.any():
            continue
        bars = add_bars(ax, notes.where(which), facecolors=colour, hatch=hatch)
        if velocity is not None:
            bars.set(array=velocity[which], cmap=shades(), clim=(1, _LOUDEST))
    if velocity is not None and bars is not None:
        ax.figure.colorbar(bars, ax=ax, label="velocity", ticks=[1, 32, 64, 96, 127], pad=0.01)


def add_legend(ax: "Axes", *, plain: bool = False) -> None:
    """Says above the axes which notes are the primer's, by hatch and colour, or by hatch alone."""
    from matplotlib.patches import Patch

    primer, continuation = ("0.45", "0.45") if plain else (PRIMER_COLOUR, CONTINUATION_COLOUR)
    keys = [
        Patch(facecolor=primer, edgecolor="white", hatch=PRIMER_HATCH, label="primer"),
        Patch(color=continuation, label="continuation"),
    ]
    ax.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
