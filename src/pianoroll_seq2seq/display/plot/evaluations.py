"""A model's scores beside those of the copying baselines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq.display.palette import CONTINUATION_COLOUR, PRIMER_COLOUR, PRIMER_HATCH
from pianoroll_seq2seq.display.plot.figures import given_panels, new_panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pianoroll_seq2seq.evaluation.prediction_scores import Evaluation

_BAR_HEIGHT = 0.38


def plot_evaluation(evaluation: "Evaluation", *, axes: "np.ndarray | Sequence[Axes] | None" = None) -> np.ndarray:
    """Draws a model's scores beside the copying baselines: nats per frame (lower is better) and F1 (higher is better).

    Args:
        evaluation: the result of :func:`~pianoroll_seq2seq.evaluation.prediction_scores.evaluate`.
        axes: two axes to draw into; a new figure by default.

    Returns:
        The two axes: nats per frame, F1.

    Raises:
        ShapeError: fewer than two axes.
        MissingExtraError: matplotlib is not installed.
    """
    if axes is None:
        panels = new_panels(2, columns=2, width=5, height=2.8)
    else:
        panels = given_panels(axes, 2, function="plot_evaluation")
    rows = {"model": evaluation.model, "copy last": evaluation.copy_last, "copy input": evaluation.copy_input}
    positions = np.arange(len(rows))
    subsets = (
        ("all", "all frames", CONTINUATION_COLOUR, None, -_BAR_HEIGHT / 2),
        ("changed", "changed frames", PRIMER_COLOUR, PRIMER_HATCH, _BAR_HEIGHT / 2),
    )
    scores = (("nats", "nats per frame (lower is better)", "%.2f"), ("f1", "F1 (higher is better)", "%.3f"))
    for ax, (score, label, form) in zip(panels, scores, strict=True):
        for subset, name, colour, hatch, shift in subsets:
            values = [getattr(getattr(row, subset), score) for row in rows.values()]
            bars = ax.barh(
                positions + shift, values, height=_BAR_HEIGHT, color=colour, edgecolor="white", hatch=hatch, label=name
            )
            ax.bar_label(bars, fmt=form, padding=3, fontsize="small")
        ax.set_yticks(positions, list(rows))
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xlabel(label)
        ax.margins(x=0.18)
        ax.grid(axis="x", alpha=0.4)
        ax.set_axisbelow(True)
    panels[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    return panels
