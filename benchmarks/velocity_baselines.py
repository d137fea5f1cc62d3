"""Trivial predictions of the velocities of notes, which a model has to beat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64

from pianoroll_seq2seq import PianoRoll
from pianoroll_seq2seq.errors import SettingsError

_SMOOTHING = 0.1
"""Added to the count of each velocity, so that none has probability zero."""


@dataclass(frozen=True)
class VelocityBaselines:
    """Scores of trivial predictions for the notes of one part.

    Args:
        num_notes: number of notes.
        unigram_nats: mean negative log-probability under the frequencies of the velocities in the training pieces.
        training_median_error: mean absolute error of the median of the training pieces.
        previous_error: of the velocity of the note before, by onset and then by pitch; of the first note of a piece,
            of the median of the training pieces.
        piece_median_error: of the median of the part in the piece itself, which no model knows.
    """

    num_notes: int
    unigram_nats: float
    training_median_error: float
    previous_error: float
    piece_median_error: float


def velocity_baselines(train: Sequence[PianoRoll], pieces: Sequence[PianoRoll]) -> dict[str, VelocityBaselines]:
    """The baselines of each part that has notes in both sets, by its name.

    Args:
        train: the training pieces, with velocities.
        pieces: the pieces that are scored.

    Raises:
        SettingsError: a piece without velocities.
    """
    found = {}
    for name in train[0].part_names:
        known = np.concatenate([_velocities(roll[name]) for roll in train])
        scored = [velocities for roll in pieces if len(velocities := _velocities(roll[name]))]
        if len(known) and scored:
            found[name] = _of_part(known, scored)
    return found


def _of_part(known: Int64[np.ndarray, " notes"], pieces: Sequence[Int64[np.ndarray, " notes"]]) -> VelocityBaselines:
    """The baselines of one part, from its velocities in training and those of each piece that is scored."""
    counts = np.bincount(known, minlength=128)[1:] + _SMOOTHING
    log_probs = np.log(counts / counts.sum())
    median = np.median(known)
    every = np.concatenate(pieces)
    previous = np.concatenate([[median, *piece[:-1]] for piece in pieces])
    medians = np.concatenate([np.full(len(piece), np.median(piece)) for piece in pieces])
    return VelocityBaselines(
        num_notes=len(every),
        unigram_nats=-float(log_probs[every - 1].mean()),
        training_median_error=float(np.abs(every - median).mean()),
        previous_error=float(np.abs(every - previous).mean()),
        piece_median_error=float(np.abs(every - medians).mean()),
    )


def _velocities(roll: PianoRoll) -> Int64[np.ndarray, " notes"]:
    """The velocities of the notes of a roll of one part, by onset and then by pitch."""
    notes = roll.notes()
    if notes.velocity is None:
        raise SettingsError(f"{roll.name or 'A piece'} has no velocities. Read it with velocity=True.")
    velocities: np.ndarray = notes.velocity[np.lexsort((notes.pitch, notes.onset_frame))].astype(np.int64)
    return velocities


def velocity_table(
    title: str,
    baselines: Mapping[str, VelocityBaselines],
    rows: Mapping[str, Sequence[Mapping[str, Mapping[str, Any]]]],
) -> str:
    """A table of the velocities of each part: the baselines, and the means of each model's runs.

    Args:
        title: its first line.
        baselines: the baselines of each part.
        rows: by the name of a model, the scores of each run: of each part ``nats`` and ``mean_absolute_error``.
    """
    lines = [title, f"{'':44}{'nats':>8}{'below unigram':>15}{'error':>8}"]
    for part, trivial in baselines.items():
        unigram = trivial.unigram_nats
        lines += [
            f"{part or 'all'}, {trivial.num_notes:,} notes",
            f"{'  frequencies and median in training':44}{unigram:8.3f}{'':15}{trivial.training_median_error:8.2f}",
            f"{'  velocity of the note before':44}{'':23}{trivial.previous_error:8.2f}",
            f"{'  median of the piece itself':44}{'':23}{trivial.piece_median_error:8.2f}",
        ]
        for name, runs in rows.items():
            scored = [run[part] for run in runs if part in run]
            if scored:
                nats, error = (float(np.mean([one[key] for one in scored])) for key in ("nats", "mean_absolute_error"))
                lines.append(f"{f'  {name}':44}{nats:8.3f}{1 - nats / unigram:15.1%}{error:8.2f}")
    return "\n".join(lines)
