"""Bits of packed planes: if these fail, notes get the velocities of others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq._internal import compiled as loops
from pianoroll_seq2seq.data.corpus.bits import bit_positions, count_bits


@pytest.mark.parametrize("compiled", [False, True])
@given(st.lists(st.binary(max_size=30), max_size=5))
def test_every_bit_is_found_and_counted(compiled, spans):
    """An onset that is overlooked moves all velocities after it to other notes."""
    joined = b"".join(spans)
    with loops.forced(compiled):
        found = bit_positions(np.frombuffer(joined, dtype=np.uint8))
        counts = count_bits([memoryview(span) for span in spans])
    bits = "".join(f"{byte:08b}" for byte in joined)
    assert found.tolist() == [place for place, bit in enumerate(bits) if bit == "1"]
    assert found.dtype == counts.dtype == np.int64
    assert counts.tolist() == [sum(byte.bit_count() for byte in span) for span in spans]
