"""Pictures of where a decoder looks."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot

from pianoroll_seq2seq import BeatGrid, SecondsGrid
from pianoroll_seq2seq.display.plot import plot_attention
from pianoroll_seq2seq.errors import ShapeError


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


@pytest.mark.parametrize(
    ("grid", "unit", "extent"),
    [(BeatGrid(4), "beats", (0, 2, 1, 0)), (SecondsGrid(0.5), "seconds", (0, 4, 2, 0))],
    ids=["beats", "seconds"],
)
def test_axes_count_beats_or_seconds_of_a_grid(
    grid: BeatGrid | SecondsGrid, unit: str, extent: tuple[float, ...]
) -> None:
    """The picture cannot be held against the one of the notes."""
    ax = plot_attention(np.full((4, 8), 1 / 8), grid=grid)
    (image,) = ax.get_images()
    assert tuple(image.get_extent()) == extent
    assert (ax.get_xlabel(), ax.get_ylabel()) == (f"input, {unit}", f"target, {unit}")


def test_more_weight_is_brighter() -> None:
    """In a grey print, or for colour-blind readers, large and small weights look alike."""
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
