"""How well a model predicts target frames, compared with the simplest baseline: copying.

Each target frame is predicted from the true frames before it. Precision, recall and F1 are counted over all pitches of
all frames (micro-averaged, as in Bay, Ehmann and Downie, 2009, for multiple-pitch estimation). Most frames repeat the
one before, so scores are also counted on the *changed* frames alone, in which other pitches sound than in the frame
before.

There are two baselines. ``copy last`` expects each frame to equal the one before it: a model that reads the frame
before (autoregressive) must beat it. ``copy input`` expects each target frame to equal the last input frame: a model
that writes a whole block (parallel) must beat it. Both have the best possible smoothing: the probabilities that a
sounding pitch is held and that a silent one begins are fitted to the very frames that are scored (for ``copy input``,
one pair for each distance from the input).

Precision, recall, F1 and the changed frames are those of the active plane, whichever planes the layout has, so that
they can be compared between models with and without onsets. Nats are those of the notes: with an onset plane they
count where notes begin, and the smoothed baselines have the probability that a sounding pitch begins again too.
Velocities have scores of their own.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Int64
from msgspec import Meta
from torch import Tensor

from pianoroll_seq2seq._internal.display_hook import html_of
from pianoroll_seq2seq._internal.documents import convert
from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.likelihood import NoteVelocities, VelocityScores, velocity_scores
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import SequenceModel, device_of, layout_of, predict, source_of
from pianoroll_seq2seq.models.heads.contract import FrameDistribution
from pianoroll_seq2seq.models.heads.velocity_frame import Velocity
from pianoroll_seq2seq.models.modes import inference
from pianoroll_seq2seq.windowing import SlidingWindows


@dataclass(frozen=True)
class Scores:
    """Scores of one predictor on one set of frames."""

    nats: float
    """Mean negative log-likelihood of a frame's notes, in nats; lower is better."""
    precision: float
    """Share of the predicted pitches that sound; 0 without predicted pitches."""
    recall: float
    """Share of the sounding pitches that are predicted; 0 without sounding pitches."""
    f1: float
    """Harmonic mean of precision and recall."""


@dataclass(frozen=True)
class Predictor:
    """Scores of one predictor."""

    all: Scores
    changed: Scores


@dataclass(frozen=True)
class Evaluation:
    """The scores of a model and of the baselines. It prints as a table.

    Args:
        num_frames: target frames that were scored.
        num_changed_frames: those in which other pitches sound than in the frame before.
        model: the model's scores.
        copy_last: scores of copying the frame before.
        copy_input: scores of copying the last input frame.
        velocities: the scores of the velocities by the name of the part, of a model of velocities; otherwise empty.
    """

    num_frames: Annotated[int, Meta(ge=0, le=2**53)]
    num_changed_frames: Annotated[int, Meta(ge=0, le=2**53)]
    model: Predictor
    copy_last: Predictor
    copy_input: Predictor
    velocities: dict[str, VelocityScores] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Evaluation":
        """The inverse of :meth:`to_json`.

        Raises:
            SettingsError: other data.
        """
        return convert(data, cls, "the scores", SettingsError)

    def __str__(self) -> str:
        """The table."""
        head = f"{'':12}{'nats/frame':>12}{'precision':>11}{'recall':>8}{'F1':>8}   on changed frames: "
        lines = [f"{self.num_frames} frames, {self.num_changed_frames} of them changed", head + "nats, F1"]
        for label, row in (("model", self.model), ("copy last", self.copy_last), ("copy input", self.copy_input)):
            lines.append(
                f"{label:12}{row.all.nats:12.3f}{row.all.precision:11.3f}{row.all.recall:8.3f}{row.all.f1:8.3f}"
                f"   {row.changed.nats:24.3f}{row.changed.f1:7.3f}"
            )
        return "\n".join([*lines, *(scores.line(name) for name, scores in self.velocities.items())])

    def _repr_html_(self) -> str:
        return html_of(self)


def evaluate(
    model: SequenceModel,
    windows: SlidingWindows,
    *,
    threshold: float = 0.5,
    batch_size: int = 256,
    progress: bool = False,
) -> Evaluation:
    """Scores a model on windows it was not trained on, and the copying baselines on the same windows.

    Args:
        model: any sequence model.
        windows: held-out windows, with their conditions if there are any; by default those that a model's
            ``condition_source`` computes, if it has one. Their hop is set to ``target_frames``, so that each frame
            counts once.
        threshold: marginal probability from which a pitch counts as predicted, for precision and recall.
        batch_size: windows per batch.
        progress: whether to show a progress bar.

    Returns:
        Scores over all target frames. The first ``input_frames`` of a piece, and a rest at its end that is shorter than
        a window, are not scored.

    Raises:
        GridError, PitchRangeError, ShapeError: windows of another layout than the model's.
        SettingsError: no windows.

    Example:
        >>> from pianoroll_seq2seq import PianoRoll, PitchRange, Seq2SeqLSTM
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> windows = SlidingWindows([scale], input_frames=4, target_frames=4, hop=4)
        >>> scores = evaluate(Seq2SeqLSTM(windows.layout, hidden_size=8), windows)
        >>> scores.num_frames, scores.num_changed_frames, scores.copy_last.all.recall
        (8, 8, 0.0)
    """
    if not isinstance(windows, SlidingWindows):
        raise SettingsError(
            f"evaluate needs windows, got a {type(windows).__name__}. Cut rolls into windows: "
            f"SlidingWindows(rolls, input_frames=..., target_frames=..., hop=...)."
        )
    layout = layout_of(model)
    if layout is not None:
        layout.check_same(windows.layout, "The set of windows")
    windows = windows_for(model, windows.with_hop(windows.target_frames))
    device, active = device_of(model), windows.layout.columns("active")
    note_size = windows.layout.plane_size * min(len(windows.layout.planes), 2)
    log_probs, predicted, previous, last_input, truth, velocities = [], [], [], [], [], []
    bar = tqdm(total=len(windows), desc="evaluate", unit="window", disable=not progress)
    with inference(model), bar:
        for begin in range(0, len(windows), batch_size):
            batch = np.arange(begin, min(begin + batch_size, len(windows)))
            inputs, targets, condition = windows.conditioned_batch(batch)
            condition = None if condition is None else condition.to(device)
            distribution = predict(model, inputs.to(device), targets.to(device), condition)
            if isinstance(distribution, Velocity):
                velocities.append(NoteVelocities.of(distribution.predictions(targets.to(device))))
            notes = _notes_of(distribution)
            log_probs.append(notes.log_prob(targets[..., :note_size].to(device)).double().cpu())
            for window in range(len(batch)):  # of some heads the mean takes a second
                predicted.append((notes[window].mean[..., active] >= threshold).cpu())
                bar.update()
            truth.append(_states(targets, windows.layout))
            copied = torch.cat([inputs[:, -1:, active], targets[:, :-1, active]], dim=1).bool()
            previous.append(copied)
            last_input.append(copied[:, :1].expand_as(copied))
    compared = _compare(
        torch.cat(log_probs),
        torch.stack(predicted),
        *(torch.cat(parts) for parts in (previous, last_input, truth)),
    )
    return replace(compared, velocities=velocity_scores(velocities, windows.layout))


def windows_for(model: object, windows: SlidingWindows) -> SlidingWindows:
    """Windows with the conditions that a model's source computes, if it has one and they have none."""
    source = source_of(model)
    return windows if source is None or windows.condition_size else windows.with_conditions(source)


def _notes_of(distribution: FrameDistribution) -> FrameDistribution:
    """The distribution over the columns of the notes, without their velocities."""
    return distribution.notes if isinstance(distribution, Velocity) else distribution


def _states(frames: Tensor, layout: FrameLayout) -> Tensor:
    """Of each pitch 0 for off, 1 for on and, with an onset plane, 2 for a note that begins."""
    active = frames[..., layout.columns("active")].to(torch.uint8)
    return active + frames[..., layout.columns("onset")].to(torch.uint8) if layout.has_onsets else active


def _compare(log_probs: Tensor, predicted: Tensor, previous: Tensor, last_input: Tensor, truth: Tensor) -> Evaluation:
    """The scores, from log-probabilities (windows, target_frames) and planes (windows, target_frames, plane_size)."""
    changed = (previous != (truth > 0)).any(dim=-1)
    everywhere = torch.ones_like(changed)
    # Copying needs only how often a pitch (sounding or not in the source) is in each state in the target: counts by
    # [distance from the input, source, state].
    last = {subset: _counts(previous, truth, mask) for subset, mask in (("all", everywhere), ("changed", changed))}
    last = {subset: counts.sum(axis=0, keepdims=True) for subset, counts in last.items()}
    held = {subset: _counts(last_input, truth, mask) for subset, mask in (("all", everywhere), ("changed", changed))}
    num_frames, num_changed = truth.shape[0] * truth.shape[1], int(changed.sum())
    sizes = {"all": num_frames, "changed": num_changed}

    def model_scores(mask: Tensor, size: int) -> Scores:
        nats = -float(log_probs[mask].sum()) / max(size, 1)
        return Scores(nats, *_hits(_counts(predicted, truth, mask).sum(axis=0)))

    def baseline_scores(counts: dict[str, np.ndarray]) -> Predictor:
        rows = {
            subset: Scores(
                _nats(counts[subset], counts["all"]) / max(sizes[subset], 1), *_hits(counts[subset].sum(axis=0))
            )
            for subset in counts
        }
        return Predictor(rows["all"], rows["changed"])

    model = Predictor(model_scores(everywhere, num_frames), model_scores(changed, num_changed))
    return Evaluation(num_frames, num_changed, model, baseline_scores(last), baseline_scores(held))


def _counts(source: Tensor, target: Tensor, mask: Tensor) -> Int64[np.ndarray, "steps 2 3"]:
    """How often the source is off or on, and the target off, on or beginning, by position in the window."""
    mask = mask.unsqueeze(-1)
    cells = [
        [((source == bool(on)) & (target == state) & mask).sum(dim=(0, 2)).numpy() for state in range(3)]
        for on in range(2)
    ]
    return np.moveaxis(np.array(cells, dtype=np.int64), 2, 0)


def _nats(counts: Int64[np.ndarray, "steps 2 3"], fitted_on: Int64[np.ndarray, "steps 2 3"]) -> float:
    """Negative log-likelihood of ``counts`` under the conditional frequencies of ``fitted_on``."""
    totals = np.maximum(fitted_on.sum(axis=2, keepdims=True), 1)
    log_frequency: np.ndarray = np.log(np.maximum(fitted_on, 1) / totals)
    return float(-(counts * log_frequency).sum())


def _hits(counts: Int64[np.ndarray, "2 3"]) -> tuple[float, float, float]:
    """Precision, recall and F1 of counts by [predicted, state]."""
    hits, predicted, true = int(counts[1, 1:].sum()), int(counts[1].sum()), int(counts[:, 1:].sum())
    precision = hits / predicted if predicted else 0.0
    recall = hits / true if true else 0.0
    return precision, recall, 2 * hits / (predicted + true) if predicted + true else 0.0
