"""The notes of rolls and scores, in the units of a plot."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from pianoroll_seq2seq.display.plot.times import TimeUnit, check_unit, times_of_lines, times_of_ticks, unit_of
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pianoroll.conversions import typical_velocity
from pianoroll_seq2seq.pitches import PIANO
from pianoroll_seq2seq.score import Score


@dataclass(frozen=True)
class NoteIntervals:
    """Notes to draw.

    Args:
        start: the beginning of each note, in ``unit``.
        end: the end of each note, in ``unit``.
        pitch: MIDI note numbers.
        has_onset: whether a note begins with an onset; one that is held from before the first frame does not.
        extent: the beginning and the end of the music.
        pitches: the lowest and the highest possible pitch.
        unit: the unit of time.
        velocity: the velocity of each note, 0..127, if velocities are known and differ.
        bars: the times of the bar lines; none if the time signature is unknown.
    """

    start: Float64[np.ndarray, " notes"]
    end: Float64[np.ndarray, " notes"]
    pitch: Int64[np.ndarray, " notes"]
    has_onset: Bool[np.ndarray, " notes"]
    extent: tuple[float, float]
    pitches: tuple[int, int]
    unit: TimeUnit
    velocity: Int64[np.ndarray, " notes"] | None = None
    bars: Float64[np.ndarray, " bars"] = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        """The number of notes."""
        return len(self.pitch)

    def where(self, keep: Bool[np.ndarray, " notes"]) -> "NoteIntervals":
        """A selection of the notes, of the same music."""
        return replace(
            self,
            start=self.start[keep],
            end=self.end[keep],
            pitch=self.pitch[keep],
            has_onset=self.has_onset[keep],
            velocity=None if self.velocity is None else self.velocity[keep],
        )


def roll_intervals(roll: PianoRoll, time: TimeUnit | None) -> NoteIntervals:
    """The notes of a roll, in the order of :meth:`PianoRoll.notes`."""
    unit = unit_of(roll.grid, time)
    notes = roll.notes()
    line_times = times_of_lines(np.arange(len(roll) + 1), grid=roll.grid, tempo=roll.tempo, unit=unit)
    first_column = np.cumsum([0, *(len(part.pitches) for part in roll.parts[:-1])])
    lowest = np.array([part.pitches.lowest for part in roll.parts])
    column = first_column[notes.part] + notes.pitch - lowest[notes.part]
    return NoteIntervals(
        line_times[notes.onset_frame],
        line_times[notes.end_frame],
        notes.pitch,
        roll.onset[notes.onset_frame, column],
        (float(line_times[0]), float(line_times[-1])),
        (roll.pitches.lowest, roll.pitches.highest),
        unit,
        _shown_velocities(notes.velocity),
        line_times[roll.bar_frames()] if roll.meter.time_signatures else np.zeros(0),
    )


def _shown_velocities(velocity: np.ndarray | None) -> np.ndarray | None:
    """The velocities, if they differ. A note that began before the music gets the median of the others."""
    if velocity is None or len(np.unique(velocity[velocity > 0])) < 2:
        return None
    return np.where(velocity > 0, velocity, typical_velocity(velocity))


def score_intervals(score: Score, time: TimeUnit | None) -> NoteIntervals:
    """The notes of a score, in its order."""
    unit = check_unit(time or "beats")
    notes, count = score.notes, len(score.notes)
    ticks = np.concatenate([notes.onset_tick, notes.end_tick, [0, notes.end_tick.max(initial=0)]])
    times = times_of_ticks(ticks, tempo=score.tempo, unit=unit)
    bars = score.bar_ticks() if score.meter.time_signatures else np.zeros(0, dtype=np.int64)
    return NoteIntervals(
        times[:count],
        times[count : 2 * count],
        notes.pitch,
        np.ones(count, dtype=bool),
        (float(times[-2]), float(times[-1])),
        (PIANO.lowest, PIANO.highest),
        unit,
        _shown_velocities(notes.velocity),
        times_of_ticks(bars, tempo=score.tempo, unit=unit),
    )
