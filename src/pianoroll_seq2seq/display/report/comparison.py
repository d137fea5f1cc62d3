"""The page of several runs, side by side."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.display.html import Figure, PlayerData, curve_name, figure_script
from pianoroll_seq2seq.display.piece import Piece
from pianoroll_seq2seq.display.report.sections import (
    curves_section,
    facts_table,
    figure_of,
    named,
    page_html,
    primer_note,
    section,
)
from pianoroll_seq2seq.display.runs_table import RunsTable
from pianoroll_seq2seq.display.tables import (
    evaluations_table,
    note_lengths_table,
    summary_table,
    velocities_table,
)
from pianoroll_seq2seq.evaluation.music_summary import MusicSummary
from pianoroll_seq2seq.evaluation.prediction_scores import Evaluation
from pianoroll_seq2seq.train.history import History


@dataclass(frozen=True)
class ComparedRun:
    """A run on the page."""

    name: str
    history: History
    evaluation: Evaluation | None = None
    """Scores on its test pieces."""
    summary: MusicSummary | None = None
    """Its music beside the data."""
    music: Mapping[str, float] = field(default_factory=dict)
    """Measures of its music, for a run without a summary."""
    piece: Piece | None = None
    """Its music."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """All its options."""


def write_comparison(
    path: str | os.PathLike[str],
    runs: Sequence[ComparedRun],
    *,
    title: str,
    table: RunsTable,
    notes: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Writes one HTML file with a table of runs, their loss curves over one another, and their music side by side.

    Args:
        path: the file; missing folders are created.
        runs: the runs, in the order of the table.
        title: the title of the page.
        table: the figures of the runs.
        notes: what to say under the table.
        overwrite: whether an existing file may be replaced.

    Raises:
        OverwriteError: the file exists and ``overwrite`` is false.
    """
    path = Path(path)
    with writing(path, overwrite=overwrite) as temporary:  # raises OverwriteError before anything is rendered
        sections = [
            _runs_section(table, notes),
            curves_section({run.name: run.history for run in runs}),
            _music_section(runs),
            _scores_section(runs),
            section("Options", [_details(run.name, facts_table(run.options)) for run in runs if run.options]),
        ]
        html = page_html(title, sections, wide=True)
        temporary.write_text(html, encoding="utf-8", errors="backslashreplace")
    return path


def _runs_section(table: RunsTable, notes: Sequence[str]) -> str:
    names = [curve_name(place, name) for place, (name, *_) in enumerate(table.rows)]
    caption = " The best values are bold." if table.best else ""
    lines = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return (
        f"<section><p>Losses are in nats per frame, of the best epoch.{caption}</p>"
        f'<div class="pr-wide" role="region" aria-label="Runs" tabindex="0">{table.to_html(names=names)}</div>'
        f"{lines}</section>\n"
    )


def _music_section(runs: Sequence[ComparedRun]) -> str:
    """The music and its measures, a run in each column."""
    pieces = {place: run.piece for place, run in enumerate(runs) if run.piece is not None}
    figures = dict(
        zip(pieces, _on_equal_scales([figure_of(one, 1, wav=False) for one in pieces.values()]), strict=True)
    )
    columns = []
    for place, run in enumerate(runs):
        parts = [figures[place].slot] if place in figures else []
        if run.summary is not None:
            parts.append(f'<div class="pr-wide">{summary_table(run.summary)}</div>')
            parts.append(_details("lengths of notes", note_lengths_table(run.summary)))
        elif run.music:
            parts.append(f'<div class="pr-wide">{facts_table(run.music)}</div>')
        if parts:
            heading = f"<h3>{curve_name(place, run.name)}</h3>"
            columns.append(f'<div class="pr-column">{heading}{"".join(parts)}</div>')
    if not columns:
        return ""
    columns_html = f'<div class="pr-columns">{"".join(columns)}</div>'
    return section("Music", [primer_note(list(pieces.values())), columns_html, figure_script(figures.values())])


def _on_equal_scales(figures: Sequence[Figure]) -> list[Figure]:
    """The figures with one range of pitches and one length, so that equal heights and widths are equal music.

    A shorter piece ends with silence.
    """
    if not figures:
        return []
    lowest = min(figure.data["lowest"] for figure in figures)
    highest = max(figure.data["highest"] for figure in figures)
    seconds = max(figure.data["seconds"] for figure in figures)

    def scaled(data: PlayerData) -> PlayerData:
        return {**data, "lowest": lowest, "highest": highest, "seconds": seconds}

    return [replace(figure, data=scaled(figure.data)) for figure in figures]


def _scores_section(runs: Sequence[ComparedRun]) -> str:
    scores = {run.name: run.evaluation for run in runs if run.evaluation is not None}
    parts = [named("", evaluations_table(scores))] if scores else []
    parts += [named(name, velocities_table(one.velocities)) for name, one in scores.items() if one.velocities]
    return section("Scores on the test pieces", parts)


def _details(summary: str, content: str) -> str:
    """Content that opens on a click; nothing if there is none."""
    if not content:
        return ""
    return f'<details><summary>{escape(summary)}</summary><div class="pr-wide">{content}</div></details>'
