"""Metrics of pieces in several parts: voice leading, and the first part as a melody with the others as its chords.

Each is a plain function of one roll, as in :mod:`~pianoroll_seq2seq.evaluation.music_metrics`. It is NaN for a roll of
fewer than two parts, drums aside, and for a part with several pitches at once, because such parts are no voices.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from types import MappingProxyType

from pianoroll_seq2seq.evaluation.harmonization import Harmonization
from pianoroll_seq2seq.evaluation.voice_leading import Rule, VoiceLeading
from pianoroll_seq2seq.evaluation.voices import voices_of
from pianoroll_seq2seq.pianoroll import PianoRoll


def has_voices(roll: PianoRoll) -> bool:
    """Whether a roll has at least two parts with pitches, none of them with several pitches in a frame."""
    if sum(not part.drums for part in roll.parts) < 2:
        return False
    return voices_of(roll).is_monophonic


def voice_leading_errors(roll: PianoRoll, *, rule: Rule) -> float:
    """Errors against a rule of :data:`~pianoroll_seq2seq.evaluation.voice_leading.Rule` in 100 beats."""
    return VoiceLeading.of(roll).per_100_beats()[rule] if has_voices(roll) and len(roll) else math.nan


def harmonization_measure(roll: PianoRoll, *, name: str) -> float:
    """A measure of :class:`~pianoroll_seq2seq.evaluation.harmonization.Harmonization`; the melody is the first part."""
    return float(getattr(Harmonization.of(roll), name)) if has_voices(roll) else math.nan


_RULES: tuple[Rule, ...] = ("parallel fifths", "parallel octaves", "crossing", "spacing", "leading tone")

PART_METRICS: Mapping[str, Callable[[PianoRoll], float]] = MappingProxyType(
    {
        **{rule.replace(" ", "_"): partial(voice_leading_errors, rule=rule) for rule in _RULES},
        **{one.name: partial(harmonization_measure, name=one.name) for one in fields(Harmonization)},
    }
)
"""The metrics of pieces in several parts, by name."""
