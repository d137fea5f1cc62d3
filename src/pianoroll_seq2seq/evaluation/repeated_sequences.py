"""The lengths of the sequences that a voice repeats."""

from collections import Counter
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int64

from pianoroll_seq2seq.evaluation.voices import segments


def repeated_lengths(pitch: Int64[np.ndarray, " frames"], onset: Bool[np.ndarray, " frames"]) -> Counter[int]:
    """How often sequences of each length occur that a voice has at least twice.

    A sequence is a stretch of frames that begins with a note or a rest and has at least two of them; its last one may
    be cut. It counts with all of its occurrences, which may overlap, unless a longer sequence contains it and occurs as
    often. These are the repeated patterns of Hsu, Liu and Chen, "Efficient repeating pattern finding in music
    databases", 1998; here they are found by sorting suffixes.

    Args:
        pitch: a column of :class:`~pianoroll_seq2seq.evaluation.voices.Voices`.
        onset: the same column of its onsets.

    Returns:
        Numbers of occurrences by length in frames.

    Example:
        >>> repeated_lengths(np.array([60, 62, 64, 60, 62, 65]), np.ones(6, dtype=bool))
        Counter({2: 2})
    """
    begin, length, pitches = segments(pitch, onset)
    text = _text(length, pitches)
    suffixes = sorted((text[frame:], index) for index, frame in enumerate(begin.tolist()))
    common = [_common_prefix(one[0], other[0]) for one, other in pairwise(suffixes)]
    tokens = list(zip(length.tolist(), pitches.tolist(), strict=True))
    counts: Counter[int] = Counter()
    for size, first, last in _intervals(common):
        occurrences = [index for _, index in suffixes[first : last + 1]]
        previous = {tokens[index - 1] if index else None for index in occurrences}
        is_whole = len(previous) > 1 or None in previous  # no longer sequence that begins earlier
        if is_whole and size > length[occurrences].min():
            counts[size] += len(occurrences)
    return counts


def _text(length: np.ndarray, pitch: np.ndarray) -> str:
    """A character for each frame: the pitch where a note or a rest begins, and one for the frames in which it lasts."""
    return "".join(
        chr(2 + one) + "\0" * (frames - 1) for frames, one in zip(length.tolist(), pitch.tolist(), strict=True)
    )


def _common_prefix(one: str, other: str) -> int:
    size = min(len(one), len(other))
    if one[:size] == other[:size]:
        return size
    return next(index for index in range(size) if one[index] != other[index])


def _intervals(common: list[int]) -> list[tuple[int, int, int]]:
    """The longest prefixes of all groups of neighbouring suffixes: length, first and last suffix."""
    found, stack = [], [(0, 0)]
    for place, size in enumerate([*common, 0]):
        first = place
        while size < stack[-1][0]:
            top, first = stack.pop()
            found.append((top, first, place))
        if size > stack[-1][0]:
            stack.append((size, first))
    return found
