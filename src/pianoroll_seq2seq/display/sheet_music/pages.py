"""Pages of sheet music, and the files that hold them."""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq._internal.display_hook import html_of
from pianoroll_seq2seq.errors import MissingExtraError, OverwriteError, SettingsError

ENDINGS = (".svg", ".pdf")
"""The endings of files of sheet music."""
_PIXELS_PER_INCH = 96


@dataclass(frozen=True)
class SheetMusic:
    """Engraved music. In a notebook it displays itself.

    Args:
        pages: an SVG document for each page.
        name: the name of the music.
    """

    pages: tuple[str, ...]
    name: str = ""

    def __repr__(self) -> str:
        """The number of pages; not what is on them."""
        name = f"{self.name!r}, " if self.name else ""
        return f"SheetMusic({name}{len(self.pages)} page{'s' * (len(self.pages) != 1)})"

    def _repr_html_(self) -> str:
        return html_of(self)

    def to_pdf(self) -> bytes:
        """The bytes of a PDF file with all pages, its fonts embedded.

        Raises:
            MissingExtraError: CairoSVG (extra ``score``) is not installed.
            SettingsError: the library cairo of the system is not installed.
        """
        return _pdf_of(self.pages)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> tuple[Path, ...]:
        """Writes a PDF file, or an SVG file for each page: ``song.svg``, then ``song-2.svg``, ``song-3.svg`` and so on.

        Args:
            path: the file, which ends in ``.pdf`` or ``.svg``; missing folders are made.
            overwrite: whether existing files may be replaced.

        Returns:
            The files.

        Raises:
            SettingsError: a name with another ending.
            OverwriteError: a file exists and ``overwrite`` is false; then no file is written.
            MissingExtraError, SettingsError: as :meth:`to_pdf`.
        """
        path = Path(path)
        ending = path.suffix.lower()
        if ending not in ENDINGS:
            raise SettingsError(f"{path}: a file of sheet music must end in {' or '.join(ENDINGS)}.")
        contents = [self.to_pdf()] if ending == ".pdf" else [page.encode() for page in self.pages]
        paths = [path, *(path.with_stem(f"{path.stem}-{number}") for number in range(2, len(contents) + 1))]
        for one in paths:
            if one.exists() and not overwrite:
                raise OverwriteError(f"{one} exists already. Choose another name, or allow to overwrite it.")
        for one, content in zip(paths, contents, strict=True):
            with writing(one, overwrite=overwrite) as temporary:
                temporary.write_bytes(content)
        return tuple(paths)


def check_pdf() -> None:
    """Checks that PDF files can be written.

    Raises:
        MissingExtraError: CairoSVG is not installed.
        SettingsError: the library cairo of the system is not installed.
    """
    try:
        import cairosvg  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("cairosvg", "score", "Writing PDF") from error
    except OSError as error:
        raise SettingsError(
            "Writing PDF needs the library cairo of the system, which is not installed. Install it with: "
            "apt install libcairo2 (on macOS: brew install cairo), or write SVG."
        ) from error


def _pdf_of(pages: Sequence[str]) -> bytes:
    """SVG documents as the pages of one PDF file."""
    check_pdf()
    from cairosvg.parser import Tree
    from cairosvg.surface import PDFSurface

    def next_page(output: io.BytesIO, width: float, height: float) -> Any:
        """The surface of all pages, which begins another page."""
        if not made:
            made.append(PDFSurface.surface_class(output, width, height))
        else:
            made[0].show_page()
            made[0].set_size(width, height)
        return made[0]

    made: list[Any] = []
    draw = type("_Page", (PDFSurface,), {"surface_class": staticmethod(next_page)})
    file = io.BytesIO()
    for page in pages:
        draw(Tree(bytestring=page.encode()), file, _PIXELS_PER_INCH)
    if made:
        made[0].finish()
    return file.getvalue()
