"""The probabilities that a model gives to each pitch, frame by frame.

This module imports PyTorch, so it is imported only when probabilities are drawn.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from pianoroll_seq2seq.data.conditions import stack_conditions
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.prediction_scores import windows_for
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import SequenceModel, choose_layout, device_of, layout_for, predict, source_of
from pianoroll_seq2seq.models.heads.velocity_frame import Velocity
from pianoroll_seq2seq.models.modes import inference
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.windowing import SlidingWindows


class PredictedRoll(NamedTuple):
    """A roll, and the probability of each pitch in each frame after the primer."""

    roll: PianoRoll
    primer_frames: int
    probabilities: Float64[np.ndarray, "frames pitches"]


def predict_roll(
    model: SequenceModel,
    roll: PianoRoll,
    *,
    primer_frames: int,
    condition: np.ndarray | None,
    layout: FrameLayout | None,
    part: str | None = None,
) -> PredictedRoll:
    """Predicts each frame of a roll after the primer, given the true frames before it.

    Args:
        model: any sequence model.
        roll: the roll, on the grid and of the pitches of the model.
        primer_frames: the number of first frames that the model reads as the primer.
        condition: of shape (size,) or (frames, size); by default what a model's ``condition_source`` computes, if it
            has one.
        layout: the layout of a model that does not carry one; by default the active plane on the roll's grid.
        part: the part to keep; by default all parts but drums, in one.

    Raises:
        SettingsError: no such part, a primer without frames or of all frames, or a condition that the model does not
            take.
        GridError, PitchRangeError, ShapeError: a roll or a layout that does not fit the model's layout.
        ShapeError: a condition with fewer rows than the roll has frames.
    """
    if not 1 <= primer_frames < len(roll):
        raise SettingsError(
            f"primer_frames must be in 1..{len(roll) - 1}, so that at least one frame is left to predict, got "
            f"{primer_frames}."
        )
    layout = layout_for(model, roll, layout)
    layout.check(roll, "The roll")
    conditions, source = None, source_of(model)
    if condition is None and source is not None:
        condition = source(roll)
    if condition is not None:
        conditions = torch.from_numpy(stack_conditions([condition], 1, num_frames=len(roll)))
        conditions = conditions[:, : len(roll)].expand(1, len(roll), -1)
    frames = torch.from_numpy(layout.to_float(roll.to_frames(layout)))[None]
    means = _means(model, frames[:, :primer_frames], frames[:, primer_frames:], conditions)
    return _of_parts(PredictedRoll(roll, primer_frames, means[:, layout.columns("active")]), part)


def predict_window(
    model: SequenceModel, windows: SlidingWindows, window: int, part: str | None = None
) -> PredictedRoll:
    """Predicts a window's target frames, each given the true frames before it.

    Raises:
        SettingsError: no such part or window, or conditions that the model does not take.
        GridError, PitchRangeError, ShapeError: windows of another layout than the model's.
    """
    if not 0 <= window < len(windows):
        raise SettingsError(f"window must be in 0..{len(windows) - 1}, got {window}.")
    choose_layout(model, windows.layout)
    windows = windows_for(model, windows)
    inputs, targets, condition = windows.conditioned_batch([window])
    piece, layout = windows.piece_of(window), windows.layout
    frames = layout.from_float(torch.cat([inputs, targets], dim=1)[0].numpy())
    roll = PianoRoll.from_frames(frames, layout, tempo=piece.tempo, name=piece.name)
    means = _means(model, inputs, targets, condition)
    return _of_parts(PredictedRoll(roll, windows.input_frames, means[:, layout.columns("active")]), part)


def _of_parts(predicted: PredictedRoll, part: str | None) -> PredictedRoll:
    """One part of a prediction, or all but drums in one, with the highest probability of each pitch."""
    roll = predicted.roll
    if part is not None:
        return PredictedRoll(roll[part], predicted.primer_frames, predicted.probabilities[:, roll.columns(part)])
    if len(roll.parts) == 1:
        return predicted
    only_drums = all(part.drums for part in roll.parts)
    merged = roll.merged(drums=only_drums)
    highest = np.zeros((len(predicted.probabilities), len(merged.pitches)))
    for one in roll.parts:
        if only_drums or not one.drums:
            start = one.pitches.lowest - merged.pitches.lowest
            here = highest[:, start : start + len(one.pitches)]
            np.maximum(here, predicted.probabilities[:, roll.columns(one.name)], out=here)
    return PredictedRoll(merged, predicted.primer_frames, highest)


def _means(
    model: SequenceModel, inputs: Tensor, targets: Tensor, condition: Tensor | None
) -> Float64[np.ndarray, "frames columns"]:
    """The marginal probability of each column of each target frame of one example."""
    device = device_of(model)
    moved = None if condition is None else condition.to(device)
    with inference(model):
        distribution = predict(model, inputs.to(device), targets.to(device), moved)
        if isinstance(distribution, Velocity):  # the mean of the velocities is not drawn, and takes long
            distribution = distribution.notes
        means: np.ndarray = distribution.mean[0].double().cpu().numpy()
    return means
