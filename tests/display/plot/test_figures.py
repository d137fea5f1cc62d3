"""Pictures as files, and what they need."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot
from plot_contents import some_roll

from pianoroll_seq2seq import History
from pianoroll_seq2seq.display.plot import (
    plot_attention,
    plot_distributions,
    plot_histories,
    plot_roll,
    plot_voices,
    save_figure,
)
from pianoroll_seq2seq.errors import MissingExtraError, OverwriteError, SettingsError

_STARTS = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF"}


def test_saves_a_png_and_closes_the_figure(tmp_path: Path) -> None:
    """A report has no picture, or a script that draws hundreds runs out of memory."""
    open_before = pyplot.get_fignums()
    ax = plot_roll(some_roll())
    path = save_figure(ax, tmp_path / "pictures" / "roll.png")
    assert path == tmp_path / "pictures" / "roll.png"
    assert path.read_bytes().startswith(_STARTS["png"])
    assert pyplot.imread(path).ndim == 3
    assert pyplot.get_fignums() == open_before


@pytest.mark.parametrize(("name", "kind"), [("a.svg", "svg"), ("a.PDF", "pdf"), ("a", "png")])
def test_the_ending_says_what_is_written(tmp_path: Path, name: str, kind: str) -> None:
    """A file named .svg holds a PNG, and programs refuse to open it."""
    path = save_figure(plot_roll(some_roll()), tmp_path / name)
    assert path.name == name
    assert path.read_bytes().startswith(_STARTS[kind])


def test_endings_that_are_no_picture_are_refused(tmp_path: Path) -> None:
    """A misspelt ending fails from within matplotlib, or leaves a file behind."""
    with pytest.raises(SettingsError, match="cannot save a figure as 'pgn'"):
        save_figure(plot_roll(some_roll()), tmp_path / "roll.pgn")
    assert not list(tmp_path.iterdir())


def test_existing_files_are_kept_by_default(tmp_path: Path) -> None:
    """A second run silently replaces the picture of the first."""
    path = tmp_path / "roll.png"
    path.write_bytes(b"precious")
    ax = plot_roll(some_roll())
    with pytest.raises(OverwriteError):
        save_figure(ax, path)
    assert path.read_bytes() == b"precious"
    save_figure(ax, path, overwrite=True)
    assert path.read_bytes().startswith(_STARTS["png"])


def test_saves_the_whole_figure_of_a_panel(tmp_path: Path) -> None:
    """Saving by a panel's axes loses the panels beside it, or fails within a subfigure."""
    open_before = pyplot.get_fignums()
    figure = pyplot.figure()
    ax = figure.subfigures(1, 2)[0].subplots()
    plot_roll(some_roll(), ax=ax)
    assert save_figure(ax, tmp_path / "panels.png").read_bytes().startswith(_STARTS["png"])
    assert pyplot.get_fignums() == open_before


def test_removed_axes_are_an_error(tmp_path: Path) -> None:
    """Axes taken out of their figure fail with an AttributeError from within."""
    ax = plot_roll(some_roll())
    ax.remove()
    with pytest.raises(SettingsError, match="removed from their figure"):
        save_figure(ax, tmp_path / "roll.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_roll(some_roll()),
        lambda: plot_voices({"a": some_roll()}),
        lambda: plot_histories({"run": History()}),
        lambda: History().plot(),
        lambda: plot_attention(np.ones((2, 1))),
        lambda: plot_distributions([some_roll()], [some_roll()]),
    ],
    ids=["plot_roll", "plot_voices", "plot_histories", "History.plot", "plot_attention", "plot_distributions"],
)
def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, draw: Callable[[], object]) -> None:
    """The error without matplotlib does not name the extra."""
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pianoroll-seq2seq\[plot\]'") as caught:
        draw()
    assert isinstance(caught.value, ImportError)
