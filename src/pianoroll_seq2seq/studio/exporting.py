"""The page's piece as a file: MIDI, MusicXML, sound, sheet music or a picture."""

import io
from collections.abc import Callable
from typing import NamedTuple

from pianoroll_seq2seq.errors import MissingExtraError, PianoRollSeq2SeqError
from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.musicxml import to_musicxml_bytes
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import ALL_PITCHES
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.serving.fields import shown
from pianoroll_seq2seq.studio.pieces import Piece

_DOTS_PER_INCH = 150


class ExportedFile(NamedTuple):
    """The content of a file, its media type, and the ending of its name."""

    data: bytes
    media_type: str
    ending: str


def export_piece(piece: Piece, file_format: str) -> ExportedFile:
    """A piece as a file.

    Args:
        piece: the piece.
        file_format: ``"mid"``, ``"musicxml"``, ``"wav"``, ``"svg"`` or ``"pdf"`` (sheet music), or ``"png"`` (a picture
            of the piano roll).

    Raises:
        RequestError: an unknown format, a piece without notes, or a format that needs a package that is not installed
            (status 501).
    """
    if file_format not in _FORMATS:
        raise RequestError(422, "format", f"must be one of {', '.join(_FORMATS)}, got {shown(file_format)}.")
    if not piece.notes:
        raise RequestError(422, "piece", "there are no notes. Draw some first.")
    media_type, to_bytes = _FORMATS[file_format]
    try:
        return ExportedFile(to_bytes(piece), media_type, f".{file_format}")
    except MissingExtraError as error:
        raise RequestError(501, "format", " ".join(str(error).split())) from error
    except PianoRollSeq2SeqError as error:
        raise RequestError(422, "piece", str(error)) from error


def _roll(piece: Piece) -> PianoRoll:
    """The piece on the coarsest grid that notation has for it."""
    from pianoroll_seq2seq.display.sheet_music import notation_grid

    score = piece.score()
    return PianoRoll.from_score(score, grid=notation_grid(score), pitches=ALL_PITCHES, parts="tracks")


def _wav(piece: Piece) -> bytes:
    from pianoroll_seq2seq.display.audio import to_audio

    return to_audio(piece.score()).to_bytes("wav")


def _svg(piece: Piece) -> bytes:
    from pianoroll_seq2seq.display.sheet_music import to_sheet_music

    return to_sheet_music(piece.score(), one_page=True).pages[0].encode()


def _pdf(piece: Piece) -> bytes:
    from pianoroll_seq2seq.display.sheet_music import to_sheet_music

    return to_sheet_music(piece.score()).to_pdf()


def _png(piece: Piece) -> bytes:
    try:
        from matplotlib.figure import Figure  # pyplot keeps its figures, and is for one thread alone
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "Drawing") from error
    from pianoroll_seq2seq.display.plot import plot_roll

    figure, picture = Figure(figsize=(11, 4), layout="constrained"), io.BytesIO()
    plot_roll(_roll(piece), ax=figure.subplots())
    figure.savefig(picture, format="png", dpi=_DOTS_PER_INCH, bbox_inches="tight")
    return picture.getvalue()


_FORMATS: dict[str, tuple[str, Callable[[Piece], bytes]]] = {
    "mid": ("audio/midi", lambda piece: to_midi_bytes(piece.score())),
    "musicxml": ("application/vnd.recordare.musicxml+xml", lambda piece: to_musicxml_bytes(_roll(piece).to_score())),
    "wav": ("audio/wav", _wav),
    "svg": ("image/svg+xml", _svg),
    "pdf": ("application/pdf", _pdf),
    "png": ("image/png", _png),
}
