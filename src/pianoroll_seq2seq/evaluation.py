"""How well a model predicts, always beside the simplest thing that could work: copying.

Scores are of target frames, each predicted from the true frames before it, and counted over all pitches
of all frames (micro-averaged, as Bay, Ehmann and Downie, 2009, do for multiple-pitch estimation). Music
stands still most of the time, so everything is also counted on the *changed* frames alone: those that
differ from the frame before them.

Two baselines stand in the table. ``copy last`` expects each frame to equal the one before it: what a
model that knows the frame before (autoregressive) must beat. ``copy input`` expects each target frame to
equal the last input frame: what a model that writes a whole block (parallel) must beat. Both are given
their best smoothing: probabilities that a sounding pitch goes on and that a silent one begins, fitted to
the very frames they are scored on (for ``copy input``, one pair for each distance from the input).

Where frames say which pitches are struck as well (``SlidingWindows(..., onsets=True)``), all columns count alike, and
copying lets sound what sounds and strikes nothing again; a frame in which the notes before it are held has not changed.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from pianoroll_seq2seq.models.base import SequenceModel, device_of, inference, predict
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.splitting import pitch_class_set
from pianoroll_seq2seq.windowing import SlidingWindows


@dataclass(frozen=True)
class Scores:
    """Scores of one predictor on one set of frames."""

    nats: float
    """Mean negative log-likelihood of a frame, in nats; lower is better."""
    precision: float
    """Share of the pitches predicted that sound; 0 where none is predicted."""
    recall: float
    """Share of the pitches that sound that were predicted; 0 where none sounds."""
    f1: float
    """Harmonic mean of precision and recall."""


@dataclass(frozen=True)
class Predictor:
    """Scores of one predictor."""

    all: Scores
    changed: Scores


@dataclass(frozen=True)
class Evaluation:
    """A model's scores beside the baselines'; prints as a table.

    Args:
        frames: target frames that were scored.
        changed_frames: those of them that differ from the frame before.
        model: the model's scores.
        copy_last: of copying the frame before.
        copy_input: of copying the last input frame.
    """

    frames: int
    changed_frames: int
    model: Predictor
    copy_last: Predictor
    copy_input: Predictor

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Evaluation":
        """The inverse of :meth:`to_json`."""

        def predictor(row: Mapping[str, Any]) -> Predictor:
            return Predictor(Scores(**row["all"]), Scores(**row["changed"]))

        rows = (predictor(data[name]) for name in ("model", "copy_last", "copy_input"))
        return cls(data["frames"], data["changed_frames"], *rows)

    def __str__(self) -> str:
        """The table."""
        head = f"{'':12}{'nats/frame':>12}{'precision':>11}{'recall':>8}{'F1':>8}   on changed frames: "
        lines = [f"{self.frames} frames, {self.changed_frames} of them changed", head + "nats, F1"]
        for label, row in (("model", self.model), ("copy last", self.copy_last), ("copy input", self.copy_input)):
            lines.append(
                f"{label:12}{row.all.nats:12.3f}{row.all.precision:11.3f}{row.all.recall:8.3f}{row.all.f1:8.3f}"
                f"   {row.changed.nats:24.3f}{row.changed.f1:7.3f}"
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The table in a notebook; see :mod:`pianoroll_seq2seq.showing`."""
        from pianoroll_seq2seq.showing import evaluation_html

        return evaluation_html(self)


def evaluate(
    model: SequenceModel, windows: SlidingWindows, *, threshold: float = 0.5, batch_size: int = 256
) -> Evaluation:
    """Scores a model on windows it was not trained on, beside the copying baselines.

    Args:
        model: any sequence model.
        windows: held-out windows. Their hop is set to ``target_frames``, so that each frame counts once. Their
            conditions, if there are any, are told to the model.
        threshold: marginal probability from which a pitch counts as predicted, for precision and recall.
        batch_size: windows at once.

    Returns:
        Scores over all target frames. The first ``input_frames`` of a piece, and what is left at its end
        of less than a window, are heard but not scored.

    Example:
        >>> from pianoroll_seq2seq import PianoRoll, PitchRange, Seq2SeqLSTM
        >>> scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
        >>> windows = SlidingWindows([scale], input_frames=4, target_frames=4, hop=4)
        >>> scores = evaluate(Seq2SeqLSTM(pitches=12, hidden=8), windows)
        >>> scores.frames, scores.changed_frames, scores.copy_last.all.recall
        (8, 8, 0.0)
    """
    windows = windows.with_hop(windows.target_frames)
    device = device_of(model)
    log_probs, predicted, previous, first, truth = [], [], [], [], []
    with inference(model):
        for begin in range(0, len(windows), batch_size):
            batch = np.arange(begin, min(begin + batch_size, len(windows)))
            inputs, targets, condition = windows.conditioned_batch(batch)
            told = None if condition is None else condition.to(device)
            distribution = predict(model, inputs.to(device), targets.to(device), told)
            log_probs.append(distribution.log_prob(targets.to(device)).double().cpu())
            predicted.append((distribution.mean >= threshold).cpu())
            truth.append(targets.bool())
            copied = torch.cat([inputs[:, -1:], targets[:, :-1]], dim=1).bool()
            copied[..., len(windows.pitches) :] = False  # the onsets, if there are any
            previous.append(copied)
            first.append(copied[:, :1].expand_as(targets))
    return _compare(*(torch.cat(parts) for parts in (log_probs, predicted, previous, first, truth)))


def _compare(log_probs: Tensor, predicted: Tensor, previous: Tensor, first: Tensor, truth: Tensor) -> Evaluation:
    changed = (previous != truth).any(dim=-1)
    everywhere = torch.ones_like(changed)
    # Copying needs only how often a pitch (sounding or not in the source) sounds in the target: counts by
    # [distance from the input, source, target].
    last = {subset: _counts(previous, truth, mask) for subset, mask in (("all", everywhere), ("changed", changed))}
    last = {subset: counts.sum(axis=0, keepdims=True) for subset, counts in last.items()}
    held = {subset: _counts(first, truth, mask) for subset, mask in (("all", everywhere), ("changed", changed))}
    frames, changed_frames = truth.shape[0] * truth.shape[1], int(changed.sum())
    sizes = {"all": frames, "changed": changed_frames}

    def of_model(mask: Tensor, size: int) -> Scores:
        nats = -float(log_probs[mask].sum()) / max(size, 1)
        return Scores(nats, *_hits(_counts(predicted, truth, mask).sum(axis=0)))

    def of_copying(counts: dict[str, np.ndarray]) -> Predictor:
        rows = {
            subset: Scores(
                _nats(counts[subset], counts["all"]) / max(sizes[subset], 1), *_hits(counts[subset].sum(axis=0))
            )
            for subset in counts
        }
        return Predictor(rows["all"], rows["changed"])

    model = Predictor(of_model(everywhere, frames), of_model(changed, changed_frames))
    return Evaluation(frames, changed_frames, model, of_copying(last), of_copying(held))


def _counts(source: Tensor, target: Tensor, mask: Tensor) -> Int64[np.ndarray, "steps 2 2"]:
    """How often source and target are (0, 0), (0, 1), (1, 0), (1, 1), by position in the window."""
    within = mask.unsqueeze(-1)
    cells = [
        [((source == bool(a)) & (target == bool(b)) & within).sum(dim=(0, 2)).numpy() for b in (0, 1)] for a in (0, 1)
    ]
    return np.moveaxis(np.array(cells, dtype=np.int64), 2, 0)


def _nats(counts: Int64[np.ndarray, "steps 2 2"], fitted_on: Int64[np.ndarray, "steps 2 2"]) -> float:
    """Negative log-likelihood of ``counts`` under the conditional frequencies of ``fitted_on``."""
    totals = np.maximum(fitted_on.sum(axis=2, keepdims=True), 1)
    log_frequency: np.ndarray = np.log(np.maximum(fitted_on, 1) / totals)
    return float(-(counts * log_frequency).sum())


def _hits(counts: Int64[np.ndarray, "2 2"]) -> tuple[float, float, float]:
    """Precision, recall and F1 of counts by [predicted, true]."""
    hits, predicted, true = int(counts[1, 1]), int(counts[1].sum()), int(counts[:, 1].sum())
    precision = hits / predicted if predicted else 0.0
    recall = hits / true if true else 0.0
    return precision, recall, 2 * hits / (predicted + true) if predicted + true else 0.0


@dataclass(frozen=True)
class Continuation:
    """What can be heard of a continuation, in figures."""

    longest_repeat_frames: int
    """Longest run of equal frames that are not silent."""
    silent_share: float
    """Share of the frames in which nothing sounds."""
    in_scale_share: float
    """Share of the notes whose pitch class is in the scale; 0 without notes."""
    polyphony: float
    """Mean number of pitches in the frames in which any sounds."""
    notes: int
    """Notes that are struck."""

    @classmethod
    def of(cls, continuation: PianoRoll, scale: PianoRoll) -> "Continuation":
        """Measures a continuation; ``scale`` is music whose pitch classes are the scale it should keep to.

        That is its primer, where that is long enough to say, or the whole piece from which the primer was cut.
        """
        active = continuation.active
        sounding = np.asarray(active.any(axis=1))
        longest = run = 0
        for frame in range(len(active)):
            again = frame > 0 and sounding[frame] and np.array_equal(active[frame], active[frame - 1])
            run = run + 1 if again else int(sounding[frame])
            longest = max(longest, run)
        _, _, column = continuation.notes()
        in_scale = np.isin((column + continuation.pitches.lowest) % 12, sorted(pitch_class_set(scale)))
        silent_share = float((~sounding).mean()) if len(active) else 0.0
        return cls(
            longest_repeat_frames=longest,
            silent_share=silent_share,
            in_scale_share=float(in_scale.mean()) if len(column) else 0.0,
            polyphony=float(active.sum() / max(int(sounding.sum()), 1)),
            notes=len(column),
        )
