"""Music metrics.

Each metric is a plain function of one :class:`~pianoroll_seq2seq.pianoroll.PianoRoll`. If MusPy (Dong et al., "MusPy: A
toolkit for symbolic music generation", ISMIR 2020) defines the metric, the formula is MusPy's, with a frame for its
time step; the docstring of a function names any difference. A metric that is undefined for a piece, such as the entropy
of the notes of silence, is NaN, as in MusPy.

The parts of a piece count together. Drums have no pitches, so metrics of pitches leave them out; they count in
:func:`empty_frames` and :func:`groove_consistency`. A pitch that several parts play at once counts once, as if one part
played it, except in :func:`polyphony` and :func:`polyphony_rate`, which count notes. MusPy does the opposite in both.

:func:`~pianoroll_seq2seq.evaluation.set_distance.compare_sets` compares the metrics of generated and of real pieces.
"""

import math
from collections.abc import Callable, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Int64

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.note_metrics import (
    mean_note_beats,
    mean_velocity,
    median_note_beats,
    repeated_notes,
    velocity_std,
)
from pianoroll_seq2seq.evaluation.part_metrics import PART_METRICS
from pianoroll_seq2seq.evaluation.pitched import merge_pitched, notes_at_once
from pianoroll_seq2seq.pianoroll import PianoRoll

Metric: TypeAlias = Callable[[PianoRoll], float]
"""A metric of one piece; NaN if it is undefined for the piece."""

Weight: TypeAlias = Literal["notes", "frames"]
"""The weight of a note: 1, as in MusPy, or the number of its frames."""

_MAJOR = np.array([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1])
_SCALES = np.array([np.roll(_MAJOR, root) for root in range(12)])  # with those of the relative minor keys


def pitch_class_entropy(roll: PianoRoll, *, weight: Weight = "notes") -> float:
    """Entropy of the histogram of the 12 pitch classes, in bits: 0 for a single one, log2(12) = 3.58 for equal shares.

    Wu and Yang, "The Jazz Transformer on the front line", ISMIR 2020; MusPy's ``pitch_class_entropy``.

    Args:
        roll: the piece.
        weight: MusPy counts notes; ``"frames"`` gives each note the weight of its duration.

    Returns:
        Bits; NaN without notes.

    Raises:
        SettingsError: another ``weight``.
    """
    counts = _pitch_class_counts(roll, weight)
    shares = counts[counts > 0] / max(counts.sum(), 1)
    return float(-(shares * np.log2(shares)).sum()) + 0.0 if len(shares) else math.nan


def scale_consistency(roll: PianoRoll, *, weight: Weight = "notes") -> float:
    """The largest share of the notes that are in one major or natural minor scale.

    Mogren, "C-RNN-GAN", 2016; MusPy's ``scale_consistency``. A minor scale has the pitch classes of its relative
    major, so 12 scales stand for all 24.

    Args:
        roll: the piece.
        weight: MusPy counts notes; ``"frames"`` gives each note the weight of its duration.

    Returns:
        A share; NaN without notes.

    Raises:
        SettingsError: another ``weight``.
    """
    counts = _pitch_class_counts(roll, weight)
    total = int(counts.sum())
    return float((_SCALES @ counts).max() / total) if total else math.nan


def notes_in_scale(roll: PianoRoll, scale: Set[int], *, weight: Weight = "notes") -> float:
    """The share of the notes whose pitch class is in a scale; MusPy's ``pitch_in_scale_rate``.

    Args:
        roll: the piece.
        scale: pitch classes in 0..11, 0 is C. :func:`~pianoroll_seq2seq.data.splitting.pitch_class_set` returns those
            of a piece.
        weight: MusPy counts notes; ``"frames"`` gives each note the weight of its duration.

    Returns:
        A share; NaN without notes.

    Raises:
        SettingsError: pitch classes outside 0..11, or another ``weight``.
    """
    if not scale <= set(range(12)):
        raise SettingsError(f"scale must have pitch classes in 0..11 (0 is C), got {sorted(scale)}. Use pitch % 12.")
    counts = _pitch_class_counts(roll, weight)
    total = int(counts.sum())
    return float(counts[sorted(scale)].sum() / total) if total else math.nan


def polyphony(roll: PianoRoll) -> float:
    """Mean number of notes in a frame, over the frames in which a pitch sounds; MusPy's ``polyphony``.

    Two parts on one pitch are two notes; MusPy counts pitches.

    Returns:
        Notes, at least 1; NaN for silence.
    """
    counts = notes_at_once(roll)
    return float(counts.sum() / np.count_nonzero(counts)) if counts.any() else math.nan


def polyphony_rate(roll: PianoRoll, *, at_least: int = 2) -> float:
    """Share of all frames in which at least ``at_least`` notes sound, counted as for :func:`polyphony`.

    Dong et al., "MuseGAN", AAAI 2018. MusPy's and pypianoroll's ``threshold=2`` is ``at_least=3`` here. They also
    ignore the silence after the last note.

    Returns:
        A share; NaN without frames.

    Raises:
        SettingsError: ``at_least`` below 1.
    """
    if at_least < 1:
        raise SettingsError(f"at_least must be at least 1, got {at_least}. Use 2 for polyphony.")
    return float((notes_at_once(roll) >= at_least).mean()) if len(roll) else math.nan


def semitone_clashes(roll: PianoRoll) -> float:
    """Share of the sounding frames with two pitches a semitone apart, such as C4 and C#4.

    A frame counts once, even with several such pairs. Sevenths and ninths do not count: they are a semitone apart only
    in pitch class.

    Returns:
        A share; NaN for silence.
    """
    active = merge_pitched(roll).active
    sounding = np.count_nonzero(active.any(axis=1))
    clashing = np.count_nonzero((active[:, 1:] & active[:, :-1]).any(axis=1))
    return float(clashing / sounding) if sounding else math.nan


def repeated_frames(roll: PianoRoll) -> float:
    """Share of the frames, from the second on, with the same pitches as the frame before.

    Silence after silence counts, and so does a repeated chord.

    Returns:
        A share; NaN with fewer than two frames.
    """
    active = merge_pitched(roll).active
    return float((active[1:] == active[:-1]).all(axis=1).mean()) if len(roll) > 1 else math.nan


def empty_frames(roll: PianoRoll) -> float:
    """Share of frames in which nothing sounds, drums included; NaN without frames."""
    return float(1 - roll.active.any(axis=1).mean()) if len(roll) else math.nan


def groove_consistency(roll: PianoRoll, *, frames_per_bar: int) -> float:
    """Rhythmic similarity of neighbouring bars: 1 minus the mean share of positions at which only one has an onset.

    Wu and Yang, 2020, in the form of MusPy's ``groove_consistency``: ``1 - sum_i d(G_i, G_{i+1}) / (T - 1)`` over
    the T bars. G_i says at which frames of bar i any note begins; d is the Hamming distance divided by the length of a
    bar. Bars are counted from frame 0. The last bar may be incomplete; its missing frames are silent. MusPy adds an
    empty bar to a piece that ends with a full bar; this function does not.

    Args:
        roll: the piece.
        frames_per_bar: 16 for four beats of ``BeatGrid(4)``.

    Returns:
        A share; NaN with fewer than two bars.

    Raises:
        SettingsError: ``frames_per_bar`` below 1.
    """
    if frames_per_bar < 1:
        raise SettingsError(f"frames_per_bar must be at least 1, got {frames_per_bar}. Use 16 for 4/4 in sixteenths.")
    bars = -(-len(roll) // frames_per_bar)
    if bars < 2:
        return math.nan
    onsets = np.zeros(bars * frames_per_bar, dtype=bool)
    onsets[roll.notes().onset_frame] = True
    grooves = onsets.reshape(bars, frames_per_bar)
    return float(1 - (grooves[1:] != grooves[:-1]).mean())


def _pitch_class_counts(roll: PianoRoll, weight: Weight) -> Int64[np.ndarray, "12"]:
    """The number of notes, or of frames of notes, of each pitch class."""
    roll = merge_pitched(roll)
    if weight == "notes":
        return np.bincount(roll.notes().pitch % 12, minlength=12)
    if weight != "frames":
        raise SettingsError(f"weight must be 'notes' or 'frames', got {weight!r}.")
    _, column = np.nonzero(roll.active)
    return np.bincount((column + roll.pitches.lowest) % 12, minlength=12)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "pitch_class_entropy": pitch_class_entropy,
        "scale_consistency": scale_consistency,
        "polyphony": polyphony,
        "polyphony_rate": polyphony_rate,
        "semitone_clashes": semitone_clashes,
        "repeated_frames": repeated_frames,
        "empty_frames": empty_frames,
        "repeated_notes": repeated_notes,
        "mean_note_beats": mean_note_beats,
        "median_note_beats": median_note_beats,
    }
)
"""The default metrics of :func:`~pianoroll_seq2seq.evaluation.set_distance.compare_sets`, by name."""

VELOCITY_METRICS: Mapping[str, Metric] = MappingProxyType(
    {"mean_velocity": mean_velocity, "velocity_std": velocity_std}
)
"""The metrics that are added to them if velocities are known."""

DEFAULT_METRICS: Mapping[str, Metric] = MappingProxyType({**METRICS, **PART_METRICS, **VELOCITY_METRICS})
"""These, and those of :data:`~pianoroll_seq2seq.evaluation.part_metrics.PART_METRICS`, which are added if the pieces
have several voices."""


def mean_metrics(
    rolls: Sequence[PianoRoll], metrics: Mapping[str, Metric] | None = None, *, prefix: str = ""
) -> dict[str, float]:
    """The mean of each metric over pieces, such as the figures of generated music for a tracker.

    Args:
        rolls: the pieces.
        metrics: the metrics, by name; :data:`DEFAULT_METRICS` by default.
        prefix: begins each name of the result.

    Returns:
        The means by name. A piece for which a metric is undefined does not count; a metric that is undefined for all
        of them is left out.

    Example:
        >>> from pianoroll_seq2seq import PitchRange
        >>> chord = PianoRoll.from_active(np.ones((4, 3), dtype=bool), pitches=PitchRange(60, 62))
        >>> mean_metrics([chord, chord[:2]], prefix="music_")["music_polyphony"]
        3.0
    """
    means = {}
    for name, metric in (DEFAULT_METRICS if metrics is None else metrics).items():
        values = [value for value in (float(metric(roll)) for roll in rolls) if not math.isnan(value)]
        if values:
            means[f"{prefix}{name}"] = sum(values) / len(values)
    return means
