"""Figures of generated music beside those of data, piece by piece."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from pianoroll_seq2seq.comparison import compare_sets
from pianoroll_seq2seq.music_metrics import METRICS, Metric, groove_consistency
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.plot.figures import given_panels, new_panels
from pianoroll_seq2seq.plot.palette import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 4
_MOST_BINS = 20


def plot_distributions(
    generated: Sequence[PianoRoll],
    data: Sequence[PianoRoll],
    *,
    frames_per_bar: int | None = None,
    metrics: Mapping[str, Metric] = METRICS,
    axes: "np.ndarray | Sequence[Axes] | None" = None,
) -> np.ndarray:
    """Draws histograms of figures of music: of the data filled, of generated pieces as a line over them.

    Each panel is a figure; its title says how much the two sets overlap: the area that their densities share, 1 alike
    and 0 apart (:func:`~pianoroll_seq2seq.comparison.compare_sets`). Pieces of which a figure is undefined are left
    out of its panel.

    Args:
        generated: pieces that a model wrote.
        data: pieces to hold them against, on the same grid and best of the same length.
        frames_per_bar: adds :func:`~pianoroll_seq2seq.music_metrics.groove_consistency` with bars of this length.
        metrics: what to measure, by name.
        axes: where to draw, one for each figure, in any shape; a new figure by default.

    Returns:
        The axes, one for each figure, in the order of ``metrics``.

    Raises:
        SettingsError: a set without pieces.
        GridError: pieces of different grids.
        ShapeError: fewer axes than figures.
        MissingExtraError: matplotlib (extra ``plot``) or scipy (extra ``metrics``) is not installed.
    """
    measured = dict(metrics)
    if frames_per_bar is not None:
        measured["groove_consistency"] = partial(groove_consistency, frames_per_bar=frames_per_bar)
    compared = compare_sets(generated, data, metrics=measured).metrics
    if axes is None:
        panels = new_panels(len(measured), columns=_COLUMNS, width=2.9, height=2.3)
    else:
        panels = given_panels(axes, len(measured), what="plot_distributions")
    for ax, (name, metric) in zip(panels, measured.items(), strict=True):
        _panel(ax, *(_values(rolls, metric) for rolls in (generated, data)))
        ax.set_title(f"{name.replace('_', ' ')}\noverlap {compared[name].overlap:.2f}", fontsize="medium")
    _add_legend(panels, own=axes is None)
    return panels


def _values(rolls: Sequence[PianoRoll], metric: Metric) -> Float64[np.ndarray, " pieces"]:
    values = np.array([float(metric(rolls[index])) for index in range(len(rolls))])
    finite: np.ndarray = values[np.isfinite(values)]
    return finite


def _panel(ax: "Axes", generated: Float64[np.ndarray, " n"], data: Float64[np.ndarray, " m"]) -> None:
    both = np.concatenate([generated, data])
    if len(both):
        count = int(np.clip(np.ceil(2 * np.cbrt(max(len(generated), len(data)))), 5, _MOST_BINS))
        edges = np.histogram_bin_edges(both, bins=count)
        of_data, of_generated = (np.histogram(values, edges)[0] / max(len(values), 1) for values in (data, generated))
        ax.stairs(of_data, edges, fill=True, facecolor="0.8", edgecolor="0.45", label="data")
        ax.stairs(of_generated, edges, color=COLOURS[1], linewidth=2.2, label="generated")
    else:
        ax.text(0.5, 0.5, "undefined", ha="center", va="center", transform=ax.transAxes)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("share of pieces")
    ax.set_axisbelow(True)


def _add_legend(panels: np.ndarray, *, own: bool) -> None:
    """Says which is which: above a figure of our own, or in the first of the panels that were given."""
    for ax in panels:
        handles, labels = ax.get_legend_handles_labels()
        if not handles:
            continue
        if own:
            ax.figure.legend(handles, labels, loc="outside upper left", ncols=2, frameon=False)
        else:
            ax.legend(fontsize="small", framealpha=0.85)
        return
