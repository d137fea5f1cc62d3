"""Notes from frames that arrive one by one."""

import numpy as np
from jaxtyping import Bool

from pianoroll_seq2seq.pitches import PitchRange


class NoteTracker:
    """Finds the notes of a roll frame by frame: the notes of :meth:`PianoRoll.notes`, each as soon as it has ended.

    Args:
        pitches: the pitches of the columns.
    """

    def __init__(self, pitches: PitchRange) -> None:
        """Starts before the first frame."""
        self.num_frames: int = 0
        self._lowest = pitches.lowest
        self._onset_frames: dict[int, int] = {}  # of the sounding notes, by column

    def add_frame(
        self, active: Bool[np.ndarray, " pitches"], onset: Bool[np.ndarray, " pitches"]
    ) -> list[tuple[int, int, int]]:
        """Reads one frame and returns the notes that ended before it, as (onset frame, end frame, MIDI pitch)."""
        ended = [column for column in self._onset_frames if not active[column] or onset[column]]
        notes = self._end(ended)
        for column in np.flatnonzero(active).tolist():
            self._onset_frames.setdefault(column, self.num_frames)
        self.num_frames += 1
        return notes

    def end(self) -> list[tuple[int, int, int]]:
        """Returns the notes that sound until the last frame."""
        return self._end(list(self._onset_frames))

    @property
    def complete_until(self) -> int:
        """The frame before which all notes have ended: the earliest onset of a sounding note, or the next frame."""
        return min(self._onset_frames.values(), default=self.num_frames)

    def _end(self, columns: list[int]) -> list[tuple[int, int, int]]:
        return [(self._onset_frames.pop(column), self.num_frames, column + self._lowest) for column in sorted(columns)]
