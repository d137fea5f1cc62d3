"""Schedules of the learning rate."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq import cosine_schedule
from pianoroll_seq2seq.errors import SettingsError


@given(warmup=st.floats(0, 0.99), total=st.integers(1, 400))
def test_cosine_goes_up_once_and_then_down(warmup: float, total: int) -> None:
    """The learning rate jumps, turns negative, or never reaches its maximum."""
    schedule = cosine_schedule(warmup)
    factors = [schedule(step, total) for step in range(total)]
    top = int(np.argmax(factors))
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[top] == 1.0
    assert top <= math.ceil(warmup * total)
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top:] == sorted(factors[top:], reverse=True)


@pytest.mark.parametrize("warmup", [-0.1, 1.0, math.nan])
def test_cosine_refuses_a_warmup_out_of_range(warmup: float) -> None:
    """A warmup given in steps or percent is taken for a share."""
    with pytest.raises(SettingsError, match="warmup"):
        cosine_schedule(warmup)
