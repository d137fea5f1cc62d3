"""Rules of voice leading that a piece breaks, with the places.

The rules are those of textbooks on four-part writing (Aldwell, Schachter and Cadwallader, "Harmony and voice leading").
They apply to pieces whose parts are voices of one pitch at a time, ordered from the highest part to the lowest. Bach
breaks them too, so compare the rates with those of real pieces.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from jaxtyping import Bool

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.keys import Key, key_of
from pianoroll_seq2seq.evaluation.voices import REST, Voices, num_beats, segments, voices_of
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange

Rule: TypeAlias = Literal[
    "parallel fifths",
    "parallel octaves",
    "contrary fifths",
    "contrary octaves",
    "crossing",
    "spacing",
    "range",
    "leading tone",
]
"""A rule.

- ``parallel fifths``: two voices move in the same direction from a perfect fifth to another, or to a twelfth.
- ``parallel octaves``: the same for octaves and unisons.
- ``contrary fifths``, ``contrary octaves``: the same in opposite directions.
- ``crossing``: a part is below a part that comes later.
- ``spacing``: neighbouring parts, the lowest pair aside, are more than an octave apart.
- ``range``: a note is outside the range of its part.
- ``leading tone``: from a dominant to a tonic chord, a voice does not go from the leading tone up to the tonic.
"""

RULES: tuple[Rule, ...] = get_args(Rule)

SATB_RANGES = (PitchRange(60, 81), PitchRange(53, 74), PitchRange(47, 69), PitchRange(36, 64))
"""The ranges of soprano, alto, tenor and bass in Bach's chorales, a few notes aside."""

_OCTAVE = 12
_FIFTH = 7
_DOMINANT = ({2, 7, 11}, {2, 5, 7, 11}, {2, 5, 11}, {5, 7, 11}, {7, 11}, {2, 11}, {2, 5, 8, 11}, {2, 5, 9, 11})
"""Pitch classes above the tonic: V, V7 with and without the fifth, vii and its sevenths."""


class VoiceLeadingError(NamedTuple):
    """A place where a rule is broken.

    Attributes:
        frame: the frame in which it happens. Two voices move in parallel between the frame before and this one;
            crossed or distant voices are so from this frame on.
        rule: the rule.
        parts: the names of the parts.
    """

    frame: int
    rule: Rule
    parts: tuple[str, ...]


@dataclass(frozen=True)
class VoiceLeading:
    """The errors of voice leading of one or several pieces."""

    errors: tuple[VoiceLeadingError, ...]
    """In order of time, of several pieces piece by piece."""
    num_beats: float
    """The length of the pieces, in quarter notes."""

    @classmethod
    def of(
        cls, roll: PianoRoll, *, ranges: Sequence[PitchRange] | None = None, key: Key | None = None
    ) -> "VoiceLeading":
        """Finds the errors of a piece.

        Args:
            roll: a piece of at least two parts, the highest first. Of a part with several pitches in a frame, the
                highest counts. Drums do not count.
            ranges: the range of each part; by default :data:`SATB_RANGES` for four parts, and none for others.
            key: for the leading tone; by default the key signature, or an estimate
                (:func:`~pianoroll_seq2seq.evaluation.keys.key_of`). Modulations are not followed.

        Raises:
            SettingsError: fewer than two parts, or another number of ranges than of parts.

        Example:
            >>> from pianoroll_seq2seq import PitchRange
            >>> rising = np.eye(2, 12, dtype=bool)
            >>> upper = PianoRoll.from_active(rising, pitches=PitchRange(67, 78))
            >>> lower = PianoRoll.from_active(rising, pitches=PitchRange(60, 71))
            >>> VoiceLeading.of(PianoRoll.stack({"alto": upper, "bass": lower})).errors
            (VoiceLeadingError(frame=1, rule='parallel fifths', parts=('alto', 'bass')),)
        """
        voices = voices_of(roll)
        if len(voices.names) < 2:
            raise SettingsError(
                f"Voice leading needs at least two parts with pitches, {roll.name or 'the roll'} has "
                f"{len(voices.names)}. Read the file with parts='tracks'."
            )
        if ranges is None and len(voices.names) == len(SATB_RANGES):
            ranges = SATB_RANGES
        if ranges is not None and len(ranges) != len(voices.names):
            raise SettingsError(f"ranges has {len(ranges)} ranges, but the roll has {len(voices.names)} parts.")
        errors = [
            *parallel_errors(voices),
            *_crossings(voices),
            *_distances(voices),
            *_outside(voices, ranges or ()),
            *_leading_tones(voices, key or key_of(roll)),
        ]
        return cls(tuple(sorted(errors)), num_beats(roll))

    @classmethod
    def total(cls, several: Iterable["VoiceLeading"]) -> "VoiceLeading":
        """All errors of several pieces, and their beats together."""
        several = list(several)
        return cls(tuple(error for one in several for error in one.errors), sum(one.num_beats for one in several))

    def counts(self) -> dict[Rule, int]:
        """The number of errors against each rule."""
        counts = Counter(error.rule for error in self.errors)
        return {rule: counts[rule] for rule in RULES}

    def per_100_beats(self) -> dict[Rule, float]:
        """The number of errors against each rule in 100 beats; 0 without beats."""
        return {rule: 100 * count / self.num_beats if count else 0.0 for rule, count in self.counts().items()}


def voice_ranges(rolls: Iterable[PianoRoll]) -> tuple[PitchRange, ...]:
    """The range that each voice has in some pieces, such as the training pieces, in the order of their parts.

    Raises:
        SettingsError: no pieces, pieces of different numbers of parts, or a part without notes.
    """
    pitches = [voices_of(roll).pitch for roll in rolls]
    if len({pitch.shape[1] for pitch in pitches}) != 1:
        raise SettingsError("voice_ranges needs at least one piece, and pieces with as many parts each.")
    together = np.concatenate(pitches)
    if (together == REST).all(axis=0).any():
        raise SettingsError("voice_ranges: a part has no notes in any of the pieces. Select the parts that have some.")
    lowest = np.where(together == REST, together.max() + 1, together).min(axis=0)
    return tuple(PitchRange(*pair) for pair in zip(lowest.tolist(), together.max(axis=0).tolist(), strict=True))


def parallel_errors(voices: Voices) -> Iterator[VoiceLeadingError]:
    """Fifths and octaves between the same two voices that follow one another."""
    if len(voices.pitch) < 2:
        return
    before, after = voices.pitch[:-1], voices.pitch[1:]
    motion = np.where((before == REST) | (after == REST), 0, np.sign(after - before))
    names: Mapping[int, tuple[Rule, Rule]] = {
        _FIFTH: ("parallel fifths", "contrary fifths"),
        0: ("parallel octaves", "contrary octaves"),
    }
    for one, other in combinations(range(len(voices.names)), 2):
        intervals = [np.abs(row[:, one] - row[:, other]) % _OCTAVE for row in (before, after)]
        direction = motion[:, one] * motion[:, other]
        for interval, (parallel, contrary) in names.items():
            follows = (intervals[0] == interval) & (intervals[1] == interval)
            for frame in np.flatnonzero(follows & (direction != 0)).tolist():
                rule = parallel if direction[frame] > 0 else contrary
                yield VoiceLeadingError(frame + 1, rule, _names(voices, one, other))


def _crossings(voices: Voices) -> Iterator[VoiceLeadingError]:
    for one, other in combinations(range(len(voices.names)), 2):
        upper, lower = voices.pitch[:, one], voices.pitch[:, other]
        crossed = (upper != REST) & (lower != REST) & (upper < lower)
        yield from (VoiceLeadingError(frame, "crossing", _names(voices, one, other)) for frame in _begins(crossed))


def _distances(voices: Voices) -> Iterator[VoiceLeadingError]:
    for one, other in pairwise(range(len(voices.names) - 1)):
        upper, lower = voices.pitch[:, one], voices.pitch[:, other]
        distant = (upper != REST) & (lower != REST) & (np.abs(upper - lower) > _OCTAVE)
        yield from (VoiceLeadingError(frame, "spacing", _names(voices, one, other)) for frame in _begins(distant))


def _outside(voices: Voices, ranges: Sequence[PitchRange]) -> Iterator[VoiceLeadingError]:
    for voice, allowed in enumerate(ranges):
        begin, _, pitch = segments(voices.pitch[:, voice], voices.onset[:, voice])
        outside = (pitch != REST) & ((pitch < allowed.lowest) | (pitch > allowed.highest))
        yield from (VoiceLeadingError(frame, "range", _names(voices, voice)) for frame in begin[outside].tolist())


def _leading_tones(voices: Voices, key: Key) -> Iterator[VoiceLeadingError]:
    """Leading tones of a dominant chord before a tonic chord in root position that do not rise to the tonic."""
    degrees = np.where(voices.pitch == REST, REST, (voices.pitch - key.tonic) % 12)
    third = 3 if key.minor else 4
    for frame in np.flatnonzero((degrees[:-1] == 11).any(axis=1)).tolist():
        chord, following = (set(degrees[at].tolist()) - {REST} for at in (frame, frame + 1))
        lowest = voices.pitch[frame + 1][voices.pitch[frame + 1] != REST]
        is_tonic = {0, third} <= following <= {0, third, _FIFTH} and (lowest.min() - key.tonic) % 12 == 0
        if not is_tonic or chord not in _DOMINANT:
            continue
        for voice in np.flatnonzero(degrees[frame] == 11).tolist():
            after = voices.pitch[frame + 1, voice]
            if after != REST and after != voices.pitch[frame, voice] + 1:
                yield VoiceLeadingError(frame + 1, "leading tone", _names(voices, voice))


def _begins(broken: Bool[np.ndarray, " frames"]) -> list[int]:
    """The frames in which something begins to be so."""
    begins = broken.copy()
    begins[1:] &= ~broken[:-1]
    return np.flatnonzero(begins).tolist()


def _names(voices: Voices, *indices: int) -> tuple[str, ...]:
    return tuple(voices.names[index] for index in indices)
