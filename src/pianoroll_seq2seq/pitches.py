"""The pitches of a piano roll's columns."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from pianoroll_seq2seq.errors import PitchRangeError

_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True)
class PitchRange:
    """The pitches of a roll's columns: MIDI note numbers, both ends included.

    Args:
        lowest: the pitch of column 0; 21 is the lowest key of a piano.
        highest: the pitch of the last column; 108 is the highest key of a piano.

    Raises:
        PitchRangeError: not 0 <= lowest <= highest <= 127.

    Example:
        >>> len(PitchRange(33, 81)), PitchRange(33, 81).name_of(0)
        (49, 'A1')
    """

    lowest: int = 21
    highest: int = 108

    def __post_init__(self) -> None:
        """Validates the ends."""
        if not 0 <= self.lowest <= self.highest <= 127:
            raise PitchRangeError(
                f"PitchRange needs 0 <= lowest <= highest <= 127, got PitchRange({self.lowest}, {self.highest})."
            )

    def __len__(self) -> int:
        """The number of pitches."""
        return self.highest - self.lowest + 1

    def contains(self, pitch: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Whether each pitch is in the range."""
        return (pitch >= self.lowest) & (pitch <= self.highest)

    def name_of(self, column: int) -> str:
        """The name of a column's pitch, such as ``C4`` for middle C (MIDI 60)."""
        octave, step = divmod(self.lowest + column, 12)
        return f"{_NAMES[step]}{octave - 1}"

    def settings(self) -> dict[str, int]:
        """The constructor's arguments."""
        return {"lowest": self.lowest, "highest": self.highest}


PIANO = PitchRange(21, 108)
"""The 88 keys of a piano."""

ALL_PITCHES = PitchRange(0, 127)
"""All pitches of MIDI."""
