"""Limits: if these fail, one file can fill a machine's memory, or good music is turned away."""

import numpy as np
import pytest

from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS, Limits
from pianoroll_seq2seq.errors import SettingsError


@pytest.mark.parametrize("bound", ["max_file_bytes", "max_frames", "max_cells"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_bound_below_one_is_named(bound, value):
    """Nothing could be read, and every file would be blamed for it."""
    with pytest.raises(SettingsError, match=rf"Limits\.{bound} must be at least 1, got {value}\."):
        Limits(**{bound: value})
    assert getattr(Limits(**{bound: 1}), bound) == 1


def test_six_hours_on_all_pitches_pass_by_default():
    """What people play is let through: 50 frames a second, 128 pitches."""
    frames = 6 * 3600 * 50
    assert frames <= DEFAULT_LIMITS.max_frames
    assert frames * 128 <= DEFAULT_LIMITS.max_cells


def test_what_passes_by_default_fits_a_gigabyte():
    """Two planes of a byte a cell, and as much again on the way."""
    assert 4 * DEFAULT_LIMITS.max_cells * np.dtype(bool).itemsize < 2**30


def test_limits_compare_by_value():
    """They are settings: kept, compared, written down."""
    assert Limits(max_frames=5) == Limits(max_frames=5) != Limits()
    assert {Limits(max_frames=5): 1}[Limits(max_frames=5)] == 1
