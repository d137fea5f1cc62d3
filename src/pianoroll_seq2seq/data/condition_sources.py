"""Conditions of every frame that follow from a piece itself: where in the bar it is, and where phrases end.

A source computes them from a roll. A checkpoint keeps the source of a model, so that the same conditions are computed
wherever it is used::

    source = JoinedConditions((MetricPosition(), PhraseEnds()))
    pieces = WholePieces(rolls, max_frames_per_batch=2048, conditions=source)
    model = Seq2SeqLSTM(pieces.layout, condition_size=source.size)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from pianoroll_seq2seq.data.metric_bars import metric_bars
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.given import bar_lines, first_bar_number
from pianoroll_seq2seq.pianoroll import PianoRoll

Condition = Float32[np.ndarray, "frames size"]

_PHRASE_BEATS = 4.0  # quarter notes before a phrase's end from which its nearness is above 0


@runtime_checkable
class ConditionSource(Protocol):
    """Computes the condition of each frame of a roll."""

    @property
    def size(self) -> int:
        """Numbers of a condition."""
        ...

    @property
    def optional_columns(self) -> Bool[np.ndarray, " size"]:
        """Which of them may be unknown; they are 0 then."""
        ...

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, for checkpoints."""
        ...

    def __call__(self, roll: PianoRoll, phrase_ends: Sequence[int] | np.ndarray | None = None) -> Condition:
        """The conditions.

        Args:
            roll: the piece.
            phrase_ends: the frames before which phrases end, as :func:`phrase_end_frames` gives them; None if they are
                unknown. Sources that have no use for them ignore them.

        Returns:
            float32 of shape (frames, size).
        """
        ...


@dataclass(frozen=True)
class MetricPosition:
    """Where in the bar and in the beat each frame is, by the time signatures of the roll; 4/4 from frame 0 without any.

    Eight numbers: sine and cosine of the position in the bar, sine and cosine of the position in the beat, whether a
    bar and whether a beat begins (0 or 1), and the base-2 logarithms of the length of the bar in whole notes and of
    the beat in quarter notes. Beats are those that the signature counts: six in a bar of 6/8. In an upbeat the position
    is counted from the bar line after it. A short bar goes on where a short bar before it ended, as around a repeat
    sign in the middle of a bar.

    Example:
        >>> from pianoroll_seq2seq import BeatGrid
        >>> MetricPosition()(PianoRoll.silent(5, grid=BeatGrid(1)))[:, 4].tolist()  # a bar of 4/4 begins
        [1.0, 0.0, 0.0, 0.0, 1.0]
    """

    @property
    def size(self) -> int:
        """Numbers of a condition."""
        return 8

    @property
    def optional_columns(self) -> Bool[np.ndarray, " size"]:
        """None of them: the meter of every roll is known, or taken to be 4/4."""
        return np.zeros(self.size, dtype=bool)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, for checkpoints."""
        return {}

    def __call__(self, roll: PianoRoll, phrase_ends: Sequence[int] | np.ndarray | None = None) -> Condition:
        """The conditions, (frames, 8); phrase ends are ignored."""
        if not len(roll):
            return np.zeros((0, self.size), dtype=np.float32)
        line_ticks = roll.grid.ticks_at(np.arange(len(roll) + 1), roll.tempo).astype(np.float64)
        ticks, last_ticks = line_ticks[:-1], (line_ticks[:-1] + line_ticks[1:]) / 2  # what is before goes to this line
        first_ticks = np.concatenate([[0.0], last_ticks[:-1]])
        bars = metric_bars(roll, int(line_ticks[-1]))
        bar = np.maximum(np.searchsorted(bars.begin, last_ticks) - 1, 0)
        begin, origin, bar_length, beat_length = (column[bar] for column in bars)
        position = np.maximum(ticks, begin) - origin
        latest_beat = origin + (np.ceil((last_ticks - origin) / beat_length) - 1) * beat_length
        ticks_per_beat = roll.tempo.ticks_per_beat
        columns = [
            *_circle(position / bar_length),
            *_circle(position / beat_length),
            (begin == origin) & (begin >= first_ticks),
            latest_beat >= first_ticks,
            np.log2(bar_length / (4 * ticks_per_beat)),
            np.log2(beat_length / ticks_per_beat),
        ]
        return np.stack(columns, axis=1).astype(np.float32)


@dataclass(frozen=True)
class PhraseEnds:
    """Where phrases end, such as the lines of a hymn.

    Three numbers: 1 in the last frame of a phrase, else 0; the nearness of the next end, which rises from 0 to 1 in
    the last four quarter notes; and 1 if phrase ends are known. All three are 0 if they are unknown.

    Example:
        >>> from pianoroll_seq2seq import BeatGrid
        >>> PhraseEnds()(PianoRoll.silent(4, grid=BeatGrid(1)), phrase_ends=[2]).tolist()
        [[0.0, 0.75, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
    """

    @property
    def size(self) -> int:
        """Numbers of a condition."""
        return 3

    @property
    def optional_columns(self) -> Bool[np.ndarray, " size"]:
        """All of them."""
        return np.ones(self.size, dtype=bool)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, for checkpoints."""
        return {}

    def __call__(self, roll: PianoRoll, phrase_ends: Sequence[int] | np.ndarray | None = None) -> Condition:
        """The conditions, (frames, 3).

        Args:
            roll: the piece.
            phrase_ends: the frames before which phrases end, 1..len(roll), in any order; None if they are unknown.

        Raises:
            SettingsError: a frame out of range.
        """
        values = np.zeros((len(roll), self.size), dtype=np.float32)
        if phrase_ends is None:
            return values
        ends = _checked_frames(phrase_ends, len(roll))
        values[:, 2] = 1
        if len(ends):
            last = ends - 1
            values[last, 0] = 1
            following = np.searchsorted(last, np.arange(len(roll)))
            known = following < len(last)
            beats = roll.grid.ticks_at(np.arange(len(roll)), roll.tempo) / roll.tempo.ticks_per_beat
            distance = beats[last[following[known]]] - beats[known]
            values[known, 1] = np.maximum(1 - distance / _PHRASE_BEATS, 0)
        return values


@dataclass(frozen=True)
class JoinedConditions:
    """The conditions of several sources, one after another in the columns.

    Args:
        sources: at least one.

    Raises:
        SettingsError: no sources, or something else than sources.

    Example:
        >>> JoinedConditions((MetricPosition(), PhraseEnds())).size
        11
    """

    sources: tuple[ConditionSource, ...]

    def __post_init__(self) -> None:
        """Validates the sources."""
        object.__setattr__(self, "sources", tuple(self.sources))
        if not self.sources or not all(map(_is_source, self.sources)):
            raise SettingsError(
                f"sources must be condition sources, such as (MetricPosition(), PhraseEnds()), got "
                f"{self.sources!r:.80}."
            )

    @property
    def size(self) -> int:
        """Numbers of a condition."""
        return sum(source.size for source in self.sources)

    @property
    def optional_columns(self) -> Bool[np.ndarray, " size"]:
        """Which of them may be unknown; they are 0 then."""
        return np.concatenate([source.optional_columns for source in self.sources])

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, for checkpoints."""
        return {"sources": self.sources}

    def __call__(self, roll: PianoRoll, phrase_ends: Sequence[int] | np.ndarray | None = None) -> Condition:
        """The conditions, (frames, size); every source gets the phrase ends."""
        return np.concatenate([source(roll, phrase_ends) for source in self.sources], axis=1)


def phrase_end_frames(
    roll: PianoRoll,
    *,
    ticks: Sequence[int] | np.ndarray | None = None,
    beats: Sequence[float] | np.ndarray | None = None,
    bars: Sequence[int] | np.ndarray | None = None,
) -> Int64[np.ndarray, " ends"]:
    """The frames before which phrases end. Pass one of ``ticks``, ``beats`` and ``bars``.

    Args:
        roll: the piece.
        ticks: the ends, in ticks of the roll's tempo map, as :attr:`Chorale.phrase_ends
            <pianoroll_seq2seq.data.datasets.bach_chorales.Chorale.phrase_ends>` has them.
        beats: the ends, in quarter notes from frame 0 on: 8 after eight quarter notes.
        bars: the numbers of the bars at whose ends phrases end, as in a score: from 1, and an upbeat is bar 0.

    Returns:
        The frames, in 1..len(roll), sorted and each once. An end at frame 0 is none.

    Raises:
        SettingsError: none or several of them, or an end after that of the roll.

    Example:
        >>> roll = PianoRoll.silent(64)
        >>> phrase_end_frames(roll, bars=[2, 4]).tolist(), phrase_end_frames(roll, beats=[8, 16]).tolist()
        ([32, 64], [32, 64])
    """
    if sum(given is not None for given in (ticks, beats, bars)) != 1:
        raise SettingsError("Pass the ends of phrases as one of ticks=, beats= and bars=.")
    if bars is not None:
        lowest, ends = first_bar_number(roll), np.append(bar_lines(roll)[1:], len(roll))
        numbers = np.asarray(bars, dtype=np.int64) - lowest
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(ends):
            raise SettingsError(
                f"Phrases end with bars {list(bars)}, but the bars of this roll are {lowest} to "
                f"{lowest + len(ends) - 1}."
            )
        frames = ends[numbers]
    else:
        at = np.asarray(beats, dtype=np.float64) * roll.tempo.ticks_per_beat if ticks is None else np.asarray(ticks)
        frames = roll.grid.lines_at(np.floor(at + 0.5).astype(np.int64), roll.tempo)
    return _checked_frames(frames[frames != 0], len(roll))


def drop_phrase_ends(
    conditions: Float32[np.ndarray, "batch frames size"],
    source: ConditionSource,
    dropped: Bool[np.ndarray, " batch"],
) -> Float32[np.ndarray, "batch frames size"]:
    """The conditions of a batch, with the phrase ends of some pieces unknown.

    So a model learns to work with and without them.

    Args:
        conditions: what the source computed.
        source: the source.
        dropped: of which pieces phrase ends are dropped.
    """
    unknown = dropped[:, None, None] & source.optional_columns
    return np.where(unknown, np.float32(0), conditions)


def compute_conditions(
    conditions: ConditionSource | Sequence[np.ndarray] | np.ndarray, rolls: Sequence[PianoRoll]
) -> Sequence[np.ndarray] | np.ndarray:
    """The condition of each piece: computed by a source, or as they were passed.

    Raises:
        SettingsError: the class of a source.
    """
    if isinstance(conditions, type):
        raise SettingsError(f"conditions must be a source, such as {conditions.__name__}(), got its class.")
    return [conditions(roll) for roll in rolls] if isinstance(conditions, ConditionSource) else conditions


def _is_source(value: object) -> bool:
    return isinstance(value, ConditionSource) and not isinstance(value, type)


def _circle(turns: Float64[np.ndarray, " frames"]) -> tuple[np.ndarray, np.ndarray]:
    """Sine and cosine."""
    return np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)


def _checked_frames(frames: Sequence[int] | np.ndarray, num_frames: int) -> Int64[np.ndarray, " ends"]:
    """Phrase ends, sorted and each once."""
    ends = np.unique(np.asarray(frames, dtype=np.int64).reshape(-1))
    if len(ends) and not 1 <= ends[0] <= ends[-1] <= num_frames:
        raise SettingsError(
            f"Phrases end before frames in 1..{num_frames} of this roll, got {ends[:4].tolist()}"
            f"{'...' if len(ends) > 4 else ''}. Take the ends of this roll: phrase_end_frames(roll, bars=...)."
        )
    return ends
