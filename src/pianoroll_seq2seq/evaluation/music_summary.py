"""Generated music summarized beside data: means of metrics, overlaps, and the lengths of notes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from pianoroll_seq2seq.errors import GridError, SettingsError
from pianoroll_seq2seq.evaluation.bach_or_mock import BachOrMock
from pianoroll_seq2seq.evaluation.histograms import Histograms, overlap
from pianoroll_seq2seq.evaluation.music_metrics import mean_metrics
from pianoroll_seq2seq.grid import BeatGrid, FrameGrid, SecondsGrid
from pianoroll_seq2seq.pianoroll import PianoRoll

_MAX_LENGTHS = 12


@dataclass(frozen=True)
class NoteLength:
    """The share of the notes of one length in two sets."""

    length: float | None
    """In the unit of the summary; None for all lengths that are not listed."""
    generated: float
    data: float


@dataclass(frozen=True)
class MusicSummary:
    """Generated music beside data, by means and overlaps that need no more than one generated piece.

    Args:
        generated: the mean of each metric of the generated pieces, as
            :func:`~pianoroll_seq2seq.evaluation.music_metrics.mean_metrics` gives them. With a grading function, also
            their median grade, ``bach_or_mock``.
        data: the same of the data.
        overlaps: overlap of the histograms of polyphony, note lengths and velocities, by these names, if both sets
            have some: 1 for equal histograms, 0 for disjoint ones.
        note_lengths: the most frequent lengths of notes in ascending order, and the rest.
        unit: the unit of the lengths: ``beats``, ``seconds`` or ``frames``.
        generated_pieces: number of generated pieces.
        data_pieces: number of pieces of the data.
    """

    generated: dict[str, float]
    data: dict[str, float]
    overlaps: dict[str, float]
    note_lengths: tuple[NoteLength, ...]
    unit: str
    generated_pieces: int
    data_pieces: int


def summarize_music(
    generated: Sequence[PianoRoll], data: Sequence[PianoRoll], *, grading: BachOrMock | None = None
) -> MusicSummary:
    """Summarizes generated pieces beside pieces of the data.

    Unlike :func:`~pianoroll_seq2seq.evaluation.set_distance.compare_sets`, it needs no further package, and one
    generated piece is enough.

    Args:
        generated: the generated pieces.
        data: real pieces on the same grid.
        grading: grades music in several voices; its reference should not be the data, but for example the training
            pieces.

    Raises:
        SettingsError: a set without pieces, or pieces without the voices of the reference of ``grading``.
        GridError: pieces of different grids.

    Example:
        >>> roll = PianoRoll.from_active(np.eye(8, 88, dtype=bool))
        >>> summary = summarize_music([roll], [roll, roll])
        >>> summary.overlaps["note_lengths"], summary.note_lengths
        (1.0, (NoteLength(length=0.25, generated=1.0, data=1.0),))
    """
    if not len(generated) or not len(data):
        raise SettingsError(
            f"Both sets need at least one piece, got {len(generated)} generated and {len(data)} of the data."
        )
    grid = generated[0].grid
    for roll in (*generated, *data):
        if roll.grid != grid:
            raise GridError(f"{roll.name or 'A piece'} is on {roll.grid}, but the first generated piece is on {grid}.")
    one, other = Histograms.of(generated), Histograms.of(data)
    overlaps = {
        "polyphony": overlap(one.polyphony, other.polyphony),
        "note_lengths": overlap(one.note_frames, other.note_frames),
        "velocities": overlap(one.velocities, other.velocities),
    }
    frame_length, unit = _frame_length(grid)
    return MusicSummary(
        mean_metrics(generated) | _grade(grading, generated),
        mean_metrics(data) | _grade(grading, data),
        {name: value for name, value in overlaps.items() if not math.isnan(value)},
        _note_lengths(one.note_frames, other.note_frames, frame_length),
        unit,
        len(generated),
        len(data),
    )


def _grade(grading: BachOrMock | None, rolls: Sequence[PianoRoll]) -> dict[str, float]:
    return {} if grading is None else {"bach_or_mock": median(map(grading.grade, rolls))}


def _frame_length(grid: FrameGrid) -> tuple[float, str]:
    """The length of a frame, and its unit."""
    if isinstance(grid, BeatGrid):
        return 1 / grid.frames_per_beat, "beats"
    if isinstance(grid, SecondsGrid):
        return grid.frame_seconds, "seconds"
    return 1.0, "frames"


def _note_lengths(generated: np.ndarray, data: np.ndarray, frame_length: float) -> tuple[NoteLength, ...]:
    """The shares of the lengths that are most frequent in either set, and of all others together."""
    shares = np.zeros((2, max(len(generated), len(data))))
    for row, counts in zip(shares, (generated, data), strict=True):
        row[: len(counts)] = counts / max(int(counts.sum()), 1)
    most = shares.max(axis=0)
    chosen = np.sort(np.argsort(-most, kind="stable")[:_MAX_LENGTHS])
    chosen = chosen[most[chosen] > 0]
    rows = [NoteLength(round(int(at) * frame_length, 6), *shares[:, at].tolist()) for at in chosen]
    rest = np.clip(shares.sum(axis=1) - shares[:, chosen].sum(axis=1), 0, 1).round(12).tolist()
    return (*rows, NoteLength(None, *rest)) if any(rest) else tuple(rows)
