"""The page of several runs."""

from pathlib import Path
from typing import TYPE_CHECKING

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.cli.command import log
from pianoroll_seq2seq.cli.left_out import left_out_lines
from pianoroll_seq2seq.display.piece import Piece
from pianoroll_seq2seq.display.report.comparison import ComparedRun, write_comparison
from pianoroll_seq2seq.errors import CheckpointError, PianoRollSeq2SeqError
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import ALL_PITCHES
from pianoroll_seq2seq.train.run_files import BEST, GENERATED

if TYPE_CHECKING:
    from pianoroll_seq2seq.cli.compare import Comparison, RunFacts


def write_page(comparison: "Comparison", path: Path, *, overwrite: bool) -> Path:
    """Writes an HTML file with the figures, curves, scores and music of runs, the best first.

    Args:
        comparison: the runs.
        path: the file.
        overwrite: whether an existing file may be replaced.

    Raises:
        OverwriteError: the file exists and ``overwrite`` is false.
    """
    runs = [
        ComparedRun(
            name,
            run.history,
            evaluation=run.scores.test,
            summary=run.scores.summary,
            music={key: value for key, value in run.scores.music.items() if isinstance(value, float)},
            piece=_music(name, run),
            options=run.config,
        )
        for name, run in zip(comparison.names, comparison.runs, strict=True)
    ]
    count = len(runs)
    return write_comparison(
        path,
        runs,
        title="One run" if count == 1 else f"{count} runs, the best first",
        table=comparison.table(),
        notes=left_out_lines(comparison.refused, count, kind="folders"),
        overwrite=overwrite,
    )


def _music(name: str, run: "RunFacts") -> Piece | None:
    """The music that the run generated; None if it cannot be read, which is logged."""
    path = run.folder / GENERATED
    if not path.is_file():
        return None
    try:
        roll = PianoRoll.from_midi(path, grid=_grid(run.folder / BEST), pitches=ALL_PITCHES, parts="tracks")
    except (PianoRollSeq2SeqError, OSError) as error:
        log(f"warning: the page has no music of {name}: {error}")
        return None
    return Piece(roll, min(run.scores.primer_frames, len(roll)), name=name)


def _grid(path: Path) -> FrameGrid:
    """The grid of a run's model; sixteenths if it is not known."""
    try:
        description = checkpoint.read_header(path)["details"]["data"]["layout"]
        layout = checkpoint.build(description, label=str(path))
    except (CheckpointError, KeyError, TypeError):
        return SIXTEENTHS
    return layout.grid if isinstance(layout, FrameLayout) else SIXTEENTHS
