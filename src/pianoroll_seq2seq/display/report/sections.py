"""The parts of the pages: their frame, headings, music, curves and tables of facts."""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any

from pianoroll_seq2seq import __version__, midi_io
from pianoroll_seq2seq.checkpoint.descriptions import is_description
from pianoroll_seq2seq.display.html import Download, Figure, asset, curves_figure, figure_script
from pianoroll_seq2seq.display.piece import Piece
from pianoroll_seq2seq.display.tables import epochs_summary, epochs_table
from pianoroll_seq2seq.train.history import History

_MAX_NOTES = 20_000
_SAMPLE_RATE = 24_000
_HASH = re.compile("[0-9a-f]{64}")
_SHOWN_DIGITS = 12
_CONTENT_SECURITY_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"


def page_html(title: str, sections: Iterable[str], *, wide: bool = False) -> str:
    """A whole page.

    Args:
        title: its title and first heading.
        sections: its sections, as HTML.
        wide: whether it takes more of a wide screen, for things side by side.
    """
    classes = "pr-page pr-page-wide" if wide else "pr-page"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_CONTENT_SECURITY_POLICY}">
<title>{escape(title)}</title>
<style>
{asset("page.css")}</style>
</head>
<body class="{classes}">
<main>
<h1>{escape(title)}</h1>
{"".join(sections)}
</main>
<footer><p>Written by pianoroll_seq2seq {__version__}.</p></footer>
</body>
</html>
"""


def section(heading: str, parts: Sequence[str]) -> str:
    """A heading and what is under it; nothing without parts."""
    return f"<section><h2>{escape(heading)}</h2>{''.join(parts)}</section>\n" if parts else ""


def named(name: str, part: str) -> str:
    """A part, which scrolls if it is wider than the page, under its name."""
    return f'<h3>{escape(name)}</h3><div class="pr-wide">{part}</div>' if name else f'<div class="pr-wide">{part}</div>'


def music_section(pieces: Sequence[Piece], *, wav: bool) -> str:
    """The pieces one below another, each with a player and downloads."""
    figures = [figure_of(piece, number, wav=wav) for number, piece in enumerate(pieces, start=1)]
    parts = [
        f"<h3>{escape(figure.data['name'] or f'Piece {number}')}</h3>{figure.slot}"
        for number, figure in enumerate(figures, start=1)
    ]
    return section("Music", [primer_note(pieces), *parts, figure_script(figures)]) if figures else ""


def primer_note(pieces: Sequence[Piece]) -> str:
    """How the primers are drawn; nothing without a primer."""
    primers = [piece for piece in pieces if piece.primer_frames]
    if not primers:
        return ""
    colours = "The primer is hatched blue, the model's continuation is orange."
    if any(len(piece.roll.parts) > 1 for piece in primers):
        line = "The dashed line is the end of the primer"
        several = all(len(piece.roll.parts) > 1 for piece in primers)
        colours = f"{line}." if several else f"{colours} {line} in music of several parts."
    return f"<p>{colours} Click into the music to move the position.</p>"


def figure_of(piece: Piece, number: int, *, wav: bool) -> Figure:
    """A piece with its downloads, which are complete even if not all of its notes are drawn."""
    stem = re.sub(r"[^\w.-]+", "_", piece.name or piece.roll.name).strip("_.") or f"piece_{number}"
    midi = midi_io.to_midi_bytes(piece.roll.to_score())
    downloads = [_download("MIDI", midi, "audio/midi", f"{stem}.mid")]
    if wav:
        sound = piece.roll.to_audio(sample_rate=_SAMPLE_RATE, mono=True).to_bytes()
        downloads.append(_download("WAV", sound, "audio/wav", f"{stem}.wav"))
    return replace(piece.figure(max_notes=_MAX_NOTES), downloads=tuple(downloads))


def _download(label: str, content: bytes, kind: str, filename: str) -> Download:
    href = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return Download(label=label, href=href, filename=filename)


def curves_section(histories: Mapping[str, History]) -> str:
    """The loss curves of runs over one another, and a table of the epochs of each."""
    if not histories:
        return ""
    tables = [
        f"<details><summary>{escape(f'{name}: ' if name else '')}{epochs_summary(history)}</summary>"
        f'<div class="pr-wide">{epochs_table(history)}</div></details>'
        for name, history in histories.items()
    ]
    return section("Loss curves", [curves_figure(histories), *tables])


def facts_table(facts: Mapping[str, Any]) -> str:
    """A table of names and values."""
    rows = "".join(
        f'<tr><th scope="row">{escape(str(name).replace("_", " "))}</th><td>{escape(_text(value))}</td></tr>'
        for name, value in facts.items()
    )
    return f'<table class="pr-facts"><tbody>{rows}</tbody></table>'


def _text(value: Any) -> str:
    """A value as text: descriptions of objects as constructor calls, large numbers with separators, hashes cut."""
    if is_description(value):
        settings = ", ".join(f"{name}={_text(inner)}" for name, inner in (value["settings"] or {}).items())
        return f"{value['class'].partition(':')[2]}({settings})"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    text = str(value)
    return f"{text[:_SHOWN_DIGITS]}…" if _HASH.fullmatch(text) else text
