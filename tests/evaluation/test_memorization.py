"""The share of passages that stand in other pieces, against a search through all of them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import part_rolls
from voice_music import voices

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.memorization import memorized_share, passages, repeated_share
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange


@given(part_rolls(), part_rolls(), st.integers(1, 3), st.booleans())
def test_shares_are_those_of_a_slow_search(one: PianoRoll, other: PianoRoll, size: int, transposed: bool) -> None:
    """A passage is found where there is none, or a transposition moves drums."""

    def stretches(roll: PianoRoll) -> list[frozenset[tuple[int, int, int, bool]]]:
        cells = [
            (frame, index, part.pitches.lowest + column, part.drums)
            for index, part in enumerate(roll.parts)
            for frame, column in np.argwhere(roll[part.name].active).tolist()
        ]
        found = []
        for begin in range(len(roll) - size + 1):
            inside = [(frame - begin, *rest) for frame, *rest in cells if begin <= frame < begin + size]
            lowest = min((pitch for _, _, pitch, drums in inside if not drums), default=0) if transposed else 0
            moved = [(frame, part, pitch - lowest * (not drums), False) for frame, part, pitch, drums in inside]
            found += [frozenset(moved)] if moved else []
        return found

    mine, theirs = stretches(one), stretches(other)
    expected = sum(stretch in theirs for stretch in mine) / len(mine) if mine else math.nan
    found = memorized_share([one], [other], num_frames=size, transposed=transposed)
    assert found == pytest.approx(expected, nan_ok=True)
    again = sum(stretch in mine[:at] for at, stretch in enumerate(mine)) / len(mine) if mine else math.nan
    assert repeated_share([one], num_frames=size, transposed=transposed) == pytest.approx(again, nan_ok=True)


def test_a_transposed_copy_is_found_only_if_asked_for() -> None:
    """Generated music that copies a training piece in another key counts as new."""
    tune = voices(a=[60, 62, 64, 65, 67, 69], b=[48, 48, 50, 50, 52, 53])
    copy = tune.transpose(5)[1:]
    assert memorized_share([copy], [tune], num_frames=4) == 0
    assert memorized_share([copy], [tune], num_frames=4, transposed=True) == 1
    other = voices(a=[60, 62, 64, 65, 67, 69], b=[48, 48, 51, 50, 52, 53])
    assert memorized_share([other], [tune], num_frames=3) == 1 / 4
    assert math.isnan(memorized_share([tune[:2]], [tune], num_frames=4))
    assert memorized_share([tune, other[:2]], [tune], num_frames=2) == 1


def test_pitch_ranges_do_not_matter() -> None:
    """The same notes in wider ranges are not found."""
    tune = voices(a=[60, 62, 64], b=[48, 48, 50])
    assert memorized_share([tune.with_pitches(PitchRange(40, 80))], [tune], num_frames=2) == 1


def test_drums_are_not_transposed() -> None:
    kits = [
        PianoRoll.from_active(np.eye(4, dtype=bool), parts=[Part("kit", drums=True, pitches=PitchRange(low, low + 3))])
        for low in (36, 40)
    ]
    assert memorized_share(kits[:1], kits[1:], num_frames=2, transposed=True) == 0
    with pytest.raises(SettingsError, match="num_frames must be at least 1, got 0"):
        list(passages(kits[0], 0))
