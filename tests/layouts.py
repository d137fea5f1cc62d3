"""Windows and pieces of the active plane alone, for tests in which a column is a pitch."""

from typing import Any

from pianoroll_seq2seq import Corpus, FrameLayout, SlidingWindows, WholePieces


def active_only(rolls: Any) -> FrameLayout | None:
    """The layout of rolls or of a corpus, without onsets; None if there are no rolls."""
    if isinstance(rolls, Corpus):
        return FrameLayout.of(rolls, onsets=False)
    return FrameLayout.of(rolls[0], onsets=False) if rolls else None


def active_windows(rolls: Any, **arguments: Any) -> SlidingWindows:
    """Windows without onsets."""
    return SlidingWindows(rolls, **{"layout": active_only(rolls)} | arguments)


def active_pieces(rolls: Any, **arguments: Any) -> WholePieces:
    """Whole pieces without onsets."""
    return WholePieces(rolls, **{"layout": active_only(rolls)} | arguments)
