"""The only way from values below ``display`` to ``display``: how they display themselves.

``roll._repr_html_()``, ``history.plot()``, ``roll.to_audio()``, ``roll.to_sheet_music()`` and callbacks of ``fit`` call
these functions; each imports ``display`` when it is called.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from pianoroll_seq2seq._internal.render_options import RenderOptions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pianoroll_seq2seq.display.audio import Audio
    from pianoroll_seq2seq.display.sheet_music import SheetMusic
    from pianoroll_seq2seq.grid import BeatGrid
    from pianoroll_seq2seq.pianoroll import PianoRoll


def html_of(value: object) -> str:
    """The HTML that a notebook shows for a value."""
    from pianoroll_seq2seq.display import notebook

    return notebook.html_of(value)


def plot_of(value: object, *, ax: "Axes | None" = None) -> "Axes":
    """The plot of a value."""
    from pianoroll_seq2seq.display import notebook

    return notebook.plot_of(value, ax=ax)


def save_picture(roll: "PianoRoll", path: Path, *, primer_frames: int, title: str) -> None:
    """Draws a roll into an image file; an existing file is replaced."""
    from pianoroll_seq2seq.display import notebook

    notebook.save_picture(roll, path, primer_frames=primer_frames, title=title)


def audio_of(
    roll: "PianoRoll", *, velocity: int | None, program: int | None, **options: Unpack[RenderOptions]
) -> "Audio":
    """The sound of a roll."""
    from pianoroll_seq2seq.display import notebook

    return notebook.audio_of(roll, velocity=velocity, program=program, **options)


def sheet_music_of(roll: "PianoRoll", *, grid: "BeatGrid | None", one_page: bool) -> "SheetMusic":
    """The sheet music of a roll."""
    from pianoroll_seq2seq.display import notebook

    return notebook.sheet_music_of(roll, grid=grid, one_page=one_page)
