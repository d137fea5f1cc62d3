"""Colours, hatches and dashes.

The colours are those of Okabe and Ito ("Color universal design", 2008), without their yellow, which is hard to see on
white paper. What is black on it takes the colour of matplotlib's text, so that dark styles show it too.
"""

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from jaxtyping import Float64, Int

if TYPE_CHECKING:
    from matplotlib.colors import ListedColormap

Dashes: TypeAlias = str | tuple[int, tuple[int, ...]]

PRIMER_COLOUR: Final = "#0072B2"
CONTINUATION_COLOUR: Final = "#E69F00"  # lighter than the primer's in grey as well
PRIMER_HATCH: Final = "////"

_BLACK: Final = "#000000"
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", _BLACK, "#56B4E9", "#E69F00")
_DASHES: Final[tuple[Dashes, ...]] = ("-", "--", "-.", ":", (0, (5, 1)))
_MARKERS: Final = ("", "s", "^", "D", "v", "x", "P")

VOICES: Final = (
    ("#0072B2", ""),
    ("#E69F00", "////"),
    ("#009E73", "xxxx"),
    ("#CC79A7", "\\\\\\\\"),
    (_BLACK, ""),
    ("#56B4E9", ""),
    ("#D55E00", "//"),
)
"""Colour and hatch of each voice, in order, then again from the first. Voices without a hatch differ in grey. Vertical
lines would look like onsets, and horizontal ones like the ends of bars.
"""

_SOFTEST: Final = 0.25  # of its colour, a note of velocity 0

MAP: Final = "cividis"
"""A perceptually uniform colour map, also for colour-blind readers; higher values are brighter."""


def ink() -> str:
    """The colour of text in matplotlib's style: black, or white in a dark style."""
    import matplotlib as mpl

    return str(mpl.rcParams["text.color"])


def ground() -> str:
    """The colour of the ground of axes in matplotlib's style."""
    import matplotlib as mpl

    return str(mpl.rcParams["axes.facecolor"])


def on_ground(colour: str) -> str:
    """The colour, or :func:`ink` for black."""
    return ink() if colour == _BLACK else colour


def part_colour(index: int) -> str:
    """The colour of a part on a page; black is the colour of the text there."""
    colour, _ = VOICES[index % len(VOICES)]
    return "currentColor" if colour == _BLACK else colour


def shaded(colour: str, velocity: Int[np.ndarray, " notes"]) -> Float64[np.ndarray, "notes 3"]:
    """The colour of each note: nearer to the ground of the axes the softer it is.

    Args:
        colour: the colour of the loudest note.
        velocity: 0..127.
    """
    from matplotlib.colors import to_rgb

    share = (_SOFTEST + (1 - _SOFTEST) * velocity / 127)[:, None]
    shades: np.ndarray = share * np.array(to_rgb(colour)) + (1 - share) * np.array(to_rgb(ground()))
    return shades


def line_style(index: int) -> tuple[str, Dashes, str]:
    """Colour, dashes and marker of a curve; 35 curves differ by dashes and marker alone."""
    marker = _MARKERS[index // len(_DASHES) % len(_MARKERS)]
    return on_ground(COLOURS[index % len(COLOURS)]), _DASHES[index % len(_DASHES)], marker


def shades() -> "ListedColormap":
    """A colour map from light to dark for a white background: reversed cividis without its lightest yellow."""
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap

    return ListedColormap(mpl.colormaps[MAP](np.linspace(0.9, 0, 256)))
