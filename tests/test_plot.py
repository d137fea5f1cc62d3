"""Pictures of rolls and losses."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import same_color

from pianoroll_seq2seq import BeatGrid, FrameGrid, History, PianoRoll, PitchRange, SecondsGrid
from pianoroll_seq2seq.errors import MissingExtraError, OverwriteError, SettingsError, ShapeError
from pianoroll_seq2seq.history import Epoch
from pianoroll_seq2seq.plot import plot_attention, plot_histories, plot_roll, save_figure

_PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def _close_figures() -> object:
    yield
    pyplot.close("all")


def _roll(grid: FrameGrid = BeatGrid(4), frames: int = 16, seed: int = 0) -> PianoRoll:
    active = np.random.default_rng(seed).random((frames, 12)) < 0.3
    return PianoRoll.from_active(active, grid=grid, pitches=PitchRange(60, 71))


def _history(train: list[float], valid: list[float] | None = None, best: int | None = 1) -> History:
    pairs = zip(train, valid or [None] * len(train), strict=True)
    return History(tuple(Epoch(n, n, loss, check, 1e-3, 0.1) for n, (loss, check) in enumerate(pairs, 1)), best)


def test_draws_into_given_axes() -> None:
    """A figure of several panels cannot be made: the picture lands in a figure of its own."""
    _, axes = pyplot.subplots(1, 2)
    before = pyplot.get_fignums()
    assert plot_roll(_roll(), ax=axes[1]) is axes[1]
    assert plot_histories({"run": _history([1.0])}, ax=axes[0]) is axes[0]
    assert pyplot.get_fignums() == before


def test_draws_into_new_axes_otherwise() -> None:
    """Two pictures end up on top of one another."""
    first, second = plot_roll(_roll()), plot_roll(_roll())
    losses = plot_histories({"run": _history([1.0])})
    assert len({id(ax.figure) for ax in (first, second, losses)}) == 3


@pytest.mark.parametrize(
    ("grid", "unit", "end"),
    [(BeatGrid(4), "beats", 4.0), (SecondsGrid(0.25), "seconds", 4.0)],
    ids=["beats", "seconds"],
)
def test_axes_say_what_they_show(grid: FrameGrid, unit: str, end: float) -> None:
    """A reader cannot tell beats from seconds, or which pitch is which."""
    ax = plot_roll(_roll(grid))
    assert (ax.get_xlabel(), ax.get_ylabel()) == (unit, "pitch")
    assert ax.get_xlim() == (0.0, end)
    ticks = dict(zip(ax.get_yticks(), (label.get_text() for label in ax.get_yticklabels()), strict=True))
    assert ticks[60] == "C4"


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 24), primer=st.integers(0, 24), beats=st.booleans())
def test_one_bar_for_each_note(seed: int, frames: int, primer: int, beats: bool) -> None:
    """Notes are missing from the picture, lie in the wrong place, or count as the wrong half of the piece."""
    grid: FrameGrid = BeatGrid(4) if beats else SecondsGrid(0.25)
    roll = _roll(grid, frames, seed)
    figure, ax = pyplot.subplots()
    plot_roll(roll, primer_frames=primer, ax=ax)
    drawn = sorted(
        (
            bar.get_x() * 4,
            (bar.get_x() + bar.get_width()) * 4,
            bar.get_y() + bar.get_height() / 2,
            bool(bar.get_hatch()),
        )
        for bar in ax.patches
    )
    pyplot.close(figure)
    notes = sorted(
        (float(onset), float(end), float(column + 60), bool(onset < primer))
        for onset, end, column in zip(*roll.notes(), strict=True)
    )
    assert len(drawn) == len(notes)
    assert np.allclose(np.array(drawn, float), np.array(notes, float))


def test_primer_is_told_apart() -> None:
    """Nobody sees where the model took over, in colour or in a grey print."""
    ax = plot_roll(_roll(), primer_frames=8)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["primer", "continuation"]
    keys = legend.get_patches()
    assert keys[0].get_hatch()
    assert not keys[1].get_hatch()
    assert not same_color(keys[0].get_facecolor(), keys[1].get_facecolor())
    assert [line.get_xdata()[0] for line in ax.get_lines()] == [2.0]  # the line between, at beat 2


def test_no_legend_without_a_primer() -> None:
    """A picture of one piece shows a key to a distinction that it does not make."""
    ax = plot_roll(_roll())
    assert ax.get_legend() is None
    assert not ax.get_lines()


def test_silence_can_be_drawn() -> None:
    """A model that has learned silence cannot be shown."""
    silent = PianoRoll.from_active(np.zeros((8, 88), bool))
    ax = plot_roll(silent, primer_frames=4)
    lowest, highest = ax.get_ylim()
    assert lowest < 21
    assert highest > 108


def test_curves_are_the_losses() -> None:
    """The curve shows other numbers than the history, or the dot another epoch than the best."""
    ax = plot_histories({"small": _history([3.0, 2.0, 1.5], [3.5, 2.5, 2.75], best=2), "big": _history([2.0, 1.0])})
    curves = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.get_lines()}
    assert curves["small: training"] == ([1, 2, 3], [3.0, 2.0, 1.5])
    assert curves["small: validation"] == ([1, 2, 3], [3.5, 2.5, 2.75])
    assert curves["big: training"] == ([1, 2], [2.0, 1.0])
    assert "big: validation" not in curves
    dots = [(*line.get_xdata(), *line.get_ydata()) for line in ax.get_lines() if line.get_marker() == "o"]
    assert dots == [(2, 2.5), (1, 2.0)]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss (nats per frame)")
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["small: training", "small: validation", "big: training"]


def test_runs_differ_without_colour() -> None:
    """Runs cannot be told apart in a grey print."""
    ax = plot_histories({str(run): _history([1.0, 2.0]) for run in range(5)})
    curves = [line for line in ax.get_lines() if line.get_marker() != "o"]
    assert len({line.get_color() for line in curves}) == 5
    assert len({str(line._dash_pattern) for line in curves}) == 5  # type: ignore[attr-defined]


def test_a_history_of_no_epochs_can_be_drawn() -> None:
    """Looking at a run before its first epoch is done fails."""
    plot_histories({"run": History()})


def test_every_weight_has_its_place() -> None:
    """The picture is turned, upside down or smoothed, and shows that the model looks where it does not."""
    weights = torch.rand(3, 5, dtype=torch.bfloat16, requires_grad=True).softmax(1)
    ax = plot_attention(weights)
    (image,) = ax.get_images()
    np.testing.assert_array_equal(np.asarray(image.get_array()), weights.detach().double().numpy())
    assert image.get_extent() == [-0.5, 4.5, 2.5, -0.5]  # the first target frame on top, the first input frame left
    assert image.get_interpolation() == "nearest"
    assert image.get_clim()[0] == 0
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("input frame", "target frame")
    bars = [other for other in ax.figure.axes if other is not ax]
    assert [bar.get_ylabel() for bar in bars] == ["weight"]


def test_more_weight_is_brighter() -> None:
    """In a grey print, or to colour-blind readers, much cannot be told from little."""
    (image,) = plot_attention(np.linspace(0, 1, 50)[None]).get_images()
    grey = image.cmap(image.norm(np.linspace(0, 1, 50)))[:, :3] @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(grey) > 0).all()


def test_attention_is_drawn_beside_other_pictures() -> None:
    """A figure of several pieces cannot be made."""
    _, axes = pyplot.subplots(1, 2)
    before = pyplot.get_fignums()
    assert plot_attention(np.full((4, 1), 1.0), ax=axes[1]) is axes[1]
    assert pyplot.get_fignums() == before


@pytest.mark.parametrize("shape", [(2, 3, 4), (3,), (0, 4), (4, 0)], ids=str)
def test_weights_of_no_single_piece_are_refused(shape: tuple[int, ...]) -> None:
    """A batch is drawn as if its pieces were colours, or matplotlib fails from within."""
    with pytest.raises(ShapeError, match=r"\(target, input\).*weights\[0\]"):
        plot_attention(torch.zeros(shape))
    assert pyplot.get_fignums() == []


def test_saves_a_png_and_closes_the_figure(tmp_path: Path) -> None:
    """A report has no picture, or a script that draws hundreds runs out of memory."""
    ax = plot_roll(_roll())
    path = save_figure(ax, tmp_path / "pictures" / "roll.png")
    assert path == tmp_path / "pictures" / "roll.png"
    assert path.read_bytes().startswith(_PNG)
    assert pyplot.imread(path).ndim == 3
    assert pyplot.get_fignums() == []


def test_pictures_are_not_overwritten_unasked(tmp_path: Path) -> None:
    """A second run silently replaces the picture of the first."""
    path = tmp_path / "roll.png"
    path.write_bytes(b"precious")
    ax = plot_roll(_roll())
    with pytest.raises(OverwriteError):
        save_figure(ax, path)
    assert path.read_bytes() == b"precious"
    save_figure(ax, path, overwrite=True)
    assert path.read_bytes().startswith(_PNG)


def test_saves_the_whole_figure_of_a_panel(tmp_path: Path) -> None:
    """Saving by a panel's axes loses the panels beside it, or fails within a subfigure."""
    figure = pyplot.figure()
    ax = figure.subfigures(1, 2)[0].subplots()
    plot_roll(_roll(), ax=ax)
    assert save_figure(ax, tmp_path / "panels.png").read_bytes().startswith(_PNG)
    assert pyplot.get_fignums() == []


def test_removed_axes_say_so(tmp_path: Path) -> None:
    """Axes taken out of their figure fail with an AttributeError from within."""
    ax = plot_roll(_roll())
    ax.remove()
    with pytest.raises(SettingsError, match="no figure"):
        save_figure(ax, tmp_path / "roll.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_roll(_roll()),
        lambda: plot_histories({"run": _history([1.0])}),
        lambda: _history([1.0]).plot(),
        lambda: plot_attention(np.ones((2, 1))),
    ],
    ids=["plot_roll", "plot_histories", "History.plot", "plot_attention"],
)
def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, draw: Callable[[], Axes]) -> None:
    """Whoever has not installed matplotlib is not told how."""
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pianoroll-seq2seq\[plot\]'") as caught:
        draw()
    assert isinstance(caught.value, ImportError)
