"""Notes far behind the end of the music, as a damaged file may have them: a model would be trained on the silence."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from pianoroll_seq2seq._internal.log import warn
from pianoroll_seq2seq.pianoroll import PianoRoll

MIN_SILENCE_SECONDS = 60.0
"""Shorter silences are rests."""
_TIMES_SHORTER = 10
"""The notes after the silence must take at most this part of its length; otherwise they are music."""
_MAX_LISTED = 3


@dataclass(frozen=True)
class StrayNotes:
    """A long silence and the few notes after it."""

    silent_from: int
    """The first silent frame: ``roll[:silent_from]`` is the music without the stray notes."""
    silent_until: int
    """The frame of the first stray note."""
    seconds_from: float
    """When the silence begins."""
    seconds_until: float
    """When it ends."""
    num_notes: int
    """Notes after the silence."""

    def __str__(self) -> str:
        """Such as ``silence from 0:00:31 to 18:00:03, then 1 note``."""
        begin, end = (timedelta(seconds=round(value)) for value in (self.seconds_from, self.seconds_until))
        return f"silence from {begin} to {end}, then {self.num_notes} note{'s' * (self.num_notes != 1)}"


def find_stray_notes(roll: PianoRoll, *, min_seconds: float = MIN_SILENCE_SECONDS) -> StrayNotes | None:
    """The notes at the end of a roll that a long silence separates from the music before, if there are any.

    The notes after the silence take at most a tenth of its length.

    Args:
        roll: the piece.
        min_seconds: the shortest silence that counts.

    Example:
        >>> song = PianoRoll.from_active(np.ones((16, 88), dtype=bool))
        >>> find_stray_notes(song + PianoRoll.silent(1000) + song[:1]).silent_from
        16
    """
    sounding = np.flatnonzero(roll.active.any(axis=1))
    if len(sounding) < 2:
        return None
    begin, end = sounding[:-1] + 1, sounding[1:]
    rare = (sounding[-1] + 1 - end) * _TIMES_SHORTER <= end - begin
    for place in np.flatnonzero(rare & (end > begin)).tolist():
        lines = np.array([begin[place], end[place]], dtype=np.int64)
        seconds_from, seconds_until = (float(value) for value in roll.grid.seconds_at(lines, roll.tempo))
        if seconds_until - seconds_from >= min_seconds:
            count = int(roll.note_starts()[end[place] :].sum())
            return StrayNotes(int(begin[place]), int(end[place]), seconds_from, seconds_until, count)
    return None


def warn_of_stray_notes(rolls: Iterable[PianoRoll], *, stacklevel: int) -> None:
    """Warns of pieces with notes after a long silence: names them, and says what to do.

    Args:
        rolls: the pieces to look at.
        stacklevel: as of ``warnings.warn``, counted from the caller.
    """
    found = [(roll.name or "(no name)", stray) for roll in rolls if (stray := find_stray_notes(roll)) is not None]
    if not found:
        return
    listed = "; ".join(f"{name}: {stray}" for name, stray in found[:_MAX_LISTED])
    more = f"; and {len(found) - _MAX_LISTED} more" if len(found) > _MAX_LISTED else ""
    warn(
        f"A model would be trained on long silence, because {len(found)} pieces have a few notes far behind their end. "
        f"{listed}{more}. Remove these notes from the files, or cut the rolls: roll[:{found[0][1].silent_from}].",
        stacklevel=stacklevel + 1,
    )
