"""The seams of an infill: whether the music goes on over them as it does in real pieces."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.histograms import overlap
from pianoroll_seq2seq.evaluation.voices import REST, segments, voices_of
from pianoroll_seq2seq.pianoroll import PianoRoll

_HELD = 256
"""The bin of notes that last over a seam; steps of -127 to 127 semitones are in the bins below."""


@dataclass(frozen=True)
class SeamOverlap:
    """How much the seams of infills are like places inside the data: 1 for equal histograms, 0 for disjoint ones."""

    intervals: float
    """Overlap of the steps of each part over the seam, in semitones; a note that lasts over it is a step of its own.
    NaN if no part sounds on both sides of any seam."""
    note_lengths: float
    """Overlap of the lengths, in frames, of the notes that sound right before and right after the seam."""
    num_seams: int
    """Seams in the infills."""
    num_places: int
    """Places in the data."""


def seam_overlap(
    filled: Sequence[PianoRoll],
    gaps: Sequence[tuple[int, int]],
    data: Iterable[PianoRoll],
    places: Iterable[Sequence[int]] | None = None,
) -> SeamOverlap:
    """Compares the seams of infills with places inside real pieces.

    The overlap of few seams is below 1 by chance. Measure that too: pass real pieces as ``filled``, with the same gaps.

    Args:
        filled: pieces with a gap that a model has filled, without what surrounds it or with.
        gaps: first frame of each gap and the frame after its last: the two seams. A seam at the beginning or the end of
            a piece is none.
        data: real pieces on the same grid.
        places: for each piece of the data, the frames to compare with: between each and the frame before it. By default
            its bar lines, which fits gaps of whole bars; ``[range(1, len(roll)) for roll in data]`` compares with all.

    Raises:
        SettingsError: another number of gaps than of pieces, or a gap outside its piece.

    Example:
        >>> roll = PianoRoll.from_active(np.eye(64, 88, dtype=bool))
        >>> seam_overlap([roll], [(16, 32)], [roll])
        SeamOverlap(intervals=1.0, note_lengths=1.0, num_seams=2, num_places=3)
    """
    if len(filled) != len(gaps):
        raise SettingsError(f"seam_overlap needs a gap for each piece, got {len(filled)} pieces and {len(gaps)} gaps.")
    for roll, (begin, end) in zip(filled, gaps, strict=True):
        if not 0 <= begin < end <= len(roll):
            raise SettingsError(
                f"{roll.name or 'A piece'} has {len(roll)} frames, but its gap is from frame {begin} to {end}. The end "
                f"is the frame after the last of the gap."
            )
    data = list(data)
    places = [roll.bar_frames().tolist() for roll in data] if places is None else list(places)
    seams = [_transitions(roll, gap) for roll, gap in zip(filled, gaps, strict=True)]
    inside = [_transitions(roll, frames) for roll, frames in zip(data, places, strict=True)]
    (steps, lengths, num_seams), (data_steps, data_lengths, num_places) = map(_together, (seams, inside))
    return SeamOverlap(overlap(steps, data_steps), overlap(lengths, data_lengths), num_seams, num_places)


def _transitions(roll: PianoRoll, frames: Sequence[int]) -> tuple[list[int], list[int], int]:
    """The steps over the lines before some frames, the lengths of the notes there, and the number of lines."""
    voices = voices_of(roll)
    lines = np.array([frame for frame in frames if 0 < frame < len(roll)], dtype=np.int64)
    steps, lengths = [], []
    for pitch, onset in zip(voices.pitch.T, voices.onset.T, strict=True):
        begin, length, _ = segments(pitch, onset)
        for line in lines.tolist():
            before, after = np.searchsorted(begin, [line - 1, line], side="right") - 1
            sounds = [pitch[line - 1] != REST, pitch[line] != REST]
            if all(sounds):
                steps.append(_HELD if before == after else int(pitch[line] - pitch[line - 1]) + _HELD // 2)
            notes = {one for one, has_note in zip((before, after), sounds, strict=True) if has_note}
            lengths += [int(length[one]) for one in notes]
    return steps, lengths, len(lines)


def _together(several: Iterable[tuple[list[int], list[int], int]]) -> tuple[np.ndarray, np.ndarray, int]:
    steps, lengths, counts = zip(*several, strict=True) if (several := list(several)) else ((), (), ())
    histograms = [
        np.bincount(np.array([value for row in rows for value in row], dtype=np.int64)) for rows in (steps, lengths)
    ]
    return histograms[0], histograms[1], sum(counts)
