"""The best epoch, and the patience."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from run_helpers import fit_small, have_same_weights, make_model, make_windows, play

from pianoroll_seq2seq.checkpoint import load
from pianoroll_seq2seq.train import mean_loss

pytestmark = pytest.mark.usefixtures("one_thread")


_eighths = st.integers(0, 40).map(lambda eighths: eighths / 8)  # exact in every float type


@given(
    losses=st.lists(st.tuples(_eighths, _eighths), min_size=1, max_size=8),
    patience=st.none() | st.integers(1, 4),
    min_delta=st.sampled_from([0.0, 0.25, 1.0]),
    monitor=st.sampled_from(["auto", "train_loss", "valid_loss"]),
)
def test_patience_ends_training_with_the_best_weights(
    losses: list[tuple[float, float]], patience: int | None, min_delta: float, monitor: str
) -> None:
    """Training stops too soon or too late, or the model ends with weights of an epoch that was not the best."""
    train, valid = ([pair[kind] for pair in losses] for kind in (0, 1))
    history, model = play(train, valid, patience=patience, min_delta=min_delta, monitor=monitor)
    watched = train if monitor == "train_loss" else valid
    last, waited, mark = len(watched), 0, math.inf
    for epoch, loss in enumerate(watched, start=1):
        waited, mark = (0, loss) if mark - loss > min_delta else (waited + 1, mark)
        if waited == patience:
            last = epoch
            break
    assert len(history.epochs) == last
    assert history.stopped_by == ("patience" if waited == patience else "epochs")
    assert history.best_epoch == watched.index(min(watched[:last])) + 1
    assert float(model.weight.detach()) == -history.best_epoch
    assert history.train_losses == train[:last]
    assert history.valid_losses == valid[:last]


def test_a_constant_loss_ends_training() -> None:
    """A run that no longer improves continues through all its epochs."""
    model = make_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    history = fit_small(model, make_windows(), make_windows(1), epochs=50, optimizer=optimizer, patience=3)
    assert (len(history.epochs), history.best_epoch, history.stopped_by) == (4, 1, "patience")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_without_validation_the_training_loss_decides() -> None:
    """Training without validation windows keeps the weights of any epoch."""
    history, model = play([3.0, 1.0, 2.0])
    assert (history.best_epoch, float(model.weight.detach())) == (2, -2.0)
    assert history.valid_losses == []


def test_best_weights_are_those_of_the_best_checkpoint(tmp_path: Path) -> None:
    """The model in memory and the one in best.safetensors are different models."""
    model = make_model(hidden_size=12)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.2)  # overfits at once
    history = fit_small(model, make_windows(), make_windows(1), epochs=12, optimizer=optimizer, checkpoint_dir=tmp_path)
    assert history.best_epoch is not None
    assert history.best_epoch < 12
    best = load(tmp_path / "best.safetensors")
    assert have_same_weights(model, best)
    assert not have_same_weights(model, load(tmp_path / "last.safetensors"))
    assert mean_loss(best, make_windows(1)) == min(history.valid_losses)
