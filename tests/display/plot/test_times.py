"""Frames and ticks as beats or seconds."""

import numpy as np
import pytest
from typechecker import as_users_have_it

from pianoroll_seq2seq.display.plot import times
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.tempo import TempoMap


def test_no_such_unit() -> None:
    """A misspelt unit silently becomes another."""
    with pytest.raises(SettingsError, match="'beats' or 'seconds', got 'bars'"):
        as_users_have_it(times.check_unit)("bars")


def test_a_grid_has_its_own_unit() -> None:
    """Music on a grid in seconds is drawn in beats, or the other way round."""
    assert times.unit_of(BeatGrid(4), None) == "beats"
    assert times.unit_of(SecondsGrid(0.02), None) == "seconds"
    assert times.unit_of(SecondsGrid(0.02), "beats") == "beats"


def test_ticks_follow_the_tempo() -> None:
    """The notes of a score lie at other seconds than they sound."""
    tempo = TempoMap(480, ((0, 500_000), (480, 1_000_000)))
    ticks = np.array([0, 480, 960])
    np.testing.assert_allclose(times.times_of_ticks(ticks, tempo=tempo, unit="beats"), [0, 1, 2])
    np.testing.assert_allclose(times.times_of_ticks(ticks, tempo=tempo, unit="seconds"), [0, 0.5, 1.5])
