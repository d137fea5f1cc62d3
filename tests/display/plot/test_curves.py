"""Pictures of training."""

import io
import itertools

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from plot_contents import brightness, legend

from pianoroll_seq2seq import History
from pianoroll_seq2seq.display.palette import COLOURS
from pianoroll_seq2seq.display.plot import plot_histories, plot_learning_rates
from pianoroll_seq2seq.train import LearningRates
from pianoroll_seq2seq.train.history import Epoch


def _history(train: list[float], valid: list[float] | None = None, best: int | None = 1) -> History:
    pairs = zip(train, valid or [None] * len(train), strict=True)
    return History(tuple(Epoch(n, n, loss, check, 1e-3, 0.1) for n, (loss, check) in enumerate(pairs, 1)), best)


def _curves(ax: Axes) -> list[Line2D]:
    """The lines of the runs, without the dots of the best epochs."""
    return [line for line in ax.get_lines() if line.get_marker() != "o"]


def test_draws_into_given_axes() -> None:
    """A figure of several panels cannot be made: the picture lands in a figure of its own."""
    _, ax = pyplot.subplots()
    before = pyplot.get_fignums()
    assert plot_histories({"run": _history([1.0])}, ax=ax) is ax
    assert pyplot.get_fignums() == before


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
    assert legend(ax) == ["small: training", "small: validation", "big: training"]


@pytest.mark.parametrize("runs", [2, 35, *(pytest.param(value, marks=pytest.mark.slow) for value in (5, 12))])
def test_runs_differ_without_colour(runs: int) -> None:
    """Runs look alike in a grey print."""
    losses = list(np.linspace(2, 1, 20))
    curves = _curves(plot_histories({str(run): _history(losses) for run in range(runs)}))
    assert len({(str(line._dash_pattern), line.get_marker()) for line in curves}) == runs  # type: ignore[attr-defined]
    assert len({line.get_color() for line in curves}) == min(runs, len(COLOURS))


@pytest.mark.parametrize("runs", [12, *(pytest.param(value, marks=pytest.mark.slow) for value in (5, 40))])
def test_the_names_of_many_runs_hide_no_curve(runs: int) -> None:
    """The legend of a dozen runs covers their curves, or is cut off at the edge of the picture."""
    ax = plot_histories({f"hidden={2**run}": _history([2.0, 1.0], [2.5, 1.5]) for run in range(runs)})
    ax.figure.draw_without_rendering()
    assert legend(ax) == [f"hidden={2**run}" for run in range(runs)]
    key, picture = ax.get_legend().get_window_extent(), ax.get_window_extent()
    assert not key.overlaps(picture.shrunk(0.98, 0.98))
    assert picture.width > 200


def test_colours_differ_to_the_colour_blind() -> None:
    """Two runs look alike to readers with red-green colour blindness (Viénot, Brettel and Mollon, 1999)."""
    deutan = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
    colours = [np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]) ** 2.2 for colour in COLOURS]
    seen = [np.clip(deutan @ colour, 0, 1) ** (1 / 2.2) for colour in colours]
    assert min(float(np.abs(one - other).max()) for one, other in itertools.combinations(seen, 2)) > 0.1
    assert max(brightness(colour) for colour in COLOURS) < 190, "too faint on white paper"


@pytest.mark.parametrize("best", [None, 1])
def test_a_history_of_no_epochs_can_be_drawn(best: int | None) -> None:
    """Looking at a run before its first epoch is done fails."""
    plot_histories({"run": History((), best)}).figure.draw_without_rendering()


def test_no_histories_can_be_drawn() -> None:
    """A comparison of no runs fails within matplotlib, or warns."""
    assert legend(plot_histories({})) == []


def test_the_suggested_rate_is_marked() -> None:
    """The dot is not on the curve, or not at the suggested rate."""
    rates = np.geomspace(1e-5, 1, 50)
    curve = LearningRates(tuple(rates.tolist()), tuple((1 + (np.log10(rates) + 2) ** 2).tolist()))
    ax = plot_learning_rates(curve)
    _, dot = ax.get_lines()
    assert dot.get_xdata()[0] == curve.suggestion
    assert legend(ax) == [f"suggested: {curve.suggestion:.1e}"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale()) == ("learning rate", "loss (nats per frame)", "log")


def test_any_name_of_a_run_is_drawn() -> None:
    """A run named "$x^$" cannot be drawn: a pair of dollar signs is read as mathematics."""
    for count in (1, 12):
        names = [f"$x^$ {index}" for index in range(count)]
        ax = plot_histories(dict.fromkeys(names, _history([1.0])))
        ax.figure.savefig(io.BytesIO())
        assert legend(ax)[0].startswith(r"\$x^\$ 0")
