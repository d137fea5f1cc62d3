"""What happens to pieces that are shorter than a window."""

import warnings
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Int64

from pianoroll_seq2seq.data.corpus import PackedPieces
from pianoroll_seq2seq.errors import PieceTooShortError

Short: TypeAlias = Literal["error", "pad", "skip"]


class PiecesWithWindows(NamedTuple):
    """The pieces that have windows.

    Attributes:
        indices: their indices among all pieces.
        padded: names of those that are padded with silence.
        skipped: names of the pieces that have no windows.
    """

    indices: Int64[np.ndarray, " pieces"]
    padded: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def pieces_with_windows(
    packed: PackedPieces, window_frames: int, short: Short, *, stacklevel: int
) -> PiecesWithWindows:
    """Finds the short pieces, and warns if they are padded or skipped.

    Args:
        packed: the pieces.
        window_frames: frames of a window.
        short: what to do with pieces of fewer frames.
        stacklevel: where the warning points, as for :func:`warnings.warn`.

    Raises:
        PieceTooShortError: short pieces and ``short="error"``, or no piece with windows.
    """
    is_short = packed.num_frames < window_frames
    if not is_short.any():
        return PiecesWithWindows(np.arange(len(is_short)))
    names = [packed.names[index] for index in np.flatnonzero(is_short).tolist()]
    message = f"{len(names)} of {len(is_short)} pieces have fewer than {window_frames} frames: "
    message += _list_names(names, packed.num_frames[is_short].tolist())
    if short == "error":
        raise PieceTooShortError(f"{message}. Use shorter windows, or pass short='pad' or short='skip'.")
    if short == "pad":
        warnings.warn(f"{message}; padded with silence.", stacklevel=stacklevel)
        return PiecesWithWindows(np.arange(len(is_short)), padded=tuple(names))
    if is_short.all():
        raise PieceTooShortError(
            f"No windows: none of {len(is_short)} pieces has {window_frames} frames. Use shorter windows, a finer "
            f"grid, or short='pad'."
        )
    warnings.warn(f"{message}; skipped.", stacklevel=stacklevel)
    return PiecesWithWindows(np.flatnonzero(~is_short), skipped=tuple(names))


def _list_names(names: Sequence[str], lengths: Sequence[int]) -> str:
    """The first five names with their lengths, and how many more there are."""
    listed = ", ".join(f"{name or '(no name)'} ({length})" for name, length in zip(names[:5], lengths, strict=False))
    return listed + (f" and {len(names) - 5} more" if len(names) > 5 else "")
