"""Rolls to draw, and the contents of a plot, read back from its axes."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.path import Path

from pianoroll_seq2seq import BeatGrid, FrameGrid, PianoRoll, PitchRange


class Bar(NamedTuple):
    """A note as it is drawn."""

    start: float
    end: float
    pitch: float
    height: float
    hatched: bool
    colour: str


def bars(ax: Axes) -> list[Bar]:
    """The bars of the notes, in the order in which they were drawn."""
    hatches = {corners for patch in ax.patches if patch.get_hatch() for corners in _rectangles(patch.get_path())}
    collections = [collection for collection in ax.collections if isinstance(collection, PolyCollection)]
    return [bar for collection in collections for bar in _bars(collection, hatches)]


def _bars(collection: PolyCollection, hatches: set[tuple[float, ...]]) -> Iterator[Bar]:
    collection.update_scalarmappable()
    colours = [to_hex(colour) for colour in np.atleast_2d(collection.get_facecolor()) if len(colour)] or ["none"]
    for index, path in enumerate(collection.get_paths()):
        left, low, right, high = _corners(path.vertices)
        hatched = (left, low, right, high) in hatches
        yield Bar(left, right, (low + high) / 2, high - low, hatched, colours[index % len(colours)])


def _rectangles(path: Path) -> Iterator[tuple[float, ...]]:
    """The corners of each rectangle of a path."""
    begins = np.flatnonzero(path.codes == Path.MOVETO) if path.codes is not None else np.zeros(1, int)
    for vertices in np.split(path.vertices, begins[1:]):
        yield _corners(vertices)


def _corners(vertices: np.ndarray) -> tuple[float, ...]:
    """Left, low, right, high."""
    return (*vertices.min(axis=0).tolist(), *vertices.max(axis=0).tolist())


def onsets(ax: Axes) -> list[tuple[float, float]]:
    """Time and pitch of each mark of an onset, in order."""
    lines = [collection for collection in ax.collections if isinstance(collection, LineCollection)]
    segments = [np.asarray(segment) for line in lines for segment in line.get_segments()]
    return sorted((float(segment[0, 0]), float(segment[:, 1].mean())) for segment in segments)


def brightness(colour: str) -> float:
    """How bright a colour is in a grey print, 0 to 255: the luma of ITU-R BT.601."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def some_roll(grid: FrameGrid = BeatGrid(4), frames: int = 16, seed: int = 0, density: float = 0.3) -> PianoRoll:
    """Random notes from C4 to B4; by their onsets, held ones and repeated ones."""
    numbers = np.random.default_rng(seed)
    active = numbers.random((frames, 12)) < density
    again = active & (numbers.random(active.shape) < 0.5)
    first = active.copy()
    first[1:] &= ~active[:-1]
    return PianoRoll(active, again | first, grid, PitchRange(60, 71))


def legend(ax: Axes) -> list[str]:
    """The labels of the legend; none where there is no legend."""
    key = ax.get_legend()
    return [] if key is None else [text.get_text() for text in key.get_texts()]
