"""Repeated sequences of a voice, against the definition spelled out for every stretch of frames."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq.evaluation.repeated_sequences import repeated_lengths


def all_stretches(pitch: list[int], onset: list[bool]) -> Counter[int]:
    """The definition of the paper's code: candidates with their occurrences, without those inside longer ones."""
    begins = [index == 0 or onset[index] or pitch[index] != pitch[index - 1] for index in range(len(pitch))]
    symbols = tuple(pitch[index] if begins[index] else "held" for index in range(len(pitch)))
    occurrences: Counter[tuple[object, ...]] = Counter()
    for begin in range(len(symbols)):
        for end in range(begin + 1, len(symbols) + 1):
            stretch = symbols[begin:end]
            if stretch[0] != "held" and sum(one != "held" for one in stretch) > 1:
                occurrences[stretch] += 1
    repeated = {stretch: count for stretch, count in occurrences.items() if count > 1}

    def is_inside(short: tuple[object, ...], long: tuple[object, ...]) -> bool:
        return len(short) < len(long) and any(
            long[at : at + len(short)] == short for at in range(len(long) - len(short) + 1)
        )

    lengths: Counter[int] = Counter()
    for stretch, count in repeated.items():
        if not any(is_inside(stretch, other) and count == more for other, more in repeated.items()):
            lengths[len(stretch)] += count
    return lengths


@given(st.lists(st.tuples(st.sampled_from([-1, 60, 62]), st.booleans()), max_size=14))
def test_lengths_are_those_of_the_definition(frames: list[tuple[int, bool]]) -> None:
    """The grade of a chorale is another than that of the paper."""
    pitch = [one for one, _ in frames]
    onset = [one != -1 and (begins or at == 0 or pitch[at - 1] != one) for at, (one, begins) in enumerate(frames)]
    found = repeated_lengths(np.array(pitch, dtype=np.int64), np.array(onset, dtype=bool))
    assert found == all_stretches(pitch, onset)


@pytest.mark.parametrize(
    ("pitch", "lengths"),
    [
        ([], {}),
        ([60, 62, 64], {}),
        ([60, 60, 62, 60, 60, 62], {3: 2}),
        ([60, 60, 62, 62, 65, 60, 60, 62, 64], {3: 2}),  # the last note is cut to what both have
        ([60, 62, 60, 62, 60, 62], {2: 3, 4: 2}),
        ([60, -1, 62, 60, -1, 64], {2: 2}),  # rests count
    ],
)
def test_examples(pitch: list[int], lengths: dict[int, int]) -> None:
    onset = [one != -1 and (at == 0 or pitch[at - 1] != one) for at, one in enumerate(pitch)]
    assert repeated_lengths(np.array(pitch, dtype=np.int64), np.array(onset, dtype=bool)) == lengths
