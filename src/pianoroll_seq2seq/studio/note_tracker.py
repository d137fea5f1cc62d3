"""Notes from frames that arrive one by one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8

from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.parts import Part


class TrackedNote(NamedTuple):
    """A note: its frames, its MIDI pitch, its part by index, and its velocity, 0 if that is unknown."""

    onset_frame: int
    end_frame: int
    pitch: int
    part: int
    velocity: int


class NoteTracker:
    """Finds the notes of a roll frame by frame: the notes of :meth:`PianoRoll.notes`, each as soon as it has ended.

    Args:
        parts: the parts of the roll, whose columns follow one another.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        """Starts before the first frame."""
        self.num_frames: int = 0
        self._pitch = FrameLayout(planes=("active",), parts=tuple(parts)).column_pitches().tolist()
        self._part = np.repeat(np.arange(len(parts)), [len(part.pitches) for part in parts]).tolist()
        self._sounding: dict[int, tuple[int, int]] = {}  # onset frame and velocity, by column

    def add_frame(
        self,
        active: Bool[np.ndarray, " columns"],
        onset: Bool[np.ndarray, " columns"],
        velocity: UInt8[np.ndarray, " columns"] | None = None,
    ) -> list[TrackedNote]:
        """Reads one frame and returns the notes that ended before it."""
        ended = [column for column in self._sounding if not active[column] or onset[column]]
        notes = self._end(ended)
        for column in np.flatnonzero(active).tolist():
            level = 0 if velocity is None else int(velocity[column])
            self._sounding.setdefault(column, (self.num_frames, level))
        self.num_frames += 1
        return notes

    def end(self) -> list[TrackedNote]:
        """Returns the notes that sound until the last frame."""
        return self._end(list(self._sounding))

    @property
    def complete_until(self) -> int:
        """The frame before which all notes have ended: the earliest onset of a sounding note, or the next frame."""
        return min((onset for onset, _ in self._sounding.values()), default=self.num_frames)

    def _end(self, columns: list[int]) -> list[TrackedNote]:
        notes = []
        for column in sorted(columns):
            onset_frame, velocity = self._sounding.pop(column)
            notes.append(TrackedNote(onset_frame, self.num_frames, self._pitch[column], self._part[column], velocity))
        return notes
