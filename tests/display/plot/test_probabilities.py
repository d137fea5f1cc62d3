"""Plots of a model's probabilities."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from layouts import active_windows
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.image import AxesImage, PcolorImage
from plot_contents import bars, legend, some_roll

from pianoroll_seq2seq import (
    BeatGrid,
    BernoulliHead,
    FillingLSTM,
    FrameLayout,
    MetricPosition,
    Part,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    SlidingWindows,
)
from pianoroll_seq2seq.display.plot import plot_probabilities
from pianoroll_seq2seq.errors import GridError, PitchRangeError, SettingsError


@pytest.fixture(scope="module")
def model() -> Seq2SeqLSTM:
    torch.manual_seed(0)
    return Seq2SeqLSTM(12, hidden_size=8)


def _map(ax: Axes) -> tuple[np.ndarray, tuple[float, ...]]:
    """The probabilities by pitch and frame, and the left, right, bottom and top of the map."""
    (image,) = [child for child in ax.get_children() if isinstance(child, AxesImage | PcolorImage | QuadMesh)]
    assert image.get_clim() == (0, 1)
    return np.asarray(image.get_array()), tuple(float(edge) for edge in image.get_extent())


def _expected(model: Seq2SeqLSTM, roll: PianoRoll, primer_frames: int) -> np.ndarray:
    """The same probabilities, frame by frame."""
    frames = torch.from_numpy(roll.active.astype(np.float32))[None]
    with torch.no_grad():
        distribution, state = model.eval().start(frames[:, :primer_frames])
        means = [distribution.mean[0]]
        for frame in range(primer_frames, len(roll) - 1):
            distribution, state = model.advance(frames[:, frame], state)
            means.append(distribution.mean[0])
    return torch.stack(means).numpy()


def test_probabilities_are_drawn_at_their_pitch_and_time(model: Seq2SeqLSTM) -> None:
    """The map is transposed or shifted, or shows the probabilities of another frame."""
    roll = some_roll(seed=1)
    ax = plot_probabilities(model, roll, primer_frames=6)
    shown, extent = _map(ax)
    np.testing.assert_allclose(shown, _expected(model, roll, 6).T, atol=1e-5)
    assert extent == (1.5, 4, 59.5, 71.5)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("beats", "pitch")
    assert [other.get_ylabel() for other in ax.figure.axes if other is not ax] == ["probability"]


def test_the_notes_lie_over_the_map(model: Seq2SeqLSTM) -> None:
    """The notes are not drawn over the map, or the primer is not marked."""
    roll = some_roll(seed=1)
    ax = plot_probabilities(model, roll, primer_frames=6)
    assert legend(ax) == ["primer", "notes after the primer"]
    primer = sorted({(bar.start * 4, bar.end * 4, bar.pitch) for bar in bars(ax) if bar.hatched})
    outlined = sorted({(bar.start * 4, bar.end * 4, bar.pitch) for bar in bars(ax) if not bar.hatched})
    notes = [(float(onset), float(end), float(pitch)) for onset, end, pitch in zip(*roll.notes()[:3], strict=True)]
    assert primer == sorted((onset, min(end, 6.0), pitch) for onset, end, pitch in notes if onset < 6)
    assert outlined == sorted((max(onset, 6.0), end, pitch) for onset, end, pitch in notes if end > 6)


def test_a_window_is_that_of_training(model: Seq2SeqLSTM) -> None:
    """The picture shows other frames than those the model is scored on."""
    rolls = [some_roll(seed=2, frames=24), some_roll(seed=3, frames=24)]
    windows = active_windows(rolls, input_frames=8, target_frames=8, hop=8)
    shown, extent = _map(plot_probabilities(model, windows, window=3))  # the second one of the second piece
    np.testing.assert_allclose(shown, _expected(model, rolls[1][8:], 8).T, atol=1e-5)
    assert extent[:2] == (2, 4)


@pytest.mark.parametrize("built_from", ["layout", "frame size"])
def test_models_with_onset_planes(built_from: str) -> None:
    """A model that reads onsets fails, or the map shows onsets in place of notes."""
    roll = some_roll(seed=4)
    layout = FrameLayout.of(roll, onsets=True)
    model = Seq2SeqLSTM(layout if built_from == "layout" else 24, hidden_size=8)
    own_layout = None if built_from == "layout" else layout
    of_roll, _ = _map(plot_probabilities(model, roll, primer_frames=8, layout=own_layout))
    windows = SlidingWindows([roll], input_frames=8, target_frames=8, hop=8, layout=layout)
    of_window, _ = _map(plot_probabilities(model, windows))
    assert of_roll.shape == (12, 8)
    np.testing.assert_allclose(of_roll, of_window, atol=1e-6)


def _band(*, velocity: int | None = None) -> PianoRoll:
    """Two parts that overlap in pitch, and drums."""
    melody, bass = some_roll(seed=1), some_roll(seed=2).with_pitches(PitchRange(58, 73))
    kit = replace(some_roll(seed=3), parts=(Part("kit", drums=True, pitches=melody.pitches),))
    roll = PianoRoll.stack([PianoRoll.stack({"melody": melody, "bass": bass}), kit])
    return roll if velocity is None else roll.with_velocity(velocity)


@pytest.mark.parametrize("velocity", [None, 90])
def test_models_of_several_parts_and_velocities(velocity: int | None) -> None:
    """The pitches of one part are drawn at those of another, drums are pitches, or velocities are probabilities."""
    roll = _band(velocity=velocity)
    layout = FrameLayout.of(roll, velocity=velocity is not None)
    torch.manual_seed(0)
    model = Seq2SeqLSTM(layout, hidden_size=8)
    frames = torch.from_numpy(layout.to_float(roll.to_frames(layout)))[None]
    with torch.no_grad():
        distribution = model.eval()(frames[:, :6], frames[:, 6:])
        means = (distribution.notes if velocity else distribution).mean[0].numpy()
    by_part = {part.name: means[:, layout.columns("active", part.name)] for part in roll.parts}
    for name, expected in by_part.items():
        shown, _ = _map(plot_probabilities(model, roll, primer_frames=6, part=name))
        np.testing.assert_allclose(shown, expected.T, atol=1e-5)
    both = by_part["bass"].copy()
    both[:, 2:14] = np.maximum(both[:, 2:14], by_part["melody"])
    ax = plot_probabilities(model, roll, primer_frames=6)
    shown, extent = _map(ax)
    np.testing.assert_allclose(shown, both.T, atol=1e-5)
    assert extent[2:] == (57.5, 73.5)
    pitches = {bar.pitch for bar in bars(ax)}
    assert pitches == {float(pitch) for pitch in roll.merged().notes().pitch}
    windows = SlidingWindows([roll], input_frames=6, target_frames=len(roll) - 6, hop=1, layout=layout)
    of_window, _ = _map(plot_probabilities(model, windows))
    np.testing.assert_allclose(of_window, both.T, atol=1e-5)
    with pytest.raises(SettingsError, match=r"no part 'viola'"):
        plot_probabilities(model, roll, primer_frames=6, part="viola")


def test_a_roll_that_does_not_fit_the_layout_is_refused() -> None:
    """A roll on another grid or with other pitches is drawn with meaningless probabilities."""
    roll = some_roll()
    for grid, pitches, error in (
        (BeatGrid(2), roll.pitches, GridError),
        (roll.grid, PitchRange(61, 72), PitchRangeError),
    ):
        model = Seq2SeqLSTM(FrameLayout(grid, pitches, planes=("active",)), hidden_size=8)
        with pytest.raises(error, match="The roll"):
            plot_probabilities(model, roll, primer_frames=8)
        windows = active_windows([roll], input_frames=8, target_frames=8, hop=8)
        with pytest.raises(error, match="The layout"):
            plot_probabilities(model, windows)


def test_conditions_are_used() -> None:
    """The plot of a conditional model ignores the condition."""
    torch.manual_seed(1)
    model = Seq2SeqLSTM(12, hidden_size=8, condition_size=3)
    roll = some_roll(seed=5)
    condition = np.array([1, 0, 0], dtype=np.float32)
    shown, _ = _map(plot_probabilities(model, roll, primer_frames=8, condition=condition))
    other, _ = _map(plot_probabilities(model, roll, primer_frames=8, condition=condition[::-1].copy()))
    windows = active_windows([roll], input_frames=8, target_frames=8, hop=8, conditions=condition[None])
    of_window, _ = _map(plot_probabilities(model, windows))
    assert np.abs(shown - other).max() > 1e-3
    np.testing.assert_allclose(shown, of_window, atol=1e-6)


def test_conditions_that_a_model_computes_are_used() -> None:
    """A model that knows where in the bar it is cannot be drawn without conditions."""
    roll, source = some_roll(), MetricPosition()
    layout = FrameLayout.of(roll, onsets=False)
    model = FillingLSTM(layout, hidden_size=8, encoder_size=4, head=BernoulliHead, condition_source=source)
    expected, _ = _map(plot_probabilities(model, roll, primer_frames=4, condition=source(roll)))
    drawn, _ = _map(plot_probabilities(model, roll, primer_frames=4))
    assert np.array_equal(drawn, expected)
    windows = SlidingWindows([roll], input_frames=4, target_frames=len(roll) - 4, hop=1, layout=layout)
    of_window, _ = _map(plot_probabilities(model, windows))
    assert np.array_equal(of_window, expected)


def test_the_model_is_left_as_it_was(model: Seq2SeqLSTM) -> None:
    """Plotting a model during training switches its dropout off."""
    model.train()
    plot_probabilities(model, some_roll(), primer_frames=8)
    assert model.training


def test_silence_can_be_drawn(model: Seq2SeqLSTM) -> None:
    """A silent primer fails."""
    silent = PianoRoll.from_active(np.zeros((9, 12), bool), pitches=PitchRange(60, 71))
    ax = plot_probabilities(model, silent, primer_frames=8)
    assert _map(ax)[0].shape == (12, 1)
    ax.figure.draw_without_rendering()


def test_more_is_brighter(model: Seq2SeqLSTM) -> None:
    """In a grey print, or for colour-blind readers, high and low probabilities look alike."""
    ax = plot_probabilities(model, some_roll(), primer_frames=8)
    (image,) = [child for child in ax.get_children() if isinstance(child, AxesImage | PcolorImage | QuadMesh)]
    grey = image.cmap(np.linspace(0, 1, 50))[:, :3] @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(grey) > 0).all()


def test_draws_into_given_axes(model: Seq2SeqLSTM) -> None:
    """A figure of several panels cannot be made: the plot appears in its own figure."""
    _, axes = pyplot.subplots(1, 2)
    before = pyplot.get_fignums()
    assert plot_probabilities(model, some_roll(), primer_frames=8, ax=axes[1]) is axes[1]
    assert pyplot.get_fignums() == before


def test_invalid_arguments(model: Seq2SeqLSTM) -> None:
    """A wrong call fails from within torch, or draws an empty map."""
    roll = some_roll()
    windows = active_windows([roll], input_frames=8, target_frames=8, hop=8)
    with pytest.raises(SettingsError, match="primer_frames=16"):
        plot_probabilities(model, roll)
    for primer_frames in (0, 16):
        with pytest.raises(SettingsError, match=r"1\.\.15"):
            plot_probabilities(model, roll, primer_frames=primer_frames)
    with pytest.raises(SettingsError, match="Windows have their own"):
        plot_probabilities(model, windows, primer_frames=8)
    with pytest.raises(SettingsError, match=r"window must be in 0\.\.0, got 1"):
        plot_probabilities(model, windows, window=1)
    with pytest.raises(SettingsError, match="condition"):
        plot_probabilities(model, roll, primer_frames=8, condition=np.ones(3, np.float32))
    assert pyplot.get_fignums() == []
