"""A piece during its generation."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool

from pianoroll_seq2seq.pianoroll import PianoRoll


@dataclass
class PartialPiece:
    """A primer and the frames generated after it so far.

    Attributes:
        primer: the beginning of the piece.
        frames: the active and the onset plane of each generated frame, (pitches,) each.
    """

    primer: PianoRoll
    frames: list[tuple[Bool[np.ndarray, " pitches"], Bool[np.ndarray, " pitches"]]] = field(default_factory=list)

    def roll(self) -> PianoRoll:
        """The primer and all frames so far. Another thread may be adding frames."""
        primer, frames = self.primer, self.frames[:]
        active = np.vstack([primer.active, *(frame[0] for frame in frames)])
        onset = np.vstack([primer.onset, *(frame[1] for frame in frames)])
        return PianoRoll(active, onset, primer.grid, primer.pitches, primer.tempo, "")
