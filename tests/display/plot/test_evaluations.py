"""Pictures of a model's scores."""

import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from plot_contents import legend

from pianoroll_seq2seq import Evaluation
from pianoroll_seq2seq.display.plot import plot_evaluation
from pianoroll_seq2seq.errors import ShapeError
from pianoroll_seq2seq.evaluation.prediction_scores import Predictor, Scores


def _predictor(nats: float, f1: float) -> Predictor:
    return Predictor(Scores(nats, 0.5, 0.5, f1), Scores(2 * nats, 0.5, 0.5, f1 / 2))


_EVALUATION = Evaluation(100, 10, _predictor(1, 0.9), _predictor(2, 0.8), _predictor(4, 0.4))


def _lengths(ax: Axes) -> dict[str, list[float]]:
    return {str(bars.get_label()): [bar.get_width() for bar in bars] for bars in ax.containers}


def test_bars_are_the_scores() -> None:
    """A model looks better or worse beside copying than it is."""
    nats, f1 = plot_evaluation(_EVALUATION)
    assert _lengths(nats) == {"all frames": [1, 2, 4], "changed frames": [2, 4, 8]}
    assert _lengths(f1) == {"all frames": [0.9, 0.8, 0.4], "changed frames": [0.45, 0.4, 0.2]}
    nats.figure.draw_without_rendering()
    for ax in (nats, f1):
        places = dict(zip(ax.get_yticks(), (label.get_text() for label in ax.get_yticklabels()), strict=True))
        assert places == {0: "model", 1: "copy last", 2: "copy input"}
        assert ax.yaxis_inverted()  # the model on top
    assert nats.get_xlabel() == "nats per frame (lower is better)"
    assert f1.get_xlabel() == "F1 (higher is better)"


def test_bars_differ_without_colour() -> None:
    """In a grey print, all frames and changed frames look alike."""
    nats, _ = plot_evaluation(_EVALUATION)
    assert legend(nats) == ["all frames", "changed frames"]
    assert [bool(bars[0].get_hatch()) for bars in nats.containers] == [False, True]


def test_draws_into_given_axes() -> None:
    """The panels cannot be put into a figure of one's own."""
    _, axes = pyplot.subplots(1, 2)
    before = pyplot.get_fignums()
    assert list(plot_evaluation(_EVALUATION, axes=axes)) == list(axes)
    assert pyplot.get_fignums() == before
    with pytest.raises(ShapeError, match="plot_evaluation needs 2 axes, got 1"):
        plot_evaluation(_EVALUATION, axes=[axes[0]])
