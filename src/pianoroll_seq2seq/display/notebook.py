"""How values display themselves: as HTML in a notebook, as a picture, and as sound.

The output of a cell is self-contained HTML: it plays without a network, in a saved notebook and in a page made from it.
If scripts are removed (an untrusted notebook, or some sites), a still image remains.
"""

import base64
from collections.abc import Sequence
from functools import singledispatch
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from pianoroll_seq2seq._internal.render_options import RenderOptions
from pianoroll_seq2seq.display import audio, plot, sheet_music
from pianoroll_seq2seq.display.audio.samples import Format
from pianoroll_seq2seq.display.html import asset, curves_image, figure_script
from pianoroll_seq2seq.display.piece import Piece
from pianoroll_seq2seq.display.tables import epochs_summary, epochs_table, evaluation_table
from pianoroll_seq2seq.errors import MissingExtraError
from pianoroll_seq2seq.evaluation.prediction_scores import Evaluation
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.sampling.generations import Generations
from pianoroll_seq2seq.train.history import History
from pianoroll_seq2seq.train.learning_rates import LearningRates

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TABLE_STYLE = "<style>.pr-table :is(td, th) { padding: 2px 8px; text-align: right }</style>"
_MAX_SOUND_SECONDS = 120.0
"""The sound that a notebook holds: some 10 MB."""
_MAX_PAGES = 10
"""The pages of sheet music that a notebook holds: some 3 MB."""


@singledispatch
def html_of(value: object) -> str:
    """The HTML that a notebook shows for a value."""
    raise TypeError(f"No HTML display for {type(value).__name__}.")


@singledispatch
def plot_of(value: object, *, ax: "Axes | None" = None) -> "Axes":  # noqa: ARG001 (used by the implementations)
    """The plot of a value; see :mod:`pianoroll_seq2seq.display.plot`."""
    raise TypeError(f"No plot for {type(value).__name__}.")


def save_picture(roll: PianoRoll, path: Path, *, primer_frames: int, title: str) -> None:
    """Draws a roll into an image file; an existing file is replaced."""
    ax = plot.plot_roll(roll, primer_frames=primer_frames)
    ax.set_title(title, loc="right")
    plot.save_figure(ax, path, overwrite=True)


def audio_of(
    roll: PianoRoll, *, velocity: int | None, program: int | None, **options: Unpack[RenderOptions]
) -> audio.Audio:
    """The sound of a roll; see :func:`~pianoroll_seq2seq.display.audio.to_audio`."""
    return audio.to_audio(roll, velocity=velocity, program=program, **options)


def sheet_music_of(roll: PianoRoll, *, grid: BeatGrid | None, one_page: bool) -> sheet_music.SheetMusic:
    """The sheet music of a roll; see :func:`~pianoroll_seq2seq.display.sheet_music.to_sheet_music`."""
    return sheet_music.to_sheet_music(roll, grid=grid, one_page=one_page)


@html_of.register(PianoRoll)
def _(value: PianoRoll) -> str:
    return _pieces_html([Piece(value)])


@html_of.register(Piece)
def _(value: Piece) -> str:
    return _pieces_html([value])


@html_of.register(Generations)
def _(value: Generations) -> str:
    if not value.primers:
        return _pieces_html([Piece(roll) for roll in value])
    pairs = zip(value.primers, value, strict=False)  # the list may have been shortened since
    return _pieces_html([Piece.continued(*pair) for pair in pairs])


@html_of.register(History)
def _(value: History) -> str:
    if not value.epochs:
        return "<p>A history without epochs.</p>"
    table = f"<details><summary>{epochs_summary(value)}</summary>{epochs_table(value)}</details>"
    return f"<div style='overflow-x: auto'>{_TABLE_STYLE}{curves_image({'': value})}{table}</div>"


@html_of.register(audio.Audio)
def _(value: audio.Audio) -> str:
    """A player. The sound itself is in the notebook, so long music is cut."""
    excerpt = audio.Audio(value.samples[: int(_MAX_SOUND_SECONDS * value.sample_rate)], value.sample_rate)
    kind: Format
    try:
        kind, sound = "flac", excerpt.to_bytes("flac")
    except MissingExtraError:
        kind, sound = "wav", excerpt.to_bytes("wav")
    source = f"data:audio/{kind};base64,{base64.b64encode(sound).decode()}"
    cut = f"The first {excerpt.seconds:.0f} of {value.seconds:.0f} seconds; " if excerpt.seconds < value.seconds else ""
    note = f"<p>{cut}<code>save(path)</code> writes all of it.</p>" if cut else ""
    return f'<div><audio controls preload="metadata" src="{source}" style="width: 100%"></audio>{note}</div>'


@html_of.register(sheet_music.SheetMusic)
def _(value: sheet_music.SheetMusic) -> str:
    """The pages as images, one below another: long music is cut."""
    shown = value.pages[:_MAX_PAGES]
    name = escape(value.name or "the sheet music", quote=True)
    images = "".join(
        f'<img alt="Page {number} of {name}" '
        f'src="data:image/svg+xml;base64,{base64.b64encode(page.encode()).decode()}" '
        'style="width: 100%; max-width: 794px; display: block; margin: 0 auto 8px">'
        for number, page in enumerate(shown, 1)
    )
    more = f"<p>The first {len(shown)} of {len(value.pages)} pages; <code>save(path)</code> writes all of them.</p>"
    return f"<div>{images}{more if len(shown) < len(value.pages) else ''}</div>"


@html_of.register(Evaluation)
def _(value: Evaluation) -> str:
    return f'<div style="overflow-x: auto">{_TABLE_STYLE}{evaluation_table(value)}</div>'


@plot_of.register(History)
def _(value: History, *, ax: "Axes | None" = None) -> "Axes":
    return plot.plot_histories({"": value}, ax=ax)


@plot_of.register(LearningRates)
def _(value: LearningRates, *, ax: "Axes | None" = None) -> "Axes":
    return plot.plot_learning_rates(value, ax=ax)


def _pieces_html(pieces: Sequence[Piece]) -> str:
    """Pieces one below another, each with a player; one of them plays at a time."""
    figures = [piece.figure() for piece in pieces]
    slots = "".join(f"<p>{escape(figure.data['name'])}</p>{figure.slot}" for figure in figures)
    return f"<div><style>{asset('page.css')}</style>{slots}{figure_script(figures)}</div>"
