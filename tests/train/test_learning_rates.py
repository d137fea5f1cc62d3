"""The search for a learning rate."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from run_helpers import make_model, make_windows

from pianoroll_seq2seq import SequenceModel, find_learning_rate, fit
from pianoroll_seq2seq.errors import SettingsError

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_learning_rate_is_found() -> None:
    """The suggested rate does not train, or the search changes the model."""
    untouched = make_model()
    before = {name: value.clone() for name, value in untouched.state_dict().items()}
    curve = find_learning_rate(untouched, make_windows(frames=40), batch_size=8, steps=60, progress=False)
    assert all(torch.equal(value, before[name]) for name, value in untouched.state_dict().items())
    assert len(curve.rates) == len(curve.losses) <= 60
    assert curve.rates[0] == pytest.approx(1e-5)
    np.testing.assert_allclose(np.diff(np.log(curve.rates)), np.log(1e5) / 59)
    assert curve.suggestion == curve.rates[int(np.argmin(curve.losses))] / 10
    assert 1e-3 < curve.suggestion < 1.0
    trained = make_model()
    optimizer = torch.optim.Adam(trained.parameters(), lr=curve.suggestion)
    history = fit(trained, make_windows(frames=40), epochs=10, batch_size=8, optimizer=optimizer, progress=False)
    assert history.train_losses[-1] < 0.9 * history.train_losses[0]


def test_a_search_ends_when_the_loss_explodes() -> None:
    """The search continues for ever with NaN, or ends with an error."""
    make: Callable[[SequenceModel, float], torch.optim.Optimizer] = lambda trial, rate: torch.optim.SGD(  # noqa: E731
        trial.parameters(), lr=rate
    )
    curve = find_learning_rate(
        make_model(),
        make_windows(frames=40),
        batch_size=8,
        lowest=1e-2,
        highest=1e12,
        steps=50,
        optimizer=make,
        progress=False,
    )
    assert 1 < len(curve.rates) < 50
    assert all(math.isfinite(loss) for loss in curve.losses)


def test_a_curve_can_be_drawn() -> None:
    """The suggested rate is not visible in the figure."""
    axes = find_learning_rate(make_model(), make_windows(frames=40), batch_size=8, steps=20, progress=False).plot()
    assert axes.get_xscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate", "loss (nats per frame)")


@pytest.mark.parametrize("change", [{"lowest": 0.0}, {"lowest": 1.0, "highest": 0.1}, {"steps": 2}])
def test_a_search_out_of_range_is_refused(change: dict[str, Any]) -> None:
    """Rates in the wrong order fail somewhere inside."""
    with pytest.raises(SettingsError, match="rates must rise"):
        find_learning_rate(make_model(), make_windows(frames=40), batch_size=8, progress=False, **change)
