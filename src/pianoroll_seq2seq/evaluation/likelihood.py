"""Exact likelihood of whole pieces, the measure by which models of polyphonic music are compared.

Every frame of every piece is predicted once, from the frames before it alone. The negative log-probability of the
frame, joint over all columns, is averaged over frames: nats per frame, as in Boulanger-Lewandowski, Bengio and Vincent
(2012), "Modeling temporal dependencies in high-dimensional sequences". Published figures differ in whether they count
the first frame of a piece, so both means are computed.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32
from torch import Tensor
from torch.nn import functional

from pianoroll_seq2seq._internal.memory import kept_memory
from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.data.conditions import Conditions
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.given import Given
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import (
    SequenceModel,
    choose_layout,
    device_of,
    layout_for,
    layout_of,
    predict,
    source_of,
)
from pianoroll_seq2seq.models.given_frames import GivenFrames
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
    given: Given | Sequence[Given] | None = None,
    ends: bool = True,
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
            the condition of its first frame. None means those that a model's ``condition_source`` computes, if it has
            one, otherwise no condition.
        given: what is given of the pieces, of all or of each, for a model that fills: then this is the likelihood of
            what is not given, exactly as the model would write it, and frames that are given as a whole do not count.
            ``input_frames`` must be 0.
        ends: with ``given``, whether the model knows where a piece ends.
        layout: what the columns of a frame mean. The default is the layout that the model was built from. For a model
            without one it is the grid and parts of the pieces, with the active plane. With an onset plane the
            probability is joint over both planes, with velocities over all three.
        progress: whether to show a progress bar.

    Raises:
        SettingsError: sizes out of range, no pieces, conditions that a model does not read, or something given for a
            model that cannot fill, or everything.
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
    if given is not None and (input_frames or target_frames):
        raise SettingsError(
            f"With given=, whole pieces are scored: input_frames must be 0 and target_frames None, got {input_frames} "
            f"and {target_frames}."
        )
    for each in models:
        layout = choose_layout(each, layout)
    layout = layout_for(models[0], rolls[0], layout)
    masks = _masks(given, rolls)
    if masks is not None and all(mask.all() for mask in masks):
        raise SettingsError("Everything is given of all pieces, so there is nothing to score.")
    pieces = [
        _Piece(roll, layout, condition, None if masks is None else masks[index], ends)
        for index, (roll, condition) in enumerate(zip(rolls, _conditions(conditions, rolls), strict=True))
    ]
    with kept_memory() if device_of(models[0]).type == "cpu" else nullcontext():
        scored = [
            _score(models, piece, input_frames, target_frames)
            for piece in tqdm(pieces, "likelihood", unit="piece", disable=not progress)
        ]
    total = -sum(float(piece.frames.sum()) for piece in scored)
    first = -sum(float(piece.frames[0]) for piece in scored if piece.has_first)
    count = sum(len(piece.frames) for piece in scored)
    after = (total - first) / max(1, count - sum(piece.has_first for piece in scored))
    notes = [float(piece.notes.sum()) for piece in scored if piece.notes is not None]
    return Likelihood(
        total / count,
        after,
        count,
        tuple(-float(piece.frames.mean()) if len(piece.frames) else math.nan for piece in scored),
        -sum(notes) / count if len(notes) == len(scored) else None,
        velocity_scores([piece.velocities for piece in scored if piece.velocities is not None], layout),
    )


@dataclass(frozen=True)
class _Scored:
    """The log-probabilities of a piece's frames, (frames,); of their notes alone; and the predicted velocities."""

    frames: Tensor
    notes: Tensor | None
    velocities: NoteVelocities | None
    has_first: bool = True


@dataclass(frozen=True)
class _Piece:
    """A piece to score.

    Args:
        roll: the piece.
        layout: what the columns of its frames mean.
        condition: the condition of every frame, (frames, size); None for those of a model's source, if it has one.
        mask: which parts are given in each frame, (frames, parts); None if nothing is given.
        ends: with a mask, whether the model knows where the piece ends.
    """

    roll: PianoRoll
    layout: FrameLayout
    condition: Float32[np.ndarray, "frames size"] | None = None
    mask: Bool[np.ndarray, "frames parts"] | None = None
    ends: bool = True


def _masks(given: Given | Sequence[Given] | None, rolls: Sequence[PianoRoll]) -> list[np.ndarray] | None:
    if given is None:
        return None
    each = [given] * len(rolls) if isinstance(given, Given) else list(given)
    if len(each) != len(rolls):
        raise ShapeError(f"{len(each)} values of given for {len(rolls)} pieces. Pass one for all, or one for each.")
    return [one.mask(roll) for one, roll in zip(each, rolls, strict=True)]


def _conditions(
    conditions: Sequence[np.ndarray] | np.ndarray | None, rolls: Sequence[PianoRoll]
) -> list[np.ndarray] | list[None]:
    if conditions is None:
        return [None] * len(rolls)
    table = Conditions.of(conditions)
    table.check_fit(np.array([len(roll) for roll in rolls]), [roll.name for roll in rolls])
    return [table.at(np.array([piece]), np.arange(len(roll))[None])[0] for piece, roll in enumerate(rolls)]


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


def _score(models: Sequence[SequenceModel], piece: _Piece, input_frames: int, target_frames: int | None) -> _Scored:
    """The log-probability of every frame of a piece that is not given as a whole, under the mixture of some models.

    The notes and the velocities are apart if the models have velocities.
    """
    per_model, notes_per_model, velocities = [], [], None
    frames = piece.roll.to_frames(piece.layout)
    given = np.zeros(len(frames), dtype=bool) if piece.mask is None else piece.mask.all(axis=1)
    kept = np.logical_not(given)
    for model in models:
        device, layout = device_of(model), layout_of(model)
        values = frames.astype(np.float32) if layout is None else layout.to_float(frames)
        tensor = torch.from_numpy(values).to(device)
        conditions = _condition_of(model, piece)
        inputs, targets, conditions = _cut(
            tensor, None if conditions is None else conditions.to(device), input_frames, target_frames
        )
        with inference(model):
            distribution = predict(model, inputs, targets, conditions, _given(piece, targets))
            if isinstance(distribution, Velocity):
                notes, of_velocities = distribution.log_prob_parts(targets)
                log_probs = notes + of_velocities
                notes_per_model.append(_of_piece(notes, kept))
                if len(models) == 1 and piece.mask is None:
                    velocities = NoteVelocities.of(distribution.predictions(targets))
            else:
                log_probs = distribution.log_prob(targets)
        per_model.append(_of_piece(log_probs, kept))
    notes_mixed = _mixture(notes_per_model) if len(notes_per_model) == len(models) else None
    return _Scored(_mixture(per_model), notes_mixed, velocities, bool(kept[0]))


def _of_piece(log_probs: Tensor, kept: np.ndarray) -> Tensor:
    """The log-probabilities of the frames of a piece that are kept, without padding."""
    return log_probs.double().flatten()[: len(kept)].cpu()[torch.from_numpy(kept)]


def _condition_of(model: SequenceModel, piece: _Piece) -> Tensor | None:
    """The condition of every frame: the one of the piece, or that of the model's source."""
    source = source_of(model)
    if piece.condition is not None:
        return torch.from_numpy(piece.condition)
    return None if source is None else torch.from_numpy(source(piece.roll))


def _given(piece: _Piece, targets: Tensor) -> GivenFrames | None:
    """What is given of a piece, as tensors; ``targets`` are its frames, (1, frames, frame_size)."""
    if piece.mask is None:
        return None
    mask = torch.from_numpy(piece.mask).to(targets.device).unsqueeze(0)
    end = torch.tensor([len(piece.mask) * piece.ends], device=targets.device)
    return GivenFrames.of(targets, mask, piece.layout, end=end)


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
