"""Pictures (extra ``plot``): each function draws into axes that are given, or into new ones, and returns them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq.atomic import writing
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError, ShapeError
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.history import History
from pianoroll_seq2seq.pianoroll import PianoRoll

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

    from pianoroll_seq2seq.train import LearningRates

# Okabe and Ito's colours, told apart by colour-blind readers too; dark and light differ in grey as well.
_PRIMER_COLOUR = "#0072B2"
_CONTINUATION_COLOUR = "#E69F00"
_LINES = (("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-."), ("#CC79A7", ":"), ("#000000", (0, (5, 1))))


def plot_roll(roll: PianoRoll, *, primer_frames: int = 0, ax: "Axes | None" = None) -> "Axes":
    """Draws the notes of a roll: time to the right, pitch upwards.

    Args:
        roll: what to draw.
        primer_frames: the first frames are a primer, told apart from what the model wrote.
        ax: where to draw; a new figure by default.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    ax = ax if ax is not None else _new_axes(width=11)
    from matplotlib.patches import Patch

    lines = np.arange(len(roll) + 1)
    if isinstance(roll.grid, BeatGrid):
        times, unit = lines / roll.grid.frames_per_beat, "beats"
    else:
        times, unit = roll.grid.seconds_at(lines, roll.tempo), "seconds"
    onset_frame, end_frame, column = roll.notes()
    pitch = column + roll.pitches.lowest
    written = onset_frame >= primer_frames
    for which, colour, hatch in ((~written, _PRIMER_COLOUR, "////"), (written, _CONTINUATION_COLOUR, None)):
        starts = times[onset_frame[which]]
        ax.barh(
            pitch[which],
            times[end_frame[which]] - starts,
            left=starts,
            height=0.86,
            color=colour,
            edgecolor="white",
            linewidth=0.6,
            hatch=hatch,
        )
    lowest, highest = (
        (int(pitch.min()), int(pitch.max())) if len(pitch) else (roll.pitches.lowest, roll.pitches.highest)
    )
    octaves = [tone for tone in range(lowest - 2, highest + 3) if tone % 12 == 0]
    ax.set_yticks(octaves, [f"C{tone // 12 - 1}" for tone in octaves])
    ax.set_ylim(lowest - 1.5, highest + 1.5)
    ax.set_xlim(times[0], times[-1])
    ax.set_xlabel(unit)
    ax.set_ylabel("pitch")
    ax.grid(axis="y", alpha=0.4)
    ax.set_axisbelow(True)
    if primer_frames:
        ax.axvline(times[min(primer_frames, len(roll))], color="black", linewidth=1.2)
        keys = [Patch(color=_CONTINUATION_COLOUR, label="continuation")]
        keys.insert(0, Patch(facecolor=_PRIMER_COLOUR, edgecolor="white", hatch="////", label="primer"))
        ax.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    return ax


def plot_histories(histories: Mapping[str, History], *, ax: "Axes | None" = None) -> "Axes":
    """Draws the loss curves of runs, by their names: validation in full, training faint; a dot marks the best.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    ax = ax if ax is not None else _new_axes(width=7)
    from matplotlib.ticker import MaxNLocator

    for index, (name, history) in enumerate(histories.items()):
        colour, style = _LINES[index % len(_LINES)]
        epochs = [epoch.epoch for epoch in history.epochs]
        prefix = f"{name}: " if name else ""
        validated = len(history.valid_losses) == len(epochs)
        faint = 0.45 if validated else 1.0
        ax.plot(
            epochs,
            history.train_losses,
            color=colour,
            linestyle=style,
            alpha=faint,
            linewidth=1.2,
            label=f"{prefix}training",
        )
        shown = history.train_losses
        if validated:
            shown = history.valid_losses
            ax.plot(epochs, shown, color=colour, linestyle=style, linewidth=2, label=f"{prefix}validation")
        if history.best_epoch is not None:
            ax.plot([history.best_epoch], [shown[history.best_epoch - 1]], "o", color=colour)
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss (nats per frame)")
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.4)
    ax.legend(frameon=False)
    return ax


def plot_learning_rates(curve: "LearningRates", *, ax: "Axes | None" = None) -> "Axes":
    """Draws the loss over the learning rate; a dot marks the rate that it suggests.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    ax = ax if ax is not None else _new_axes(width=7)
    rate = curve.suggestion
    loss = float(np.interp(np.log(rate), np.log(curve.rates), curve.losses))
    ax.plot(curve.rates, curve.losses, color=_PRIMER_COLOUR, linewidth=2)
    ax.plot([rate], [loss], "o", color=_CONTINUATION_COLOUR, label=f"suggested: {rate:.1e}")
    ax.set_xscale("log")
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss (nats per frame)")
    ax.grid(alpha=0.4)
    ax.legend(frameon=False)
    return ax


def plot_attention(weights: "Tensor | np.ndarray", *, ax: "Axes | None" = None) -> "Axes":
    """Draws how much a decoder looks at each input frame, to the right, for each target frame, downwards.

    Args:
        weights: of one piece, (target, input): ``model.attention_weights(inputs, targets)[0]``.
        ax: where to draw; a new figure by default.

    Raises:
        ShapeError: weights of several pieces, or of none.
        MissingExtraError: matplotlib is not installed.
    """
    if weights.ndim != 2 or 0 in weights.shape:
        raise ShapeError(
            f"plot_attention expects the weights of one piece, (target, input), got {tuple(weights.shape)}. "
            f"Draw one of a batch: weights[0]."
        )
    ax = ax if ax is not None else _new_axes(width=7)
    from matplotlib.ticker import MaxNLocator

    # Cividis looks the same to colour-blind readers, and its brightness rises with the weight.
    shares = np.array(weights.tolist())
    image = ax.imshow(shares, aspect="auto", cmap="cividis", interpolation="nearest", vmin=0, vmax=shares.max())
    ax.figure.colorbar(image, ax=ax, label="weight")
    ax.set_xlabel("input frame")
    ax.set_ylabel("target frame")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    return ax


def save_figure(ax: "Axes", path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Writes the figure of some axes as PNG, and closes it.

    Raises:
        OverwriteError: a file stands there and ``overwrite`` is false.
    """
    from matplotlib import pyplot

    path = Path(path)
    figure = ax.get_figure(root=True)
    if figure is None:
        raise SettingsError("These axes belong to no figure any more.")
    with writing(path, overwrite=overwrite) as temporary:
        figure.savefig(temporary, format="png", dpi=150, bbox_inches="tight")
    pyplot.close(figure)
    return path


def _new_axes(*, width: float) -> "Axes":
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "Drawing") from error
    _, ax = pyplot.subplots(figsize=(width, 4), layout="constrained")
    return ax
