"""Curves of training: losses, and the search for a learning rate."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq.history import History
from pianoroll_seq2seq.plot.figures import new_axes
from pianoroll_seq2seq.plot.palette import CONTINUATION_COLOUR, PRIMER_COLOUR, line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from pianoroll_seq2seq.train import LearningRates

_MANY = 4  # runs, above which the legend stands beside the curves and names each once
_LEGEND_ROWS = 15
_MARKS = 12  # markers along a curve, at the most


def plot_histories(histories: Mapping[str, History], *, ax: "Axes | None" = None) -> "Axes":
    """Draws the loss curves of runs, by their names: validation in full, training faint; a dot marks the best.

    Runs differ in colour and dashes, and from the sixth on in markers too, up to 35 of them. Of more than four runs the
    legend stands beside the curves and names each once.

    Args:
        histories: the runs by name; an empty name is left out.
        ax: where to draw; a new figure by default.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    ax = ax if ax is not None else new_axes(width=7 if len(histories) <= _MANY else 9)
    from matplotlib.ticker import MaxNLocator

    of_runs = [_draw_run(ax, index, *run) for index, run in enumerate(histories.items())]
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss (nats per frame)")
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.4)
    if len(of_runs) > _MANY:
        columns = -(-len(of_runs) // _LEGEND_ROWS)
        faint = any(len(curves) > 1 for curves in of_runs)
        title = "validation (faint: training)" if faint else "training"
        ax.legend(
            [curves[-1] for curves in of_runs],
            list(histories),
            title=title,
            loc="upper left",
            bbox_to_anchor=(1, 1),
            ncols=columns,
            fontsize="small",
            frameon=False,
        )
    elif of_runs:
        ax.legend(handles=[curve for curves in of_runs for curve in curves], frameon=False)
    return ax


def _draw_run(ax: "Axes", index: int, name: str, history: History) -> "list[Line2D]":
    """The curves of a run, training first, and a dot at its best epoch."""
    colour, dashes, marker = line_style(index)
    epochs = [epoch.epoch for epoch in history.epochs]
    prefix = f"{name}: " if name else ""
    validated = bool(epochs) and len(history.valid_losses) == len(epochs)
    shown = history.valid_losses if validated else history.train_losses
    curves = ax.plot(epochs, history.train_losses, linewidth=1.2, label=f"{prefix}training")
    if validated:
        curves[0].set_alpha(0.45)
        curves += ax.plot(epochs, shown, linewidth=2, label=f"{prefix}validation")
    for curve in curves:
        curve.set(color=colour, linestyle=dashes, marker=marker, markersize=5 if curve is curves[-1] else 3)
        curve.set_markevery(max(len(epochs) // _MARKS, 1))
    if history.best_epoch in epochs:
        ax.plot([history.best_epoch], [shown[epochs.index(history.best_epoch)]], "o", color=colour)
    return curves


def plot_learning_rates(curve: "LearningRates", *, ax: "Axes | None" = None) -> "Axes":
    """Draws the loss over the learning rate; a dot marks the rate that it suggests.

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
