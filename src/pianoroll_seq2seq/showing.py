"""How values show themselves in a notebook: a piano roll with a player under it, curves, and tables.

What a cell shows is one piece of HTML that holds all it needs: it plays without a network, in a saved notebook and in
a page made of it. Where scripts are taken out (a notebook that is not trusted, or shown on a site), a still picture
stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.history import Epoch, History
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.web import Figure, asset, curves_image, mounting, music

if TYPE_CHECKING:
    from pianoroll_seq2seq.evaluation import Evaluation

MAX_NOTES = 6000
"""Notes of a piece that a notebook shows, some ten minutes of piano music: models that have learned nothing yet write
hundreds a second."""
_MAX_EPOCHS = 50
_TABLE_STYLE = "<style>.pr-table :is(td, th) { padding: 2px 8px; text-align: right }</style>"


@dataclass(frozen=True)
class Piece:
    """A piece to show, of which the beginning may be a primer. In a notebook it shows itself.

    Args:
        roll: the whole piece.
        primer_frames: so many of its first frames are a primer, drawn apart from what the model wrote.
        name: what to call it; the roll's own name by default.

    Raises:
        SettingsError: a primer of fewer than 0 frames, or of more than the roll has.

    Example:
        >>> primer = PianoRoll.from_active(np.ones((4, 88), dtype=bool))
        >>> Piece.continued(primer, primer).primer_frames
        4
    """

    roll: PianoRoll
    primer_frames: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        """Checks the primer."""
        if not 0 <= self.primer_frames <= len(self.roll):
            raise SettingsError(
                f"primer_frames must lie in 0..{len(self.roll)}, the frames of the roll, got {self.primer_frames}."
            )

    @classmethod
    def continued(cls, primer: PianoRoll, continuation: PianoRoll, *, name: str = "") -> "Piece":
        """What :func:`~pianoroll_seq2seq.sampling.generate` wrote, after its primer.

        Raises:
            GridError, PitchRangeError: the two do not fit one another.
        """
        return cls(primer + continuation, len(primer), name or continuation.name)

    def figure(self, *, max_notes: int = MAX_NOTES) -> Figure:
        """The piece as a figure of a page, cut where ``max_notes`` notes have been struck."""
        roll, name = self.roll, self.name or self.roll.name
        struck = np.cumsum(roll.onset.sum(axis=1))
        if len(roll) and struck[-1] > max_notes:
            roll = roll[: max(int(np.searchsorted(struck, max_notes, side="right")), 1)]
            name = f"{name or 'piece'}, the first {roll.seconds:.1f} of {self.roll.seconds:.1f} seconds"
        return Figure(music(roll, primer_frames=min(self.primer_frames, len(roll)), name=name))

    def _repr_html_(self) -> str:
        """The piece in a notebook."""
        return pieces_html([self])


def pieces_html(pieces: Sequence[Piece]) -> str:
    """Pieces one under another, each with a player; one of them plays at a time."""
    figures = [piece.figure() for piece in pieces]
    shown = "".join(f"<p>{escape(figure.music['name'])}</p>{figure.slot}" for figure in figures)
    return f"<div><style>{asset('page.css')}</style>{shown}{mounting(figures)}</div>"


def history_html(history: History) -> str:
    """The loss curves of a run, and a table of its epochs."""
    if not history.epochs:
        return "<p>A history without epochs.</p>"
    table = f"<details><summary>{epochs_summary(history)}</summary>{epochs_table(history)}</details>"
    return f"<div>{_TABLE_STYLE}{curves_image({'': history})}{table}</div>"


def epochs_table(history: History) -> str:
    """A table of a run's epochs, not more than fifty of them, with the last and the best among them."""
    epochs = history.epochs
    step = -(-len(epochs) // _MAX_EPOCHS)
    rows = "".join(
        _epoch_row(epoch, best=epoch.epoch == history.best_epoch)
        for index, epoch in enumerate(epochs, start=1)
        if index % step == 0 or epoch.epoch == history.best_epoch or epoch is epochs[-1]
    )
    heads = ("epoch", "training loss", "validation loss", "learning rate", "seconds")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return f'<table class="pr-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def epochs_summary(history: History) -> str:
    """How many epochs there are, and which is the best."""
    best = "" if history.best_epoch is None else f", the best after epoch {history.best_epoch}"
    return f"{len(history.epochs)} epochs{best}; losses in nats per frame"


def _epoch_row(epoch: Epoch, *, best: bool) -> str:
    valid = "" if epoch.valid_loss is None else f"{epoch.valid_loss:.4f}"
    cells = (f"{epoch.train_loss:.4f}", valid, f"{epoch.learning_rate:.2e}", f"{epoch.seconds:.1f}")
    number = f"{epoch.epoch} (best)" if best else str(epoch.epoch)
    return f'<tr><th scope="row">{number}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def evaluation_html(evaluation: "Evaluation") -> str:
    """A model's scores beside those of copying."""
    return f"<div>{_TABLE_STYLE}{evaluation_table(evaluation)}</div>"


def evaluation_table(evaluation: "Evaluation") -> str:
    """The table itself."""
    heads = ("", "nats per frame", "precision", "recall", "F1", "nats per frame", "F1")
    head = "".join(f'<th scope="col">{name}</th>' if name else "<td></td>" for name in heads)
    rows = []
    for label, row in (
        ("model", evaluation.model),
        ("copy last", evaluation.copy_last),
        ("copy input", evaluation.copy_input),
    ):
        numbers = (row.all.nats, row.all.precision, row.all.recall, row.all.f1, row.changed.nats, row.changed.f1)
        cells = "".join(f"<td>{number:.3f}</td>" for number in numbers)
        rows.append(f'<tr><th scope="row">{label}</th>{cells}</tr>')
    counts = f"{evaluation.frames:,} frames, {evaluation.changed_frames:,} of them changed"
    return (
        f'<table class="pr-table"><caption>{counts}</caption>'
        f'<thead><tr><td></td><th scope="colgroup" colspan="4">all frames</th>'
        f'<th scope="colgroup" colspan="2">changed frames</th></tr><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
