"""The page of several runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.errors import CheckpointError, SettingsError
from pianoroll_seq2seq.evaluation import Evaluation
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.report import write_report
from pianoroll_seq2seq.showing import Piece

if TYPE_CHECKING:
    from pianoroll_seq2seq.cli.compare import Comparison, RunFacts

_ALL = PitchRange(0, 127)


def write_page(comparison: "Comparison", path: Path, *, overwrite: bool) -> Path:
    """One HTML file with the figures, curves, scores and music of runs, the best first.

    Args:
        comparison: the runs.
        path: where.
        overwrite: whether a file that stands there may be replaced.

    Raises:
        OverwriteError: a file stands there and ``overwrite`` is false.
    """
    differing = comparison.differing()
    facts, scores, pieces = {}, {}, []
    for place, (name, run) in enumerate(zip(comparison.names, comparison.runs, strict=True)):
        options = {key.replace(".init_args", ""): values[place] for key, values in differing.items()}
        facts[name] = {key: value for key, value in (run.figures() | options).items() if value is not None}
        if "test" in run.scores:
            scores[name] = _scores(run)
        pieces += _music(name, run)
    return write_report(
        path,
        title=f"{len(comparison.runs)} runs, the best first",
        pieces=pieces,
        evaluation=scores,
        history={name: run.history for name, run in zip(comparison.names, comparison.runs, strict=True)},
        trained_on=facts,
        wav=False,
        overwrite=overwrite,
    )


def _scores(run: "RunFacts") -> Evaluation:
    try:
        return Evaluation.from_json(run.scores["test"])
    except (TypeError, KeyError) as error:
        raise SettingsError(f"{run.run}/scores.json: its 'test' holds no scores ({error!r}).") from error


def _music(name: str, run: "RunFacts") -> list[Piece]:
    """What the run wrote in the end."""
    path = run.run / "generated.mid"
    if not path.is_file():
        return []
    roll = PianoRoll.from_midi(path, grid=_grid(run.run / "best.safetensors"), pitches=_ALL)
    primer = int(run.scores.get("primer_frames", 0))
    return [Piece(roll, min(primer, len(roll)), name=name)]


def _grid(path: Path) -> FrameGrid:
    """The grid of a run's model; sixteenths where that is not known."""
    try:
        description: Any = checkpoint.read_header(path)["details"]["data"]["grid"]
        grid: FrameGrid = checkpoint.build(description, label=str(path))
    except (CheckpointError, KeyError):
        return SIXTEENTHS
    return grid
