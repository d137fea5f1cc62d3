"""Training curves: losses, and the search for a learning rate."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq.display.palette import CONTINUATION_COLOUR, PRIMER_COLOUR, line_style
from pianoroll_seq2seq.display.plot.figures import label_of, new_axes
from pianoroll_seq2seq.train.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from pianoroll_seq2seq.train import LearningRates

_MAX_RUNS_INSIDE = 4  # with more runs, the legend is beside the curves and names each run once
_LEGEND_ROWS = 15
_MAX_MARKERS = 12  # along a curve


def plot_histories(histories: Mapping[str, History], *, ax: "Axes | None" = None) -> "Axes":
    """Draws the loss curves of runs: validation solid, training faint; a dot marks the best epoch.

    Runs differ in colour and dashes, and from the sixth on also in markers; up to 35 can be distinguished. With more
    than four runs the legend is beside the curves and names each run once.

    Args:
        histories: the runs by name; an empty name is left out.
        ax: the axes to draw into; a new figure by default.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    ax = ax if ax is not None else new_axes(width=7 if len(histories) <= _MAX_RUNS_INSIDE else 9)
    from matplotlib.ticker import MaxNLocator

    run_curves = [_draw_run(ax, index, *run) for index, run in enumerate(histories.items())]
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss (nats per frame)")
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.4)
    if len(run_curves) > _MAX_RUNS_INSIDE:
        columns = -(-len(run_curves) // _LEGEND_ROWS)
        faint = any(len(curves) > 1 for curves in run_curves)
        title = "validation (faint: training)" if faint else "training"
        ax.legend(
            [curves[-1] for curves in run_curves],
            list(map(label_of, histories)),
            title=title,
            loc="upper left",
            bbox_to_anchor=(1, 1),
            ncols=columns,
            fontsize="small",
            frameon=False,
        )
    elif run_curves:
        ax.legend(handles=[curve for curves in run_curves for curve in curves], frameon=False)
    return ax


def _draw_run(ax: "Axes", index: int, name: str, history: History) -> "list[Line2D]":
    """Draws the curves of a run, training first, and a dot at its best epoch."""
    colour, dashes, marker = line_style(index)
    epochs = [epoch.epoch for epoch in history.epochs]
    prefix = f"{label_of(name)}: " if name else ""
    validated = bool(epochs) and len(history.valid_losses) == len(epochs)
    shown = history.valid_losses if validated else history.train_losses
    curves = ax.plot(epochs, history.train_losses, linewidth=1.2, label=f"{prefix}training")
    if validated:
        curves[0].set_alpha(0.45)
        curves += ax.plot(epochs, shown, linewidth=2, label=f"{prefix}validation")
    for curve in curves:
        curve.set(color=colour, linestyle=dashes, marker=marker, markersize=5 if curve is curves[-1] else 3)
        curve.set_markevery(max(len(epochs) // _MAX_MARKERS, 1))
    if history.best_epoch in epochs:
        ax.plot([history.best_epoch], [shown[epochs.index(history.best_epoch)]], "o", color=colour)
    return curves


def plot_learning_rates(curve: "LearningRates", *, ax: "Axes | None" = None) -> "Axes":
    """Draws the loss over the learning rate; a dot marks the suggested rate.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    ax = ax if ax is not None else new_axes(width=7)
    rate = curve.suggestion
    loss = float(np.interp(np.log(rate), np.log(curve.rates), curve.losses))
    ax.plot(curve.rates, curve.losses, color=PRIMER_COLOUR, linewidth=2)
    ax.plot([rate], [loss], "o", color=CONTINUATION_COLOUR, label=f"suggested: {rate:.1e}")
    ax.set_xscale("log")
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss (nats per frame)")
    ax.grid(alpha=0.4)
    ax.legend(frameon=False)
    return ax
