"""What a model expects, under the notes that are there."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.plot.figures import new_axes
from pianoroll_seq2seq.plot.frame import set_frame
from pianoroll_seq2seq.plot.notes import Notes, add_bars, add_onsets, notes_of_roll
from pianoroll_seq2seq.plot.palette import MAP, PRIMER_COLOUR, PRIMER_HATCH
from pianoroll_seq2seq.plot.times import TimeUnit, times_of_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pianoroll_seq2seq.models.base import SequenceModel
    from pianoroll_seq2seq.plot.predicted import Predicted
    from pianoroll_seq2seq.windowing import SlidingWindows

_SEEN = 0.02  # a pitch that is never as likely as this lies outside the picture, unless it sounds
_OUTLINES = (("black", 2.6, 0.4), ("white", 1.1, 0.17))  # colour, points, and share of a note at the most


def plot_probabilities(
    model: "SequenceModel",
    music: "PianoRoll | SlidingWindows",
    *,
    primer_frames: int | None = None,
    window: int = 0,
    onsets: bool = False,
    condition: np.ndarray | None = None,
    time: TimeUnit | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draws how likely a model finds each pitch in each frame, with outlines of the notes that are there.

    What the model hears first is drawn as notes. From there on each frame shows the probability that a pitch sounds
    (``distribution.mean``) given the true frames before it. Of music that the model wrote itself, ``primer + generate(
    model, primer, ...)``, that is what its notes were drawn from.

    Args:
        model: any sequence model.
        music: a piece of the pitches the model knows; or windows, of which one is drawn.
        primer_frames: how many frames of a piece the model hears before the first it predicts. Windows know.
        window: which of the windows.
        onsets: whether the model hears what is struck beside what sounds. Windows know.
        condition: what the model is told of a piece, of shape (size,) or (frames, size). Windows know.
        time: ``"beats"`` or ``"seconds"``, as of :func:`~pianoroll_seq2seq.plot.plot_roll`; seconds of a window on a
            grid in beats are those at the tempo on which its piece begins.
        ax: where to draw; a new figure by default.

    Raises:
        SettingsError: a piece without ``primer_frames``, or with no frame in or after them; windows with what they
            know themselves; no such window; another ``time``; or a condition that the model does not hear.
        MissingExtraError: matplotlib is not installed.
    """
    if isinstance(music, PianoRoll):
        predicted = _of_roll(model, music, primer_frames, onsets=onsets, condition=condition)
    else:
        if primer_frames is not None or onsets or condition is not None:
            raise SettingsError("Windows know their primer_frames, onsets and condition: leave these out.")
        predicted = _of_window(model, music, window)
    notes = notes_of_roll(predicted.roll, time)
    ax = ax if ax is not None else new_axes(width=11)
    set_frame(ax, notes, pitches=_shown(predicted), room=0.5)
    until = _map(ax, predicted, notes)
    _notes(ax, notes, until)
    return ax


def _of_roll(
    model: "SequenceModel",
    roll: PianoRoll,
    primer_frames: int | None,
    *,
    onsets: bool,
    condition: np.ndarray | None,
) -> "Predicted":
    from pianoroll_seq2seq.plot.predicted import predicted_roll

    if primer_frames is None:
        raise SettingsError("Say how many frames of the piece the model hears first: primer_frames=16.")
    return predicted_roll(model, roll, primer_frames=primer_frames, onsets=onsets, condition=condition)


def _of_window(model: "SequenceModel", windows: "SlidingWindows", window: int) -> "Predicted":
    from pianoroll_seq2seq.plot.predicted import predicted_window

    return predicted_window(model, windows, window)


def _shown(predicted: "Predicted") -> tuple[int, int]:
    """The lowest and the highest pitch that sounds or may, and one more on either side."""
    roll = predicted.roll
    there = np.asarray(roll.active.any(axis=0) | (predicted.probabilities >= _SEEN).any(axis=0))
    columns = np.flatnonzero(there) if there.any() else np.arange(len(there))
    lowest, highest = max(int(columns[0]) - 1, 0), min(int(columns[-1]) + 1, len(there) - 1)
    return lowest + roll.pitches.lowest, highest + roll.pitches.lowest


def _map(ax: "Axes", predicted: "Predicted", notes: Notes) -> float:
    """The probabilities as a map; returns the time at which it begins."""
    roll = predicted.roll
    lines = np.arange(predicted.primer_frames, len(roll) + 1)
    times = times_of_lines(lines, grid=roll.grid, tempo=roll.tempo, unit=notes.unit)
    rows = np.arange(roll.pitches.lowest, roll.pitches.highest + 2) - 0.5
    image = ax.pcolorfast(times, rows, predicted.probabilities.T, cmap=MAP, vmin=0, vmax=1)
    ax.figure.colorbar(image, ax=ax, label="probability", pad=0.01)
    ax.grid(visible=False)
    return float(times[0])


def _notes(ax: "Axes", notes: Notes, until: float) -> None:
    """What was heard as bars, what follows as outlines: white, within black, so that they are seen on any shade."""
    from matplotlib.patches import Patch

    heard, follows = notes.where(notes.start < until), notes.where(notes.end > until)
    heard = replace(heard, end=np.minimum(heard.end, until))
    follows = replace(follows, start=np.maximum(follows.start, until))
    keys = [Patch(facecolor="0.6", edgecolor="black", linewidth=1.5, label="notes that follow")]
    if len(heard):
        add_bars(ax, heard, facecolors=PRIMER_COLOUR, hatch=PRIMER_HATCH)
        add_onsets(ax, heard)
        keys.insert(0, Patch(facecolor=PRIMER_COLOUR, edgecolor="white", hatch=PRIMER_HATCH, label="heard"))
    for colour, points, share in _OUTLINES:
        add_bars(ax, follows, facecolors="none", edgecolors=colour, points=points, share=share)
    ax.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
