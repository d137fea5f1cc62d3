"""A report: one HTML page with music, scores and loss curves."""

import base64
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pianoroll_seq2seq import __version__, checkpoint, midi_io
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.checkpoint.descriptions import is_description
from pianoroll_seq2seq.display.html import Download, Figure, asset, curves_image, figure_script
from pianoroll_seq2seq.display.piece import Piece
from pianoroll_seq2seq.display.tables import (
    epochs_summary,
    epochs_table,
    evaluation_table,
    note_lengths_table,
    summary_table,
)
from pianoroll_seq2seq.evaluation.music_summary import MusicSummary
from pianoroll_seq2seq.evaluation.prediction_scores import Evaluation
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.train.history import History

if TYPE_CHECKING:
    from torch import nn

_MAX_NOTES = 20_000
_SAMPLE_RATE = 24_000
_CONTENT_SECURITY_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    pieces: Iterable[Piece | PianoRoll] = (),
    evaluation: Evaluation | Mapping[str, Evaluation] | None = None,
    summary: MusicSummary | Mapping[str, MusicSummary] | None = None,
    history: History | Mapping[str, History] | None = None,
    trained_on: Mapping[str, Mapping[str, Any]] | None = None,
    wav: bool = True,
    overwrite: bool = False,
) -> Path:
    """Writes one HTML file that shows one run, or several, and plays their music.

    Args:
        path: the file; missing folders are created.
        title: the title of the page.
        pieces: the music; :class:`~pianoroll_seq2seq.display.piece.Piece` marks a primer.
        evaluation: scores beside the baselines; of several models, by name.
        summary: generated music beside the data, from
            :func:`~pianoroll_seq2seq.evaluation.music_summary.summarize_music`: its metrics and the lengths of its
            notes; of several models, by name.
        history: loss curves; of several runs, by name.
        trained_on: further facts: a table of names and values for each heading, such as
            ``{"Data": {"pieces": 280}, "Model": describe_model(model)}``.
        wav: whether each piece has a WAV download (mono, 24 kHz), 4 MB per minute of music, beside the MIDI download.
        overwrite: whether an existing file may be replaced.

    Raises:
        OverwriteError: the file exists and ``overwrite`` is false.
        LimitError: a piece of more than two hours, with ``wav``.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> piece = PianoRoll.from_active(np.eye(88, dtype=bool), name="upwards")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     page = write_report(Path(folder) / "report.html", title="One scale", pieces=[piece], wav=False)
        ...     "<h1>One scale</h1>" in page.read_text(encoding="utf-8")
        True
    """
    path = Path(path)
    shown = [piece if isinstance(piece, Piece) else Piece(piece) for piece in pieces]
    evaluations = {"": evaluation} if isinstance(evaluation, Evaluation) else evaluation or {}
    summaries = {"": summary} if isinstance(summary, MusicSummary) else summary or {}
    histories = {"": history} if isinstance(history, History) else history or {}
    histories = {name: one for name, one in histories.items() if one.epochs}
    with writing(path, overwrite=overwrite) as temporary:  # raises OverwriteError before anything is rendered
        sections = [
            _music(shown, wav=wav),
            _section("Scores", [_named(name, evaluation_table(one)) for name, one in evaluations.items()]),
            _section(
                "Generated music and the data",
                [_named(name, summary_table(one) + note_lengths_table(one)) for name, one in summaries.items()],
            ),
            _curves(histories),
            _section("What was trained", [_named(name, _facts(facts)) for name, facts in (trained_on or {}).items()]),
        ]
        temporary.write_text(_page(title, sections), encoding="utf-8", errors="backslashreplace")
    return path


def describe_model(model: "nn.Module") -> dict[str, Any]:
    """A model's class, number of parameters and settings, for ``trained_on``.

    Example:
        >>> from pianoroll_seq2seq import Seq2SeqLSTM
        >>> described = describe_model(Seq2SeqLSTM(12, hidden_size=8))
        >>> described["class"], described["hidden_size"]
        ('Seq2SeqLSTM', 8)
    """
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return model_facts(checkpoint.describe(model), parameters)


def model_facts(description: Mapping[str, Any], parameters: int) -> dict[str, Any]:
    """The same facts of a model in a checkpoint."""
    name = description["class"].partition(":")[2]
    return {"class": name, "parameters": parameters, **(description["settings"] or {})}


def _page(title: str, sections: Iterable[str]) -> str:
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
<body class="pr-page">
<main>
<h1>{escape(title)}</h1>
{"".join(sections)}
</main>
<footer><p>Written by pianoroll_seq2seq {__version__}.</p></footer>
</body>
</html>
"""


def _section(heading: str, parts: Sequence[str]) -> str:
    return f"<section><h2>{escape(heading)}</h2>{''.join(parts)}</section>\n" if parts else ""


def _named(name: str, part: str) -> str:
    return f'<h3>{escape(name)}</h3><div class="pr-wide">{part}</div>' if name else f'<div class="pr-wide">{part}</div>'


def _music(pieces: Sequence[Piece], *, wav: bool) -> str:
    figures = [_figure(piece, number, wav=wav) for number, piece in enumerate(pieces, start=1)]
    parts = [
        f"<h3>{escape(figure.data['name'] or f'Piece {number}')}</h3>{figure.slot}"
        for number, figure in enumerate(figures, start=1)
    ]
    primers = [piece for piece in pieces if piece.primer_frames]
    if primers:
        colours = "The primer is hatched blue, the model's continuation is orange."
        if any(len(piece.roll.parts) > 1 for piece in primers):
            line = "The dashed line is the end of the primer"
            several = all(len(piece.roll.parts) > 1 for piece in primers)
            colours = f"{line}." if several else f"{colours} {line} in music of several parts."
        parts.insert(0, f"<p>{colours} Click into the music to move the position.</p>")
    return _section("Music", [*parts, figure_script(figures)]) if figures else ""


def _figure(piece: Piece, number: int, *, wav: bool) -> Figure:
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


def _curves(histories: Mapping[str, History]) -> str:
    if not histories:
        return ""
    tables = [
        f"<details><summary>{escape(f'{name}: ' if name else '')}{epochs_summary(history)}</summary>"
        f'<div class="pr-wide">{epochs_table(history)}</div></details>'
        for name, history in histories.items()
    ]
    return _section("Loss curves", [curves_image(histories, system_theme=True), *tables])


def _facts(facts: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(str(name).replace("_", " "))}</th><td>{escape(_text(value))}</td></tr>'
        for name, value in facts.items()
    )
    return f'<table class="pr-facts"><tbody>{rows}</tbody></table>'


def _text(value: Any) -> str:
    """A value as text: descriptions of objects as constructor calls, large numbers with separators."""
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
    return str(value)
