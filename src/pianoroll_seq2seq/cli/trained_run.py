"""A finished run: its scores and its music."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.cli.data import Pieces, opening_of, scoring_windows
from pianoroll_seq2seq.cli.train_options import WindowOptions
from pianoroll_seq2seq.evaluation.bach_or_mock import BachOrMock
from pianoroll_seq2seq.evaluation.continuation import ContinuationMetrics
from pianoroll_seq2seq.evaluation.music_summary import summarize_music
from pianoroll_seq2seq.evaluation.part_metrics import has_voices
from pianoroll_seq2seq.evaluation.prediction_scores import Evaluation, evaluate
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import SequenceModel
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling import generate
from pianoroll_seq2seq.trackers.base import Tracker
from pianoroll_seq2seq.train.history import Epoch, History
from pianoroll_seq2seq.train.run_files import BEST, GENERATED, PRIMER, SCORES

_CONTINUATION_WINDOWS = 4
"""Length of the continuation, in target frames of a window."""
_SUMMARY_PIECES = 100
"""How many test pieces its notes are compared with."""


@dataclass(frozen=True)
class TrainedRun:
    """A run that has ended."""

    folder: Path
    history: History
    scores: Evaluation | None
    """Scores on the test pieces; None without any."""

    def to_json(self) -> dict[str, Any]:
        """The folder, the best epoch and the scores."""
        best = self._best()
        return {
            "run": str(self.folder),
            "epochs": len(self.history.epochs),
            "stopped_by": self.history.stopped_by,
            "best": None if best is None else asdict(best),
            "test": None if self.scores is None else self.scores.to_json(),
        }

    def __str__(self) -> str:
        """The same as text."""
        best = self._best()
        epochs = f"{len(self.history.epochs)} epoch{'s' * (len(self.history.epochs) != 1)}"
        end = "complete" if self.history.stopped_by == "epochs" else f"stopped by {self.history.stopped_by}"
        lines = [f"{self.folder}: {epochs}, {end}"]
        if best is not None:
            valid = "" if best.valid_loss is None else f", validation {best.valid_loss:.4f}"
            lines.append(f"best epoch {best.epoch}: training {best.train_loss:.4f}{valid} nats per frame")
        if self.scores is not None:
            lines += ["test pieces:", str(self.scores)]
        return "\n".join([*lines, f"next: pianoroll-seq2seq generate --model {self.folder} --output music.wav"])

    def _best(self) -> Epoch | None:
        number = self.history.best_epoch
        return None if number is None else self.history.epochs[number - 1]


def finish_run(
    model: SequenceModel,
    history: History,
    pieces: Pieces,
    windows: WindowOptions,
    tracker: Tracker,
    *,
    layout: FrameLayout,
    folder: Path,
    seed: int,
) -> TrainedRun:
    """Scores the model on the test pieces, and continues the longest of them.

    Writes ``scores.json``, ``primer.mid`` and ``generated.mid``.

    Args:
        model: the model with the weights of its best epoch.
        history: the losses of the run.
        pieces: the pieces.
        windows: the windows that it was trained on.
        tracker: logs the scores and the files.
        layout: the layout of frames.
        folder: the run's folder.
        seed: of the music.
    """
    test = pieces.split.test
    if not len(test):
        return TrainedRun(folder, history, None)
    scores = evaluate(model, scoring_windows(test, windows, layout), progress=True)
    primer, condition = opening_of(test, windows)
    num_frames = _CONTINUATION_WINDOWS * windows.target_frames
    continuation = generate(
        model, primer, num_frames=num_frames, seed=seed, progress=True, condition=condition, layout=layout
    )
    primer.to_midi(folder / PRIMER, overwrite=True)
    (primer + continuation).renamed(f"{primer.name} continued").to_midi(folder / GENERATED, overwrite=True)
    summary = summarize_music([continuation], _first(test), grading=_grading(_first(pieces.split.train)))
    record = {
        "best_epoch": history.best_epoch,
        "test": scores.to_json(),
        "continuation": asdict(ContinuationMetrics.of(continuation, primer)),
        "music": summary.generated,
        "summary": asdict(summary),
        "primer_frames": len(primer),
        "data": dict(zip(("training pieces", "validation pieces", "test pieces"), map(len, pieces.split), strict=True)),
    }
    with writing(folder / SCORES, overwrite=True) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    test_scores = scores.model.all
    figures = {f"music_{name}": value for name, value in summary.generated.items()}
    figures |= {"test_nats": test_scores.nats, "test_f1": test_scores.f1}
    tracker.log_metrics(figures, step=history.epochs[-1].step)
    for name in (SCORES, PRIMER, GENERATED, BEST):
        tracker.log_artifact(folder / name)
    return TrainedRun(folder, history, scores)


def _first(pieces: Sequence[PianoRoll]) -> list[PianoRoll]:
    return [pieces[index] for index in range(min(len(pieces), _SUMMARY_PIECES))]


def _grading(pieces: Sequence[PianoRoll]) -> BachOrMock | None:
    """The grading function of music in several voices; None for other music."""
    return BachOrMock.fit(pieces) if pieces and all(map(has_voices, pieces)) else None
