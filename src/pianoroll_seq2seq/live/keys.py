"""The player's keys as frames."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass
class _Note:
    """A note: the line of its onset and of its end, None while the key is down, and its velocity."""

    onset: int
    velocity: int
    end: int | None = None


@dataclass(frozen=True)
class KeyFrame:
    """What the player plays in a frame.

    Args:
        sounding: the velocity of each pitch that sounds.
        onsets: the pitches whose notes begin there.
    """

    sounding: Mapping[int, int]
    onsets: frozenset[int]


class Keys:
    """The notes of the player. An onset and an end each go to the nearest line; a note covers at least one frame.

    So a frame is known half a frame after its line.

    Example:
        >>> keys = Keys()
        >>> keys.press(60, 80, 3.6)
        >>> keys.release(60, 3.9)
        >>> keys.frame(4), keys.frame(5)
        (KeyFrame(sounding={60: 80}, onsets=frozenset({60})), KeyFrame(sounding={}, onsets=frozenset()))
    """

    def __init__(self) -> None:
        """Starts without notes."""
        self._notes: dict[int, _Note] = {}
        self._first_line = 0

    def begin(self, line: int) -> None:
        """Forgets all notes. The next frame is that after a line."""
        self._notes.clear()
        self._first_line = line

    def press(self, pitch: int, velocity: int, position: float) -> None:
        """A key is pressed at a position in frames."""
        self._notes[pitch] = _Note(self._line(position), velocity)

    def release(self, pitch: int, position: float) -> None:
        """A key is released."""
        note = self._notes.get(pitch)
        if note is not None and note.end is None:
            note.end = max(self._line(position), note.onset + 1)

    def frame(self, line: int) -> KeyFrame:
        """The frame after a line. Frames are taken in order: later keys belong to later frames."""
        self._first_line = line + 1
        sounding = {
            pitch: note.velocity
            for pitch, note in sorted(self._notes.items())
            if note.onset <= line and (note.end is None or line < note.end)
        }
        onsets = frozenset(pitch for pitch in sounding if self._notes[pitch].onset == line)
        ended = [pitch for pitch, note in self._notes.items() if note.end is not None and note.end <= line + 1]
        for pitch in ended:
            del self._notes[pitch]
        return KeyFrame(sounding, onsets)

    def _line(self, position: float) -> int:
        """The nearest line, halves up, that is not before the next frame."""
        return max(nearest_line(position), self._first_line)


def nearest_line(position: float) -> int:
    """The nearest line, halves up."""
    return math.floor(position + 0.5)
