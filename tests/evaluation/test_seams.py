"""The seams of infills beside places in real pieces."""

import math

import pytest
from voice_music import voices

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.seams import seam_overlap


def test_steps_and_lengths_at_seams() -> None:
    """Notes that last over a seam are taken for repeated ones, or lengths are cut at it."""
    data = voices(a=[60, 60, 62, 62, 64, 64, 64, 64], b=[48, 48, 48, 48, 47, 47, 0, 0])
    # before frame 2: a goes up by 2, b lasts; before frame 4: a goes up by 2, b down by 1
    filled = voices(a=[60, 60, 62, 62, 62, 62, 62, 62], b=[48, 48, 48, 48, 47, 47, 0, 0])
    # before frame 2: as the data; before frame 4: a lasts, b goes down by 1
    found = seam_overlap([filled], [(2, 4)], [data], [(2, 4)])
    assert found.intervals == pytest.approx(3 / 4)  # data: +2, +2, lasts, -1; filled: +2, lasts, lasts, -1
    # lengths in the data: 2, 2, 4; 2, 4, 4, 2: of a and b before frame 2 and 4; filled: 2, 6, 4; 6, 4, 2
    assert found.note_lengths == pytest.approx(2 / 6 + 2 / 6)
    assert (found.num_seams, found.num_places) == (2, 2)


def test_a_seam_that_breaks_the_music_is_seen() -> None:
    """Music that leaps at each seam gets as much as the data itself."""
    line = [60 + frame // 2 % 8 for frame in range(96)]
    data = [voices(a=line, b=[48] * 96)]
    same = seam_overlap(data, [(16, 48)], data)
    assert (same.intervals, same.note_lengths) == (1, 1)
    assert same.num_places == 5  # bar lines
    leaping = voices(a=line[:16] + [80] * 32 + line[48:], b=[48] * 96)
    broken = seam_overlap([leaping], [(16, 48)], data, [range(1, 96)])
    assert broken.intervals <= 0.5
    assert broken.note_lengths < same.note_lengths
    assert broken.num_places == 95


def test_edges_and_errors() -> None:
    """A gap at the end of a piece has a seam where the music ends."""
    roll = voices(a=[60, 62, 64, 65], b=[0, 0, 0, 0])
    at_edges = seam_overlap([roll], [(0, 4)], [roll], [range(1, 4)])
    assert math.isnan(at_edges.intervals)
    assert at_edges.num_seams == 0
    with pytest.raises(SettingsError, match="1 pieces and 0 gaps"):
        seam_overlap([roll], [], [roll])
    with pytest.raises(SettingsError, match="has 4 frames, but its gap is from frame 2 to 9"):
        seam_overlap([roll], [(2, 9)], [roll])
