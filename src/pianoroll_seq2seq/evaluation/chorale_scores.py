"""Music in several voices beside real pieces: all measures of voices in one table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import median
from typing import Any

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.bach_or_mock import BachOrMock
from pianoroll_seq2seq.evaluation.harmonization import Harmonization
from pianoroll_seq2seq.evaluation.memorization import memorized_share
from pianoroll_seq2seq.evaluation.voice_leading import VoiceLeading, voice_ranges
from pianoroll_seq2seq.pianoroll import PianoRoll

PASSAGE_FRAMES = (8, 16)
"""The lengths of the passages that are searched for in the training pieces."""


@dataclass(frozen=True)
class VoiceScores:
    """The measures of one set of pieces."""

    num_pieces: int
    """The number of pieces."""
    grade: float
    """The median grade: :meth:`~pianoroll_seq2seq.evaluation.bach_or_mock.BachOrMock.grade`."""
    distances: Mapping[str, float]
    """The medians of its features."""
    voice_leading: Mapping[str, float]
    """Errors in 100 beats: :meth:`~pianoroll_seq2seq.evaluation.voice_leading.VoiceLeading.per_100_beats`."""
    harmonization: Mapping[str, float]
    """The means of :class:`~pianoroll_seq2seq.evaluation.harmonization.Harmonization`; NaN if undefined for all."""
    memorized: Mapping[str, float]
    """Shares of passages that are in the training pieces, exactly and transposed; empty without training pieces."""


@dataclass(frozen=True)
class ChoraleScores:
    """Generated music in several voices beside real pieces. It prints as a table."""

    generated: VoiceScores
    data: VoiceScores

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it: null for NaN."""
        return {name: _finite(asdict(scores)) for name, scores in (("generated", self.generated), ("data", self.data))}

    def __str__(self) -> str:
        """The table."""
        rows = [("Bach or Mock (median)", self.generated.grade, self.data.grade)]
        for title, name in (
            ("", "distances"),
            ("in 100 beats: ", "voice_leading"),
            ("", "harmonization"),
            ("in training: ", "memorized"),
        ):
            generated, data = getattr(self.generated, name), getattr(self.data, name)
            indent = "  " if name == "distances" else ""
            rows += [(f"{indent}{title}{key}".replace("_", " "), generated[key], data[key]) for key in generated]
        width = max(len(name) for name, _, _ in rows)
        head = f"{self.generated.num_pieces} generated pieces and {self.data.num_pieces} of the data"
        lines = [f"{name:{width}}{_format(one)}{_format(other)}" for name, one, other in rows]
        return "\n".join([head, f"{'':{width}}{'generated':>12}{'data':>12}", *lines])


def score_chorales(
    generated: Sequence[PianoRoll],
    data: Sequence[PianoRoll],
    *,
    reference: BachOrMock | Sequence[PianoRoll] | None = None,
    training: Sequence[PianoRoll] = (),
    melody: str | None = None,
) -> ChoraleScores:
    """Measures generated music in several voices beside real pieces.

    Args:
        generated: pieces that a model has written or harmonized, whose parts are ordered from the highest to the
            lowest.
        data: real pieces with the same parts, on the same grid, such as the originals of the harmonized melodies.
        reference: pieces whose features are the measure of the grade, or a grading function; the training pieces by
            default, or the data without them.
        training: the pieces that the model was trained on: the ranges of the voices are theirs, and passages are
            searched for in them.
        melody: the name of the melody's part; the first by default.

    Raises:
        SettingsError: a set without pieces, or pieces of different numbers of parts.

    Example:
        >>> import numpy as np
        >>> from pianoroll_seq2seq import PitchRange
        >>> upper = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(64, 75))
        >>> lower = PianoRoll.from_active(np.eye(12, dtype=bool)[::-1].copy(), pitches=PitchRange(48, 59))
        >>> duet = PianoRoll.stack({"upper": upper, "lower": lower})
        >>> scores = score_chorales([duet], [duet])
        >>> scores.generated.grade, scores.data.voice_leading["crossing"]
        (0.0, 0.0)
    """
    if not len(generated) or not len(data):
        raise SettingsError(
            f"Both sets need at least one piece, got {len(generated)} generated and {len(data)} of the data."
        )
    known = training or data
    if not isinstance(reference, BachOrMock):
        reference = BachOrMock.fit(reference or known)
    ranges = voice_ranges(known)

    def measure(rolls: Sequence[PianoRoll]) -> VoiceScores:
        distances = [reference.distances(roll) for roll in rolls]
        harmonizations = [asdict(Harmonization.of(roll, melody)) for roll in rolls]
        leading = VoiceLeading.total(VoiceLeading.of(roll, ranges=ranges) for roll in rolls)
        memorized = {
            f"{size} frames{kind}": memorized_share(rolls, training, num_frames=size, transposed=bool(kind))
            for size in PASSAGE_FRAMES
            for kind in ("", ", transposed")
            if training
        }
        return VoiceScores(
            num_pieces=len(rolls),
            grade=median(sum(one.values()) for one in distances),
            distances={name: median(one[name] for one in distances) for name in distances[0]},
            voice_leading={str(rule): rate for rule, rate in leading.per_100_beats().items()},
            harmonization={
                one.name: _mean([each[one.name] for each in harmonizations]) for one in fields(Harmonization)
            },
            memorized=memorized,
        )

    return ChoraleScores(measure(generated), measure(data))


def _mean(values: Sequence[float]) -> float:
    """The mean of the values that are defined."""
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def _finite(value: Any) -> Any:
    """None for NaN, in dictionaries of any depth."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _format(value: float) -> str:
    return f"{'-':>12}" if math.isnan(value) else f"{value:12.3f}"
