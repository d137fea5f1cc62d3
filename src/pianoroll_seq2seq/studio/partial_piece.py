"""A piece during its generation."""

from dataclasses import dataclass, field

import numpy as np

from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.pianoroll import PianoRoll


@dataclass
class PartialPiece:
    """A primer and the frames generated after it so far.

    Attributes:
        primer: the beginning of the piece.
        layout: what the columns of the frames mean.
        frames: each generated frame, (frame_size,).
    """

    primer: PianoRoll
    layout: FrameLayout
    frames: list[np.ndarray] = field(default_factory=list)

    def roll(self) -> PianoRoll:
        """The primer and all frames so far. Another thread may be adding frames."""
        frames = self.frames[:]
        if not frames:
            return self.primer.renamed("")
        written = PianoRoll.from_frames(
            np.stack(frames),
            self.layout,
            tempo=self.primer[len(self.primer) :].tempo,
            before=self.primer.active[-1],
        )
        return (self.primer + written).renamed("")
