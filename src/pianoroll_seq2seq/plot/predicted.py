"""What a model expects, frame by frame.

PyTorch is imported here: this module is asked for where one draws.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from pianoroll_seq2seq.conditions import side_by_side
from pianoroll_seq2seq.corpus.packing import struck
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.base import SequenceModel, device_of, inference, predict
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.windowing import SlidingWindows


class Predicted(NamedTuple):
    """Music, and how likely a model found each pitch in each of its frames after the first ones."""

    roll: PianoRoll
    primer_frames: int
    probabilities: Float64[np.ndarray, "frames pitches"]


def predicted_roll(
    model: SequenceModel, roll: PianoRoll, *, primer_frames: int, onsets: bool, condition: np.ndarray | None
) -> Predicted:
    """What a model expects of a roll, of which it hears the first frames, and then each before the next.

    Raises:
        SettingsError: a primer of no frames or of all of them, or a condition that the model does not hear.
        ShapeError: a condition of fewer rows than the roll has frames.
    """
    if not 1 <= primer_frames < len(roll):
        raise SettingsError(
            f"primer_frames must lie in 1..{len(roll) - 1}, so that the model hears a frame of the roll and has "
            f"another to predict, got {primer_frames}."
        )
    frames = np.hstack([roll.active, struck(roll)]) if onsets else roll.active
    told = None
    if condition is not None:
        told = torch.from_numpy(side_by_side([condition], 1, frames=len(roll)))
        told = told[:, : len(roll)].expand(1, len(roll), -1)
    heard = torch.from_numpy(frames.astype(np.float32))[None]
    means = _means(model, heard[:, :primer_frames], heard[:, primer_frames:], told)
    return Predicted(roll, primer_frames, means[:, : len(roll.pitches)])


def predicted_window(model: SequenceModel, windows: SlidingWindows, window: int) -> Predicted:
    """What a model expects of a window's target frames, each after the true frames before it.

    Raises:
        SettingsError: no such window, or conditions that the model does not hear.
    """
    if not 0 <= window < len(windows):
        raise SettingsError(f"window must lie in 0..{len(windows) - 1}, got {window}.")
    inputs, targets, condition = windows.conditioned_batch([window])
    cells = torch.cat([inputs, targets], dim=1)[0].bool().numpy()
    piece, pitches = windows.piece_of(window), windows.pitches
    if windows.onsets:
        active, onset = np.split(cells, 2, axis=1)
        roll = PianoRoll(active, onset, windows.grid, pitches, piece.tempo, piece.name)
    else:
        roll = PianoRoll.from_active(cells, grid=windows.grid, pitches=pitches, tempo=piece.tempo, name=piece.name)
    return Predicted(roll, windows.input_frames, _means(model, inputs, targets, condition)[:, : len(pitches)])


def _means(
    model: SequenceModel, inputs: Tensor, targets: Tensor, condition: Tensor | None
) -> Float64[np.ndarray, "frames columns"]:
    """The marginal probability of each column of each target frame of one example."""
    device = device_of(model)
    told = None if condition is None else condition.to(device)
    with inference(model):
        distribution = predict(model, inputs.to(device), targets.to(device), told)
        means: np.ndarray = distribution.mean[0].double().cpu().numpy()
    return means
