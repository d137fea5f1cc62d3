"""New figures, and figures to files."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq.atomic import writing
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError, ShapeError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DEFAULT_FORMAT = "png"


def save_figure(ax: "Axes", path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Writes the figure of some axes, and closes it.

    Args:
        ax: any axes of the figure, which is written as a whole.
        path: where; its ending says what is written (``.png``, ``.svg``, ``.pdf``), PNG where it has none. Missing
            folders are made.
        overwrite: whether a file that stands there may be replaced.

    Raises:
        OverwriteError: a file stands there and ``overwrite`` is false.
        SettingsError: an ending that matplotlib cannot write, or axes that were removed from their figure.
    """
    from matplotlib import pyplot

    path = Path(path)
    figure = ax.get_figure(root=True)
    if figure is None:
        raise SettingsError("These axes belong to no figure any more.")
    kind = path.suffix[1:].lower() or _DEFAULT_FORMAT
    if kind not in (kinds := figure.canvas.get_supported_filetypes()):
        raise SettingsError(f"{path}: pictures are written as {', '.join(sorted(kinds))}, not as {kind!r}.")
    with writing(path, overwrite=overwrite) as temporary:
        figure.savefig(temporary, format=kind, dpi=150, bbox_inches="tight")
    pyplot.close(figure)
    return path


def new_axes(*, width: float, height: float = 4) -> "Axes":
    """Axes of a new figure, of a size in inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    (ax,) = new_panels(1, columns=1, width=width, height=height)
    axes: Axes = ax
    return axes


def new_panels(count: int, *, columns: int, width: float, height: float) -> np.ndarray:
    """So many axes of a new figure, in rows of ``columns``, each of a size in inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "Drawing") from error
    columns = max(min(columns, count), 1)
    rows = max(-(-count // columns), 1)
    size = (width * columns, height * rows)
    _, axes = pyplot.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for surplus in axes.ravel()[count:]:
        surplus.remove()
    return np.asarray(axes.ravel()[:count])


def given_panels(axes: "np.ndarray | Sequence[Axes]", count: int, *, what: str) -> np.ndarray:
    """The first ``count`` of the axes that were given.

    Raises:
        ShapeError: fewer than that.
    """
    several = np.asarray(axes, dtype=object).ravel()
    if len(several) < count:
        raise ShapeError(f"{what} needs {count} axes, got {len(several)}. Make them with pyplot.subplots({count}).")
    return several[:count]
