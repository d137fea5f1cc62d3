"""Pictures of figures of music."""

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch
from plot_contents import legend, some_roll

from pianoroll_seq2seq.display.plot import plot_distributions
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.evaluation.music_metrics import METRICS, polyphony
from pianoroll_seq2seq.evaluation.set_distance import compare_sets

_GENERATED = [some_roll(seed=seed, density=0.3) for seed in range(6)]
_DATA = [some_roll(seed=seed, density=0.5) for seed in range(10, 20)]


def _steps(ax: Axes) -> dict[str, StepPatch]:
    return {str(patch.get_label()): patch for patch in ax.patches if isinstance(patch, StepPatch)}


def test_a_panel_for_each_figure() -> None:
    """A figure of music is missing, or its panel does not say which it is, or how alike the sets are."""
    panels = plot_distributions(_GENERATED, _DATA, frames_per_bar=4)
    names = [*METRICS, "groove_consistency"]
    compared = compare_sets(_GENERATED, _DATA, frames_per_bar=4).metrics
    assert [ax.get_title() for ax in panels] == [
        f"{name.replace('_', ' ')}\noverlap {compared[name].overlap:.2f}" for name in names
    ]
    assert {ax.figure for ax in panels} == {panels[0].figure}
    assert len(panels[0].figure.axes) == len(names)
    assert all(ax.get_ylabel() for ax in panels)
    (key,) = panels[0].figure.legends
    assert [text.get_text() for text in key.get_texts()] == ["data", "generated"]


def test_heights_are_shares_of_the_pieces() -> None:
    """The larger set seems to be the more common, or pieces are counted in the wrong bin."""
    (ax,) = plot_distributions(_GENERATED, _DATA, metrics={"polyphony": polyphony})
    for name, rolls in (("generated", _GENERATED), ("data", _DATA)):
        shares, edges, _ = _steps(ax)[name].get_data()
        assert np.isclose(shares.sum(), 1)
        np.testing.assert_allclose(shares, np.histogram([polyphony(roll) for roll in rolls], edges)[0] / len(rolls))


def test_sets_differ_without_colour() -> None:
    """In a grey print, generated pieces and data look alike."""
    (ax,) = plot_distributions(_GENERATED, _DATA, metrics={"polyphony": polyphony})
    steps = _steps(ax)
    assert steps["data"].get_fill()
    assert not steps["generated"].get_fill()


def test_draws_into_given_axes() -> None:
    """The panels cannot be put into a figure of one's own, or one does not know which set is which there."""
    figure, axes = pyplot.subplots(2, 5)
    before = pyplot.get_fignums()
    panels = plot_distributions(_GENERATED, _DATA, axes=axes)
    assert list(panels) == list(axes.ravel()[: len(METRICS)])
    assert pyplot.get_fignums() == before
    assert legend(panels[0]) == ["data", "generated"]
    assert not figure.legends
    with pytest.raises(ShapeError, match=f"plot_distributions needs {len(METRICS)} axes, got 2"):
        plot_distributions(_GENERATED, _DATA, axes=axes[0, :2])


def test_what_cannot_be_said_is_left_out() -> None:
    """A figure that is undefined for some pieces, or for all, fails within matplotlib."""
    metrics = {"odd": lambda roll: float("nan"), "some": lambda roll: float("nan") if roll is _DATA[0] else 1.0}
    odd, some = plot_distributions(_GENERATED, _DATA, metrics=metrics)
    assert [text.get_text() for text in odd.texts] == ["undefined"]
    assert all(np.isclose(steps.get_data()[0].sum(), 1) for steps in _steps(some).values())
    odd.figure.draw_without_rendering()


def test_single_pieces_can_be_compared() -> None:
    """One piece beside one of the data fails."""
    panels = plot_distributions(_GENERATED[:1], _DATA[:1])
    panels[0].figure.draw_without_rendering()


def test_no_pieces_are_refused() -> None:
    """An empty set is drawn as if it were music, and a figure is left open."""
    with pytest.raises(SettingsError, match="Both sets need at least one piece"):
        plot_distributions([], _DATA)
    assert pyplot.get_fignums() == []
