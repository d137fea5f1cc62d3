"""What a finished run leaves in its folder: scores and music."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pianoroll_seq2seq.atomic import writing
from pianoroll_seq2seq.cli.learning import Windows, scales_of
from pianoroll_seq2seq.cli.music import Pieces
from pianoroll_seq2seq.evaluation import Continuation, Evaluation, evaluate
from pianoroll_seq2seq.history import History
from pianoroll_seq2seq.models.base import SequenceModel
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling import generate
from pianoroll_seq2seq.trackers.base import Tracker

_CONTINUED = 4  # times as many frames as the model has learned to write at once


@dataclass(frozen=True)
class TrainedRun:
    """A run that has ended.

    Args:
        folder: where it lies.
        history: its losses.
        scores: on the test pieces; None without any.
    """

    folder: Path
    history: History
    scores: Evaluation | None

    def to_json(self) -> dict[str, Any]:
        """Where it lies, its best epoch and its scores."""
        best = self._best()
        return {
            "run": str(self.folder),
            "epochs": len(self.history.epochs),
            "stopped_by": self.history.stopped_by,
            "best": None if best is None else asdict(best),
            "test": None if self.scores is None else self.scores.to_json(),
        }

    def __str__(self) -> str:
        """The same, for people."""
        best = self._best()
        lines = [f"{self.folder}: {len(self.history.epochs)} epochs, ended by {self.history.stopped_by}"]
        if best is not None:
            valid = "" if best.valid_loss is None else f", validation {best.valid_loss:.4f}"
            lines.append(f"best epoch {best.epoch}: training {best.train_loss:.4f}{valid} nats per frame")
        if self.scores is not None:
            lines += ["test pieces:", str(self.scores)]
        return "\n".join([*lines, f"hear it: pianoroll-seq2seq generate --model {self.folder} --output music.wav"])

    def _best(self) -> Any:
        number = self.history.best_epoch
        return None if number is None else self.history.epochs[number - 1]


def finish(
    model: SequenceModel,
    history: History,
    windows: Windows,
    pieces: Pieces,
    tracker: Tracker,
    *,
    folder: Path,
    seed: int,
) -> TrainedRun:
    """Scores the model on the test pieces, and continues the longest of them.

    Writes ``scores.json``, ``primer.mid`` and ``generated.mid``.

    Args:
        model: with the weights of its best epoch.
        history: of the run.
        windows: what it was trained on.
        pieces: the pieces.
        tracker: gets the scores and the files.
        folder: of the run.
        seed: of the music.
    """
    test = pieces.split.test
    if not len(test):
        return TrainedRun(folder, history, None)
    scores = evaluate(model, windows.of(test, training=False))
    primer, condition = opening(test, windows)
    continuation = generate(
        model,
        primer,
        frames=_CONTINUED * windows.target_frames,
        seed=seed,
        progress=True,
        onsets=windows.onsets,
        condition=condition,
    )
    primer.to_midi(folder / "primer.mid", overwrite=True)
    (primer + continuation).renamed(f"{primer.name} continued").to_midi(folder / "generated.mid", overwrite=True)
    record = {
        "best_epoch": history.best_epoch,
        "test": scores.to_json(),
        "continuation": asdict(Continuation.of(continuation, primer)),
        "primer_frames": len(primer),
        "data": dict(zip(("training pieces", "validation pieces", "test pieces"), map(len, pieces.split), strict=True)),
    }
    with writing(folder / "scores.json", overwrite=True) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    model_scores = scores.model
    figures = {"test_nats": model_scores.all.nats, "test_f1": model_scores.all.f1}
    tracker.log_metrics(figures, step=history.epochs[-1].step)
    for name in ("scores.json", "primer.mid", "generated.mid", "best.safetensors"):
        tracker.log_artifact(folder / name)
    return TrainedRun(folder, history, scores)


def opening(rolls: Sequence[PianoRoll], windows: Windows) -> tuple[PianoRoll, np.ndarray | None]:
    """The beginning of the longest piece, as long as a model's input, and what it is told of it."""
    longest = max(rolls, key=len)
    condition = scales_of([longest])[0] if windows.condition == "scale" else None
    return longest[: windows.input_frames], condition
