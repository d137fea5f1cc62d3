"""A report: one HTML page with music, scores and loss curves."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.display.piece import Piece
from pianoroll_seq2seq.display.report.sections import (
    curves_section,
    facts_table,
    music_section,
    named,
    page_html,
    section,
)
from pianoroll_seq2seq.display.tables import evaluation_table, note_lengths_table, summary_table
from pianoroll_seq2seq.evaluation.music_summary import MusicSummary
from pianoroll_seq2seq.evaluation.prediction_scores import Evaluation
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.train.history import History

if TYPE_CHECKING:
    from torch import nn


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
            music_section(shown, wav=wav),
            section("Scores", [named(name, evaluation_table(one)) for name, one in evaluations.items()]),
            section(
                "Generated music and the data",
                [named(name, summary_table(one) + note_lengths_table(one)) for name, one in summaries.items()],
            ),
            curves_section(histories),
            section(
                "What was trained", [named(name, facts_table(facts)) for name, facts in (trained_on or {}).items()]
            ),
        ]
        temporary.write_text(page_html(title, sections), encoding="utf-8", errors="backslashreplace")
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
