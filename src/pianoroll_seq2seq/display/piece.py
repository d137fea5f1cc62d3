"""A piece of music whose beginning may be a primer."""

from dataclasses import dataclass

import numpy as np

from pianoroll_seq2seq._internal.display_hook import html_of
from pianoroll_seq2seq.display.html import Figure, player_data
from pianoroll_seq2seq.display.html.player_data import check_primer_frames
from pianoroll_seq2seq.pianoroll import PianoRoll

MAX_NOTES = 6000
"""The notes of a piece that a notebook shows, some ten minutes of piano music. Untrained models write hundreds a
second."""


@dataclass(frozen=True)
class Piece:
    """A piece to show, whose beginning may be a primer. In a notebook it displays itself.

    Args:
        roll: the whole piece.
        primer_frames: the number of first frames that are a primer; they are drawn in another colour.
        name: the name of the piece; the roll's own name by default.

    Raises:
        SettingsError: ``primer_frames`` below 0 or above the length of the roll.

    Example:
        >>> primer = PianoRoll.from_active(np.ones((4, 88), dtype=bool))
        >>> Piece.continued(primer, primer).primer_frames
        4
    """

    roll: PianoRoll
    primer_frames: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        """Validates the length of the primer."""
        check_primer_frames(self.primer_frames, self.roll)

    @classmethod
    def continued(cls, primer: PianoRoll, continuation: PianoRoll, *, name: str = "") -> "Piece":
        """A primer and its continuation by :func:`~pianoroll_seq2seq.sampling.generate`.

        Raises:
            GridError, PitchRangeError: the two have different grids or pitches.
        """
        return cls(primer + continuation, len(primer), name or continuation.name)

    def figure(self, *, max_notes: int = MAX_NOTES) -> Figure:
        """The piece as a figure of a page, cut after ``max_notes`` notes."""
        roll, name = self.roll, self.name or self.roll.name
        notes_until = np.cumsum(roll.onset.sum(axis=1))
        if len(roll) and notes_until[-1] > max_notes:
            roll = roll[: max(int(np.searchsorted(notes_until, max_notes, side="right")), 1)]
            name = f"{name or 'piece'}, the first {roll.seconds:.1f} of {self.roll.seconds:.1f} seconds"
        return Figure(player_data(roll, primer_frames=min(self.primer_frames, len(roll)), name=name))

    def _repr_html_(self) -> str:
        return html_of(self)
