"""The names of pitches along an axis."""

import itertools

import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes

from pianoroll_seq2seq.display.plot.pitch_axis import name_pitches
from pianoroll_seq2seq.pitches import PitchRange


def _axes(low: float, high: float, height: float = 4) -> Axes:
    _, ax = pyplot.subplots(figsize=(6, height))
    ax.set_ylim(low, high)
    name_pitches(ax.yaxis)
    return ax


def _labels(ax: Axes) -> dict[float, str]:
    ax.figure.draw_without_rendering()
    return dict(zip(ax.get_yticks(), (label.get_text() for label in ax.get_yticklabels()), strict=True))


@pytest.mark.parametrize(
    ("low", "high", "names"),
    [
        (59.5, 64.5, ["C4", "C#4", "D4", "D#4", "E4"]),
        (47, 73, ["C3", "E3", "G3", "C4", "E4", "G4", "C5"]),
        (20, 109, ["C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8"]),
        (60.5, 61.5, ["C#4"]),
    ],
    ids=["few", "two octaves", "a piano", "one"],
)
def test_as_many_names_as_there_is_room_for(low: float, high: float, names: list[str]) -> None:
    """Names are written over one another, or a picture of few pitches names hardly any of them."""
    labels = _labels(_axes(low, high))
    assert list(labels.values()) == names
    assert all(PitchRange(0, 127).name_of(int(pitch)) == name for pitch, name in labels.items())


def test_more_names_when_one_zooms_in() -> None:
    """Between two octaves a reader who looks closer has to count semitones."""
    ax = _axes(20, 109)
    assert "C#4" not in _labels(ax).values()
    ax.set_ylim(58, 66)
    assert "C#4" in _labels(ax).values()


@pytest.mark.parametrize("height", [0.6, 4, *(pytest.param(value, marks=pytest.mark.slow) for value in (1, 2, 8))])
def test_names_never_overlap(height: float) -> None:
    """The labels of small panels overlap."""
    for octaves in (1, 2, 4, 7, 10):
        ax = _axes(0, 12 * octaves, height)
        _labels(ax)
        extents = [label.get_window_extent() for label in ax.get_yticklabels() if label.get_text()]
        assert extents
        assert all(lower.y1 <= upper.y0 + 1 for lower, upper in itertools.pairwise(extents))
        pyplot.close(ax.figure)


def test_no_names_beyond_midi() -> None:
    """Pitches that no note can have are named."""
    labels = _labels(_axes(-6, 134))
    assert all(0 <= pitch <= 127 for pitch, name in labels.items() if name)
    assert "C-1" in labels.values()
