"""Exact likelihood of whole pieces, the measure by which models of polyphonic music are compared.

Every frame of every piece is predicted once, from the frames before it alone. The negative log-probability of the
frame, joint over all columns, is averaged over frames: nats per frame, as in Boulanger-Lewandowski, Bengio and Vincent
(2012), "Modeling temporal dependencies in high-dimensional sequences". Published figures differ in whether they count
the first frame of a piece, so both means are computed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor
from torch.nn import functional

from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.data.conditions import Conditions
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import SequenceModel, choose_layout, device_of, layout_for, layout_of, predict
from pianoroll_seq2seq.models.heads.velocity_frame import Velocity, VelocityPredictions
from pianoroll_seq2seq.models.modes import inference
from pianoroll_seq2seq.models.note_columns import note_columns
from pianoroll_seq2seq.pianoroll import PianoRoll


@dataclass(frozen=True)
class VelocityScores:
    """How well a model predicts the velocities of notes, each given all earlier ones.

    Args:
        nats: mean negative log-probability of a velocity, 1 to 127.
        mean_absolute_error: of the median of the predicted distribution, in steps of MIDI velocity.
        num_notes: number of notes.
    """

    nats: float
    mean_absolute_error: float
    num_notes: int

    def line(self, name: str) -> str:
        """One line of text for the part of a name."""
        return (
            f"velocities{f' of {name}' if name else ''}: {self.nats:.3f} nats per note, mean absolute error "
            f"{self.mean_absolute_error:.1f}, {self.num_notes} notes"
        )


class NoteVelocities(NamedTuple):
    """How well the velocity of each note is predicted, each of shape (notes,)."""

    columns: Tensor
    nats: Tensor
    errors: Tensor

    @classmethod
    def of(cls, predictions: VelocityPredictions) -> "NoteVelocities":
        """The scores of predictions, without their distributions over 127 velocities."""
        return cls(predictions.columns.cpu(), predictions.nats.double().cpu(), predictions.errors.double().cpu())


@dataclass(frozen=True)
class Likelihood:
    """The likelihood of some pieces under a model.

    Args:
        nats: mean negative log-probability of a frame.
        nats_after_first: the same without the first frame of each piece.
        num_frames: number of frames, first frames included.
        pieces: the mean of each piece, first frame included, in the order of the pieces.
        note_nats: of a layout with velocities, what the notes alone contribute to ``nats``: the likelihood of a model
            of notes. None without velocities.
        velocities: the scores of the velocities by the name of the part, of one model of velocities; otherwise empty.
    """

    nats: float
    nats_after_first: float
    num_frames: int
    pieces: tuple[float, ...]
    note_nats: float | None = None
    velocities: Mapping[str, VelocityScores] = field(default_factory=dict)

    def __str__(self) -> str:
        """One line, and one for the velocities of each part."""
        notes = "" if self.note_nats is None else f", {self.note_nats:.3f} of them for notes"
        lines = [
            f"{self.nats:.3f} nats per frame ({self.nats_after_first:.3f} without first frames{notes}), "
            f"{self.num_frames} frames of {len(self.pieces)} pieces"
        ]
        return "\n".join([*lines, *(scores.line(name) for name, scores in self.velocities.items())])


def likelihood(
    model: SequenceModel | Sequence[SequenceModel],
    rolls: Sequence[PianoRoll],
    *,
    input_frames: int = 0,
    target_frames: int | None = None,
    conditions: Sequence[np.ndarray] | np.ndarray | None = None,
    layout: FrameLayout | None = None,
    progress: bool = False,
) -> Likelihood:
    """The exact likelihood of whole pieces.

    Args:
        model: any sequence model; or several, whose probabilities of each frame are averaged (a mixture).
        rolls: the pieces, on the model's grid and of its pitches.
        input_frames: input frames of the model. As many frames of silence are put before each piece. 0 for a model that
            predicts a piece from its first frame on.
        target_frames: frames that it predicts from one input, the latest ``input_frames``; None for the whole piece.
        conditions: the condition of each piece, an array of shape (size,) or (frames, size). Silence before a piece has
            the condition of its first frame. None means no condition.
        layout: what the columns of a frame mean. The default is the layout that the model was built from. For a model
            without one it is the grid and parts of the pieces, with the active plane. With an onset plane the
            probability is joint over both planes, with velocities over all three.
        progress: whether to show a progress bar.

    Raises:
        SettingsError: sizes out of range, no pieces, or conditions that a model does not read.
        GridError, PitchRangeError: pieces or models on another grid or of other pitches.
        ShapeError: conditions of another number or length than the pieces, or ``input_frames=0`` for a model that reads
            some frames before it predicts the first, such as an encoder-decoder.

    Example:
        >>> import numpy as np
        >>> from pianoroll_seq2seq import CopyingLSTM, PianoRoll, PitchRange
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> scored = likelihood(CopyingLSTM(12, hidden_size=8), [scale])
        >>> scored.num_frames, scored.nats > 0
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
    given: list[np.ndarray | None] = [None] * len(rolls)
    if conditions is not None:
        table = Conditions.of(conditions)
        table.check_fit(np.array([len(roll) for roll in rolls]), [roll.name for roll in rolls])
        given = [table.at(np.array([piece]), np.arange(len(roll))[None])[0] for piece, roll in enumerate(rolls)]
    for each in models:
        layout = choose_layout(each, layout)
    layout = layout_for(models[0], rolls[0], layout)
    scored = [
        _score(models, roll.to_frames(layout), condition, *sizes)
        for roll, condition in tqdm(
            zip(rolls, given, strict=True), "likelihood", total=len(rolls), unit="piece", disable=not progress
        )
    ]
    pieces = [piece.frames for piece in scored]
    total = -sum(float(piece.sum()) for piece in pieces)
    first = -sum(float(piece[0]) for piece in pieces)
    count = sum(map(len, pieces))
    after = (total - first) / max(1, count - len(pieces))
    notes = [float(piece.notes.sum()) for piece in scored if piece.notes is not None]
    return Likelihood(
        total / count,
        after,
        count,
        tuple(-float(piece.mean()) for piece in pieces),
        -sum(notes) / count if len(notes) == len(scored) else None,
        velocity_scores([piece.velocities for piece in scored if piece.velocities is not None], layout),
    )


@dataclass(frozen=True)
class _Scored:
    """The log-probabilities of a piece's frames, (frames,); of their notes alone; and the predicted velocities."""

    frames: Tensor
    notes: Tensor | None
    velocities: NoteVelocities | None


def velocity_scores(pieces: Sequence[NoteVelocities], layout: FrameLayout) -> dict[str, VelocityScores]:
    """The scores of each part that has notes."""
    if not pieces:
        return {}
    columns, nats, errors = (torch.cat(values) for values in zip(*pieces, strict=True))
    scores = {}
    for block in note_columns(layout).blocks:
        of_part = (columns >= block.start) & (columns < block.start + block.size)
        if of_part.any():
            means = [float(values[of_part].mean()) for values in (nats, errors)]
            scores[block.name] = VelocityScores(means[0], means[1], int(of_part.sum()))
    return scores


def frame_log_probs(
    models: Sequence[SequenceModel],
    frames: np.ndarray,
    condition: Float32[np.ndarray, "frames size"] | None,
    input_frames: int,
    target_frames: int | None,
) -> Float64[Tensor, " frames"]:
    """The log-probability of every frame of a piece under the mixture of some models.

    Args:
        models: the models.
        frames: ``roll.to_frames(layout)``, (frames, frame_size).
        condition: the condition of every frame, if any.
        input_frames: see :func:`likelihood`.
        target_frames: see :func:`likelihood`.
    """
    return _score(models, frames, condition, input_frames, target_frames).frames


def _score(
    models: Sequence[SequenceModel],
    frames: np.ndarray,
    condition: Float32[np.ndarray, "frames size"] | None,
    input_frames: int,
    target_frames: int | None,
) -> _Scored:
    """As :func:`frame_log_probs`, with the notes and the velocities apart if the models have velocities."""
    per_model, notes_per_model, velocities = [], [], None
    for model in models:
        device, layout = device_of(model), layout_of(model)
        values = frames.astype(np.float32) if layout is None else layout.to_float(frames)
        piece = torch.from_numpy(values).to(device)
        conditions = None if condition is None else torch.from_numpy(condition).to(device)
        inputs, targets, conditions = _cut(piece, conditions, input_frames, target_frames)
        with inference(model):
            distribution = predict(model, inputs, targets, conditions)
            if isinstance(distribution, Velocity):
                notes, of_velocities = distribution.log_prob_parts(targets)
                log_probs = notes + of_velocities
                notes_per_model.append(notes.double().flatten()[: len(frames)].cpu())
                velocities = NoteVelocities.of(distribution.predictions(targets)) if len(models) == 1 else None
            else:
                log_probs = distribution.log_prob(targets)
        per_model.append(log_probs.double().flatten()[: len(frames)].cpu())
    notes_mixed = _mixture(notes_per_model) if len(notes_per_model) == len(models) else None
    return _Scored(_mixture(per_model), notes_mixed, velocities)


def _mixture(log_probs: Sequence[Tensor]) -> Tensor:
    """The log-probabilities under the mixture of several models in equal parts."""
    return torch.stack(list(log_probs)).logsumexp(dim=0) - math.log(len(log_probs))


def _cut(
    frames: Tensor, conditions: Tensor | None, input_frames: int, target_frames: int | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Inputs, targets with every frame once, and the conditions of both. The piece is padded with silence."""
    count = len(frames)
    size = count if target_frames is None else target_frames
    after = -count % size
    windows = functional.pad(frames, (0, 0, input_frames, after)).unfold(0, input_frames + size, size).transpose(1, 2)
    if conditions is not None:
        rows = torch.arange(-input_frames, count + after, device=conditions.device).clamp(0, count - 1)
        conditions = conditions[rows].unfold(0, input_frames + size, size).transpose(1, 2)
    return windows[:, :input_frames], windows[:, input_frames:], conditions
