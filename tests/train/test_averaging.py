"""Averaged weights."""

import numpy as np
import pytest
import torch
from run_helpers import make_model, make_windows

from pianoroll_seq2seq import fit
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM
from pianoroll_seq2seq.train.averaging import AveragedModel

pytestmark = pytest.mark.usefixtures("one_thread")


def test_an_average_follows_its_formula() -> None:
    """The average is not the one in the documentation."""
    trained = make_model()
    average = AveragedModel(trained, 0.5)
    expected = trained.head.logits.weight.detach().clone()  # type: ignore[union-attr]
    for step in range(1, 6):
        with torch.no_grad():
            trained.head.logits.weight += 1.0  # type: ignore[union-attr, operator]
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * trained.head.logits.weight.detach()  # type: ignore[union-attr]
        torch.testing.assert_close(average.model.head.logits.weight.detach(), expected)


def test_an_average_copies_the_statistics() -> None:
    """An averaged model with batch normalisation keeps the statistics from before training."""
    trained = ParallelSeq2SeqLSTM(5, hidden_size=6, block_frames=4, batch_norm=True)
    fit(trained, make_windows(frames=40), epochs=1, batch_size=8, ema_decay=0.9, progress=False)
    assert int(trained.encoder_norm.num_batches_tracked) > 0  # type: ignore[arg-type]


def test_an_average_is_smoother() -> None:
    """Averaging is switched on and does nothing."""
    losses = {}
    for decay in (None, 0.9):
        trained = make_model(hidden_size=12)
        optimizer = torch.optim.Adam(trained.parameters(), lr=0.1)
        history = fit(
            trained,
            make_windows(frames=40),
            make_windows(frames=40),
            epochs=8,
            batch_size=4,
            optimizer=optimizer,
            ema_decay=decay,
            progress=False,
        )
        losses[decay] = history.valid_losses
    assert np.abs(np.diff(losses[0.9])).mean() < np.abs(np.diff(losses[None])).mean()
