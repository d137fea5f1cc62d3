"""Exact likelihood of whole pieces, the measure in which models of polyphonic music are compared.

Every frame of every piece is predicted once, from the frames before it and from nothing else, and the negative
log-probability of the frame, over all pitches jointly, is averaged over frames: nats per frame, as in
Boulanger-Lewandowski, Bengio and Vincent (2012), "Modeling temporal dependencies in high-dimensional sequences".
Published figures differ in whether the first frame of a piece counts, of which a model knows nothing: both are given.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64
from torch import Tensor
from torch.nn import functional

from pianoroll_seq2seq.conditions import Conditions
from pianoroll_seq2seq.corpus.packing import struck
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.base import SequenceModel, device_of, inference, predict
from pianoroll_seq2seq.pianoroll import PianoRoll


@dataclass(frozen=True)
class Likelihood:
    """How likely a model finds some pieces.

    Args:
        nats: mean negative log-probability of a frame.
        nats_after_first: the same without the first frame of each piece.
        frames: how many frames there are, first ones included.
        pieces: the mean of each piece, first frame included, in the order of the pieces.
    """

    nats: float
    nats_after_first: float
    frames: int
    pieces: tuple[float, ...]

    def __str__(self) -> str:
        """In a line."""
        return (
            f"{self.nats:.3f} nats per frame ({self.nats_after_first:.3f} without first frames), {self.frames} frames "
            f"of {len(self.pieces)} pieces"
        )


def likelihood(
    model: SequenceModel | Sequence[SequenceModel],
    rolls: Sequence[PianoRoll],
    *,
    input_frames: int = 0,
    target_frames: int | None = None,
    onsets: bool = False,
    conditions: Sequence[np.ndarray] | np.ndarray | None = None,
) -> Likelihood:
    """The exact likelihood of whole pieces.

    Args:
        model: any sequence model; or several, whose probabilities of each frame are averaged (a mixture).
        rolls: the pieces, of the pitches the model knows.
        input_frames: how many frames the model hears before the first it predicts. Before a piece there is silence: so
            many frames of it are put in front. 0 for a model that predicts a piece from its first frame on.
        target_frames: how many frames it predicts before it hears anew, the latest ``input_frames``; None for
            the whole piece at once.
        onsets: whether the model knows what is struck beside what sounds, as of windows with ``onsets=True``. The
            probability is then that of both.
        conditions: what the model is told of each piece, arrays of shape (size,) or (frames, size). Silence before a
            piece has the condition of its first frame. None tells nothing.

    Raises:
        SettingsError: sizes out of range, no pieces, or conditions that a model does not hear.
        ShapeError: conditions of another number or length than the pieces.

    Example:
        >>> import numpy as np
        >>> from pianoroll_seq2seq import CopyingLSTM, PianoRoll, PitchRange
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> scored = likelihood(CopyingLSTM(pitches=12, hidden=8), [scale])
        >>> scored.frames, scored.nats > 0
        (12, True)
    """
    if input_frames < 0 or (target_frames is not None and (target_frames < 1 or input_frames < 1)):
        raise SettingsError(
            f"input_frames must be at least 0 and target_frames at least 1 (then input_frames too), or None, got "
            f"{input_frames} and {target_frames}."
        )
    models = [model] if isinstance(model, SequenceModel) else list(model)
    if not rolls or not models or not all(len(roll) for roll in rolls):
        raise SettingsError("likelihood needs at least one model, and at least one piece, each of at least one frame.")
    sizes = (input_frames, target_frames)
    told: list[np.ndarray | None] = [None] * len(rolls)
    if conditions is not None:
        table = Conditions.of(conditions)
        table.check_fit(np.array([len(roll) for roll in rolls]), [roll.name for roll in rolls])
        told = [table.at(np.array([piece]), np.arange(len(roll))[None])[0] for piece, roll in enumerate(rolls)]
    pieces = [
        frame_log_probs(models, np.hstack([roll.active, struck(roll)]) if onsets else roll.active, condition, *sizes)
        for roll, condition in zip(rolls, told, strict=True)
    ]
    total = -sum(float(piece.sum()) for piece in pieces)
    first = -sum(float(piece[0]) for piece in pieces)
    frames = sum(map(len, pieces))
    after = (total - first) / max(1, frames - len(pieces))
    return Likelihood(total / frames, after, frames, tuple(-float(piece.mean()) for piece in pieces))


def frame_log_probs(
    models: Sequence[SequenceModel],
    frames: Bool[np.ndarray, "frames columns"],
    condition: Float32[np.ndarray, "frames size"] | None,
    input_frames: int,
    target_frames: int | None,
) -> Float64[Tensor, " frames"]:
    """The log-probability of every frame of a piece under the mixture of some models."""
    of_models = []
    for model in models:
        device = device_of(model)
        played = torch.from_numpy(frames.astype(np.float32)).to(device)
        told = None if condition is None else torch.from_numpy(condition).to(device)
        inputs, targets, told = _cut(played, told, input_frames, target_frames)
        with inference(model):
            log_probs = predict(model, inputs, targets, told).log_prob(targets).double().flatten()
        of_models.append(log_probs[: len(frames)].cpu())
    return torch.stack(of_models).logsumexp(dim=0) - math.log(len(models))


def _cut(
    frames: Tensor, told: Tensor | None, input_frames: int, target_frames: int | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Inputs, targets in which every frame stands once, and what is told of both. Beyond the piece there is silence."""
    count = len(frames)
    size = count if target_frames is None else target_frames
    after = -count % size
    windows = functional.pad(frames, (0, 0, input_frames, after)).unfold(0, input_frames + size, size).transpose(1, 2)
    if told is not None:
        rows = torch.arange(-input_frames, count + after, device=told.device).clamp(0, count - 1)
        told = told[rows].unfold(0, input_frames + size, size).transpose(1, 2)
    return windows[:, :input_frames], windows[:, input_frames:], told
