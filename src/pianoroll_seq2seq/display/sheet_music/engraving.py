"""Engraving by Verovio, which draws MusicXML as SVG."""

import re
from importlib.resources import files

from pianoroll_seq2seq.display.sheet_music.pages import SheetMusic
from pianoroll_seq2seq.display.sheet_music.readable import readable
from pianoroll_seq2seq.errors import MissingExtraError
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.musicxml import to_musicxml_bytes
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.score import Score

_SCALE = 35
"""Percent of Verovio's size, with which four systems of a string quartet fit on a page."""
_OPTIONS = {
    "scale": _SCALE,
    "spacingStaff": 10,
    "pageWidth": round(21_000 * 37.8 / _SCALE / 10),  # A4 at 96 pixels per inch is 794 x 1123 of them
    "pageHeight": round(29_700 * 37.8 / _SCALE / 10),
    "svgViewBox": True,
    "footer": "none",
    "smuflTextFont": "none",
    "xmlIdSeed": 1,  # the same music gives the same file
}
_ONE_PAGE = {"breaks": "auto", "pageHeight": 60_000, "adjustPageHeight": True}
"""60,000 is the greatest height of a page that Verovio takes."""
_OPENING_TAG = re.compile("<svg[^>]*>")
_NOTE_SIGN = re.compile('font-family="Leipzig" font-size="720px">[\ue1d5\ueca5]')
"""The quarter note of a tempo mark in fonts for music, which readers of the file may not have."""
_FONTS_WITH_NOTES = "DejaVu Sans, Segoe UI Symbol, Apple Symbols, Noto Music, sans-serif"


def to_sheet_music(music: PianoRoll | Score, *, grid: BeatGrid | None = None, one_page: bool = False) -> SheetMusic:
    """Engraves a roll or a score on pages of A4.

    The pages are for reading: notes are on a grid, in at most two voices on a staff, and without gaps of a frame, and a
    part that is high and low has two staves. Music without a key signature gets that of the estimated key. What the
    notes are exactly is in a MIDI or MusicXML file (:meth:`PianoRoll.to_musicxml`).

    Args:
        music: the music.
        grid: where notes may begin and end. By default the grid of the roll, or the coarsest from sixteenths to
            twenty-fourths of a beat on which all notes are; sixteenths if there is none.
        one_page: all systems on one page, as tall as they are. Music of hundreds of bars has more such pages: Verovio's
            are at most some six meters tall.

    Raises:
        MissingExtraError: Verovio is not installed.
        LimitError: more bars, or notes over more bars, than anybody could open.

    Example:
        >>> import numpy as np
        >>> roll = PianoRoll.from_active(np.eye(88, dtype=bool)[39:47], name="upwards")
        >>> to_sheet_music(roll)
        SheetMusic('upwards', 1 page)
    """
    try:
        import verovio
    except ImportError as error:
        raise MissingExtraError("verovio", "score", "Engraving sheet music") from error
    content = to_musicxml_bytes(readable(music, grid))
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit(False)
    toolkit.setResourcePath(str(files("verovio") / "data"))  # Verovio knows it in the thread of the import alone
    toolkit.setOptions({**_OPTIONS, **(_ONE_PAGE if one_page else {})})
    toolkit.loadData(content.decode())
    pages = [toolkit.renderToSVG(number) for number in range(1, toolkit.getPageCount() + 1)]
    return SheetMusic(tuple(map(_on_white, pages)), music.name)


def _on_white(page: str) -> str:
    """An SVG document that can be read on a dark background too, in any font."""
    page = _NOTE_SIGN.sub(f'font-family="{_FONTS_WITH_NOTES}" font-size="540px">\u2669', page)
    return _OPENING_TAG.sub(r'\g<0><rect width="100%" height="100%" style="fill:white;stroke:none"/>', page, count=1)
