"""``report``: the page of a run."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pianoroll_seq2seq.cli.command import Command


@dataclass(frozen=True)
class Reported:
    """A page that was written.

    Args:
        page: where it lies.
        bytes: its size.
    """

    page: str
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """Both."""
        return asdict(self)

    def __str__(self) -> str:
        """In a line."""
        return f"{self.page}: {self.bytes / 1e6:.1f} MB; open it in a browser"


def report(
    run: Path,
    *,
    output: Path | None = None,
    title: str | None = None,
    max_pieces: int = 12,
    wav: bool = True,
    classes: list[str] | None = None,
    overwrite: bool = False,
) -> Reported:
    """Writes the page of a run: what it was trained on, its curves and scores, and its music to play.

    It is one HTML file that needs no network.

    Args:
        run: the folder of a run.
        output: the file; report.html in the run's folder by default.
        title: of the page; the folder's name by default.
        max_pieces: how many pieces to show.
        wav: whether each can be saved as WAV too, some 3.5 MB a minute.
        classes: import paths of grids of your own that the run is on.
        overwrite: whether a file that is there may be replaced.

    Raises:
        SettingsError: no run there.
        OverwriteError: the page is there already.
    """
    from pianoroll_seq2seq.cli.building import classes_named
    from pianoroll_seq2seq.report import report_run

    page = report_run(
        run,
        path=output,
        title=title,
        max_pieces=max_pieces,
        wav=wav,
        classes=classes_named(classes or ()),
        overwrite=overwrite,
    )
    return Reported(str(page), page.stat().st_size)


COMMAND = Command(
    report,
    examples="""
    pianoroll-seq2seq report runs/mine
    pianoroll-seq2seq report runs/mine --output mine.html --wav false --overwrite
    """,
    own_classes=True,
)
