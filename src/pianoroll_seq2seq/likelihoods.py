"""Exact likelihood of whole pieces, the measure in which models of polyphonic music are compared.

Every frame of every piece is predicted once, from the frames before it and from nothing else, and the negative
log-probability of the frame, over all pitches jointly, is averaged over frames: nats per frame, as in
Boulanger-Lewandowski, Bengio and Vincent (2012), "Modeling temporal dependencies in high-dimensional sequences".
Published figures differ in whether the first frame of a piece counts, of which a model knows nothing: both are given.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.base import SequenceModel, device_of, inference
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
) -> Likelihood:
    """The exact likelihood of whole pieces.

    Args:
        model: any sequence model; or several, whose probabilities of each frame are averaged (a mixture).
        rolls: the pieces, of the pitches the model knows.
        input_frames: how many frames the model hears before the first it predicts. Before a piece there is silence: so
            many frames of it are put in front. 0 for a model that predicts a piece from its first frame on.
        target_frames: how many frames it predicts before it hears anew, the latest ``input_frames``; None for
            the whole piece at once.

    Raises:
        SettingsError: sizes out of range, or no pieces.
    """
    if input_frames < 0 or (target_frames is not None and (target_frames < 1 or input_frames < 1)):
        raise SettingsError(
            f"input_frames must be at least 0 and target_frames at least 1 (then input_frames too), or None, got "
            f"{input_frames} and {target_frames}."
        )
    models = [model] if isinstance(model, SequenceModel) else list(model)
    if not rolls or not models or not all(len(roll) for roll in rolls):
        raise SettingsError("likelihood needs at least one model, and at least one piece, each of at least one frame.")
    pieces = [frame_log_probs(models, roll, input_frames, target_frames) for roll in rolls]
    total = -sum(float(piece.sum()) for piece in pieces)
    first = -sum(float(piece[0]) for piece in pieces)
    frames = sum(map(len, pieces))
    after = (total - first) / max(1, frames - len(pieces))
    return Likelihood(total / frames, after, frames, tuple(-float(piece.mean()) for piece in pieces))


def frame_log_probs(
    models: Sequence[SequenceModel], roll: PianoRoll, input_frames: int, target_frames: int | None
) -> Tensor:
    """The log-probability of every frame of a piece under the mixture of some models: float64, (frames,)."""
    of_models = []
    for model in models:
        with inference(model):
            parts = [
                model(inputs, targets).log_prob(targets).double().flatten()
                for inputs, targets in _cut(
                    torch.from_numpy(roll.active.astype(np.float32)).to(device_of(model)), input_frames, target_frames
                )
            ]
        of_models.append(torch.cat(parts)[: len(roll)].cpu())
    return torch.stack(of_models).logsumexp(dim=0) - math.log(len(models))


def _cut(frames: Tensor, input_frames: int, target_frames: int | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets in which every frame is a target once, in order, and perhaps silence after the last."""
    count = len(frames)
    if target_frames is None:
        yield frames.new_zeros(1, input_frames, frames.shape[1]), frames.unsqueeze(0)
        return
    blocks = -(-count // target_frames)
    padded = functional.pad(frames, (0, 0, input_frames, blocks * target_frames - count))
    windows = padded.unfold(0, input_frames + target_frames, target_frames).transpose(1, 2)
    yield windows[:, :input_frames], windows[:, input_frames:]
