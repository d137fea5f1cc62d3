"""The configuration of a run."""

import math
from typing import Any

import pytest
from run_helpers import make_model, make_windows

from pianoroll_seq2seq import fit
from pianoroll_seq2seq.errors import SettingsError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"accumulate": 0}, "accumulate"),
        ({"accumulate": 9}, "cannot be cut into 9 parts"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"checkpoint_seconds": -1.0}, "checkpoint_seconds"),
        ({"checkpoint_seconds": math.nan}, "checkpoint_seconds"),
    ],
)
def test_arguments_out_of_range_are_refused(change: dict[str, Any], named: str) -> None:
    """An invalid argument is found after hours, or never."""
    with pytest.raises(SettingsError, match=named):
        fit(make_model(), make_windows(frames=40), **{"epochs": 1, "batch_size": 8} | change)
