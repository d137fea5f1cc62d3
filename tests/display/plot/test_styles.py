"""Plots in matplotlib's light and dark styles."""

from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from pianoroll_seq2seq import BeatGrid, History, PianoRoll, PitchRange
from pianoroll_seq2seq.display.palette import COLOURS, VOICES
from pianoroll_seq2seq.display.plot import plot_histories, plot_roll, plot_voices
from pianoroll_seq2seq.train.history import Epoch


def roll() -> PianoRoll:
    return PianoRoll.from_active(np.eye(24, dtype=bool), grid=BeatGrid(2), pitches=PitchRange(48, 71))


def difference(colour: Any, ground: Any) -> float:
    """The largest difference of a colour from the ground, 0 to 1."""
    return max(abs(a - b) for a, b in zip(to_rgb(colour), to_rgb(ground), strict=True))


def line_colours(ax: Axes) -> list[Any]:
    return [line.get_color() for line in ax.get_lines()]


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_everything_differs_from_the_ground(style: str) -> None:
    """In a dark style a curve, a voice, the end of the primer or the onsets are black on black."""
    with pyplot.style.context(style):
        ground = pyplot.rcParams["axes.facecolor"]
        histories = {
            f"run {number}": History((Epoch(1, 1, 2.0, 3.0, 0.1, 1.0), Epoch(2, 2, 1.0, 2.0, 0.1, 1.0)), 2, "epochs")
            for number in range(len(COLOURS))
        }
        assert all(difference(colour, ground) > 0.3 for colour in line_colours(plot_histories(histories)))
        ax = plot_roll(roll(), primer_frames=8)
        assert all(difference(colour, ground) > 0.3 for colour in line_colours(ax)[-1:])
        ax = plot_voices({f"voice {number}": roll() for number in range(len(VOICES))})
        bars, marks = ax.collections[::2], ax.collections[1::2]
        faces = [to_rgb(tuple(np.asarray(collection.get_facecolor())[0])) for collection in bars]
        assert len(set(faces)) == len(VOICES)
        assert all(difference(face, ground) > 0.3 for face in faces)
        assert all(difference(np.asarray(mark.get_edgecolor())[0], ground) > 0.3 for mark in marks)
