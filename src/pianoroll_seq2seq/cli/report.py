"""``report``: writes a page about a run."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from pianoroll_seq2seq.cli.class_options import find_classes
from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.options import Count


@dataclass(frozen=True)
class Reported:
    """The page that was written."""

    page: str
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """The path and the size."""
        return asdict(self)

    def __str__(self) -> str:
        """The same in a line."""
        return f"{self.page}: {_size(self.bytes)}. Open it in a browser."


def report(
    run: Annotated[Path, Parameter(name="RUN")],
    /,
    *,
    output: Path | None = None,
    title: str | None = None,
    max_pieces: Count = 12,
    wav: bool = True,
    classes: list[str] | None = None,
    overwrite: bool = False,
) -> Reported:
    """Writes a page about a run: its data, curves and scores, and its music to play.

    The page is one HTML file that needs no network.

    Args:
        run: Folder of a run.
        output: HTML file to write; report.html in the run's folder by default.
        title: Title of the page; the folder's name by default.
        max_pieces: Pieces to show at most.
        wav: Leave out the WAV files, about 3.5 MB a minute of music.
        classes: Import paths of your own grid classes, if the run uses any.
        overwrite: Replace an existing file.

    Raises:
        SettingsError: the folder is not of a run.
        OverwriteError: the page exists already.
    """
    from pianoroll_seq2seq.display.report import report_run

    page = report_run(
        run,
        path=output,
        title=title,
        max_pieces=max_pieces,
        wav=wav,
        classes=find_classes(classes or ()),
        overwrite=overwrite,
    )
    return Reported(str(page), page.stat().st_size)


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 1e6 else f"{num_bytes / 1e3:.0f} KB"


COMMAND = Command(
    report,
    examples="""
    pianoroll-seq2seq report runs/mine
    pianoroll-seq2seq report runs/mine --output mine.html --no-wav --overwrite
    """,
    keeps_result=True,
)
