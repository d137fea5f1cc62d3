"""A model's scores beside those of copying."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq.plot.figures import given_panels, new_panels
from pianoroll_seq2seq.plot.palette import CONTINUATION_COLOUR, PRIMER_COLOUR, PRIMER_HATCH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pianoroll_seq2seq.evaluation import Evaluation

_BAR = 0.38


def plot_evaluation(evaluation: "Evaluation", *, axes: "np.ndarray | Sequence[Axes] | None" = None) -> np.ndarray:
    """Draws the scores of a model beside those of copying: nats per frame (less is better) and F1 (more is better).

    Args:
        evaluation: what :func:`~pianoroll_seq2seq.evaluation.evaluate` gives.
        axes: where to draw, two of them; a new figure by default.

    Returns:
        The two axes: nats per frame, F1.

    Raises:
        ShapeError: fewer than two axes.
        MissingExtraError: matplotlib is not installed.
    """
    if axes is None:
        panels = new_panels(2, columns=2, width=5, height=2.8)
    else:
        panels = given_panels(axes, 2, what="plot_evaluation")
    rows = {"model": evaluation.model, "copy last": evaluation.copy_last, "copy input": evaluation.copy_input}
    places = np.arange(len(rows))
    kinds = (
        ("all", "all frames", CONTINUATION_COLOUR, None, -_BAR / 2),
        ("changed", "changed frames", PRIMER_COLOUR, PRIMER_HATCH, _BAR / 2),
    )
    figures = (("nats", "nats per frame (less is better)", "%.2f"), ("f1", "F1 (more is better)", "%.3f"))
    for ax, (figure, label, form) in zip(panels, figures, strict=True):
        for which, name, colour, hatch, shift in kinds:
            values = [getattr(getattr(row, which), figure) for row in rows.values()]
            bars = ax.barh(
                places + shift, values, height=_BAR, color=colour, edgecolor="white", hatch=hatch, label=name
            )
            ax.bar_label(bars, fmt=form, padding=3, fontsize="small")
        ax.set_yticks(places, list(rows))
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xlabel(label)
        ax.margins(x=0.18)
        ax.grid(axis="x", alpha=0.4)
        ax.set_axisbelow(True)
    panels[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    return panels
