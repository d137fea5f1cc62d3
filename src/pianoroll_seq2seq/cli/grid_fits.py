"""How well grids in beats fit the notes of MIDI files, and what else their rhythm is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from pianoroll_seq2seq.grid import estimate_offset
from pianoroll_seq2seq.tempo import MAX_TICK, TempoMap

FRAMES_PER_BEAT = (1, 2, 3, 4, 6, 8, 12, 16)
"""Frames per beat that may be suggested. On finer grids, notes at any time are close to a line."""
TOLERANCE_BEATS = 0.02
"""A note is on a grid if it begins within a fiftieth of a beat of a line."""
_REQUIRED_AGREEMENT = 0.9  # of a grid that is suggested
_WORTH_AN_OFFSET = 2.5  # times fewer frames
FEW_NOTES = 16
"""Fewer notes than these show no offset, swing or triplets."""
_ANY_AGREEMENT = 0.4  # of a file whose offset, swing and triplets are more than chance
_ALIKE = 0.05  # difference in agreement up to which the coarser grid is taken
_TRIPLET_SHARE = 0.02
_OFF_BEATS = (0.4, 0.72)  # where the second of two eighths or sixteenths may be, in shares of both
_LEAST_SWING = 0.53


@dataclass(frozen=True)
class GridFit:
    """How far a grid moves the onsets of some files."""

    frames_per_beat: int
    offset: Literal["auto"] | None
    """Whether the offset of each file is removed."""
    on_grid: float
    """Share of the notes that begin within a fiftieth of a beat of a line."""
    median_ms: float
    """How far the grid moves onsets: the median, in milliseconds."""
    most_ms: float
    """And the distance that 95 % of the notes do not exceed."""
    agreement: float
    """``on_grid`` beyond chance: 0 for notes at any time, 1 if all notes are on the grid."""


@dataclass(frozen=True)
class Rhythm:
    """The rhythm of a file, as far as its onsets show it."""

    offset_ticks: int | None
    """Constant number of ticks from the file's grid to the music's; None if the music keeps to no grid in beats."""
    swing: float | None
    """Where the second of two eighths begins, as a share of their beat (2/3 is triplet swing); None if straight."""
    swing_sixteenths: float | None
    """The same for two sixteenths."""
    triplets: float
    """Share of the notes that begin at a third or two thirds of a beat, without those that swing."""


@dataclass(frozen=True)
class Onsets:
    """When the notes of a file begin."""

    tick: Int64[np.ndarray, " notes"]
    """Without drums."""
    tempo: TempoMap
    offsets: tuple[int, ...]
    """The offset in ticks for each of ``FRAMES_PER_BEAT``. Drums count for it, as they do in reading."""

    @classmethod
    def of(cls, tick: np.ndarray, tempo: TempoMap, *, with_drums: np.ndarray) -> "Onsets":
        """Estimates the offsets.

        Args:
            tick: the onsets of the notes without drums.
            tempo: the tempo map of the ticks.
            with_drums: the onsets of all notes.
        """
        offsets = tuple(estimate_offset(with_drums, lines, tempo.ticks_per_beat) for lines in FRAMES_PER_BEAT)
        return cls(tick, tempo, offsets)

    @property
    def num_first(self) -> int:
        """The notes of the first chord."""
        within = 2 * TOLERANCE_BEATS * self.tempo.ticks_per_beat
        return int((self.tick <= self.tick.min(initial=MAX_TICK) + within).sum())

    def beats_away(self, frames_per_beat: int, offset: int) -> Float64[np.ndarray, " notes"]:
        """The distance of each onset from the nearest line, in beats."""
        size = self.tempo.ticks_per_beat
        phase = (self.tick - offset) * frames_per_beat % size
        away: np.ndarray = np.minimum(phase, size - phase) / (size * frames_per_beat)
        return away

    def beat_ms(self) -> Float64[np.ndarray, " notes"]:
        """The length of a beat at each onset, in milliseconds."""
        starts, us_per_beat = np.array(self.tempo.changes).T
        lengths: np.ndarray = us_per_beat[np.searchsorted(starts, self.tick, side="right") - 1] / 1000
        return lengths

    def place_in_beat(self) -> Float64[np.ndarray, " notes"]:
        """The place of each onset in its beat, 0 to 1, if beats begin where most notes do."""
        size = self.tempo.ticks_per_beat
        return (self.tick - self.offsets[FRAMES_PER_BEAT.index(1)]) % size / size


def fit_grids(files: Sequence[Onsets]) -> tuple[GridFit, ...]:
    """Fits all grids, as they are and with an offset for each file, to the notes of some files."""
    beat_ms = np.concatenate([np.zeros(0), *(file.beat_ms() for file in files)])
    options: tuple[Literal["auto"] | None, ...] = (None, "auto")
    return tuple(_fit(files, lines, offset, beat_ms) for lines in FRAMES_PER_BEAT for offset in options)


def _fit(files: Sequence[Onsets], lines: int, offset: Literal["auto"] | None, beat_ms: np.ndarray) -> GridFit:
    number = FRAMES_PER_BEAT.index(lines)
    away = [file.beats_away(lines, file.offsets[number] if offset else 0) for file in files]
    together = np.concatenate([np.zeros(0), *away])
    if not len(together):
        return GridFit(lines, offset, 0.0, 0.0, 0.0, 0.0)
    on_grid = float((together <= TOLERANCE_BEATS).mean())
    median, most = np.percentile(together * beat_ms, [50, 95]).round(1).tolist()
    first = sum(file.num_first for file in files) if offset else 0
    agreement = _agreement(lines, int((together <= TOLERANCE_BEATS).sum()) - first, len(together) - first)
    return GridFit(lines, offset, round(on_grid, 4), median, most, agreement)


def _agreement(lines: int, on_grid: int, num_notes: int) -> float:
    """The share of notes on a grid, beyond that of notes at any time.

    With an offset for each file, its first chord does not count: some offset puts it on the grid in any case.
    """
    by_chance = 2 * TOLERANCE_BEATS * lines
    return round(max((on_grid / max(num_notes, 1) - by_chance) / (1 - by_chance), 0.0), 3)


def best_fit(fits: Sequence[GridFit]) -> GridFit | None:
    """The coarsest grid that nearly all notes are on; None if there is none.

    It has an offset only if it is then much coarser: off-beats alone are on a grid of beats with an offset.
    """
    fitting = [fit for fit in fits if fit.agreement >= _REQUIRED_AGREEMENT]
    return min(fitting, key=lambda fit: fit.frames_per_beat * (_WORTH_AN_OFFSET if fit.offset else 1), default=None)


def rhythm_of(onsets: Onsets) -> Rhythm:
    """The offset, the swing and the triplets of a file."""
    agreements = []
    for lines, offset in zip(FRAMES_PER_BEAT, onsets.offsets, strict=True):
        on_grid = int((onsets.beats_away(lines, offset) <= TOLERANCE_BEATS).sum())
        agreements.append(_agreement(lines, on_grid - onsets.num_first, len(onsets.tick) - onsets.num_first))
    if len(onsets.tick) < FEW_NOTES or max(agreements) < _ANY_AGREEMENT:
        return Rhythm(None, None, None, 0.0)
    coarsest = next(i for i, agreement in enumerate(agreements) if agreement >= max(agreements) - _ALIKE)
    place = onsets.place_in_beat()
    swing = _swing(place)
    near_third = np.minimum(np.abs(place - 1 / 3), np.abs(place - 2 / 3)) <= TOLERANCE_BEATS
    triplets = 0.0 if swing else round(float(near_third.mean()), 3)
    return Rhythm(
        offset_ticks=onsets.offsets[coarsest],
        swing=swing,
        swing_sixteenths=_swing(2 * place % 1),
        triplets=triplets if triplets >= _TRIPLET_SHARE else 0.0,
    )


def _swing(place: np.ndarray) -> float | None:
    """Where off-beats begin, if they begin at one place that is later than the middle, and none early."""
    off = place[(place > _OFF_BEATS[0]) & (place < _OFF_BEATS[1])]
    if len(off) < _TRIPLET_SHARE * len(place) or not len(off):
        return None
    middle = float(np.median(off))
    together = np.abs(off - middle) <= 1.5 * TOLERANCE_BEATS
    early = np.abs(place - (1 - middle)) <= 1.5 * TOLERANCE_BEATS
    if middle < _LEAST_SWING or together.mean() < 0.7 or early.sum() > 0.25 * together.sum():
        return None
    return round(middle, 3)
