"""Creates figures and saves them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.names import as_text, printable
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError, ShapeError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DEFAULT_FORMAT = "png"
_LONGEST_LABEL = 40


def save_figure(ax: "Axes", path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Saves the figure of some axes, and closes it.

    Args:
        ax: any axes of the figure; the whole figure is saved.
        path: the file; its ending gives the format (``.png``, ``.svg``, ``.pdf``), PNG without one. Missing folders are
            created.
        overwrite: whether an existing file may be replaced.

    Raises:
        OverwriteError: the file exists and ``overwrite`` is false.
        SettingsError: a format that matplotlib cannot write, or axes that were removed from their figure.
    """
    from matplotlib import pyplot
    from matplotlib.text import Text

    path = Path(path)
    figure = ax.get_figure(root=True)
    if figure is None:
        raise SettingsError("These axes were removed from their figure. Save other axes of it.")
    kind = path.suffix[1:].lower() or _DEFAULT_FORMAT
    if kind not in (kinds := figure.canvas.get_supported_filetypes()):
        raise SettingsError(f"{path}: cannot save a figure as {kind!r}. Choose one of {', '.join(sorted(kinds))}.")
    with writing(path, overwrite=overwrite) as temporary:
        for text in figure.findobj(Text):  # names of files that are not UTF-8, which matplotlib refuses
            text.set_text(as_text(text.get_text()))
        figure.savefig(temporary, format=kind, dpi=150, bbox_inches="tight")
    pyplot.close(figure)
    return path


def label_of(name: str) -> str:
    r"""The name of a part or a run as a label.

    matplotlib reads the text between two dollar signs as mathematics, and a long label leaves no room for the picture.

    Example:
        >>> print(label_of("$x^$"))
        \$x^\$
    """
    return printable(name, longest=_LONGEST_LABEL).replace("$", r"\$")


def new_axes(*, width: float, height: float = 4) -> "Axes":
    """The axes of a new figure; sizes are in inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    (ax,) = new_panels(1, columns=1, width=width, height=height)
    axes: Axes = ax
    return axes


def new_panels(count: int, *, columns: int, width: float, height: float) -> np.ndarray:
    """Several axes of a new figure, in rows of ``columns``; sizes of each are in inches.

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


def given_panels(axes: "np.ndarray | Sequence[Axes]", count: int, *, function: str) -> np.ndarray:
    """The first ``count`` of the given axes.

    Raises:
        ShapeError: fewer axes were given.
    """
    given = np.asarray(axes, dtype=object).ravel()
    if len(given) < count:
        raise ShapeError(f"{function} needs {count} axes, got {len(given)}. Make them with pyplot.subplots({count}).")
    return given[:count]
