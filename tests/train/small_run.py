"""A run of about a second, in this process."""

from pathlib import Path
from typing import Any

import torch
from script import windows

from pianoroll_seq2seq import Seq2SeqLSTM, fit


def model() -> Seq2SeqLSTM:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Seq2SeqLSTM(7, hidden_size=5, num_encoder_layers=1, num_decoder_layers=1, dropout=0.2)


def run(folder: Path | None, **changes: Any) -> tuple[dict[str, torch.Tensor], list[float]]:
    trained = model()
    arguments: dict[str, Any] = {"epochs": 3, "batch_size": 5, "ema_decay": 0.9, "checkpoint_seconds": 0}
    arguments |= {"checkpoint_dir": folder, "progress": False} | changes
    history = fit(trained, windows(0), windows(1), **arguments)
    return trained.state_dict(), history.train_losses + history.valid_losses


def assert_same(found: tuple[dict[str, torch.Tensor], list[float]], expected: Any) -> None:
    assert found[1] == expected[1]
    assert all(torch.equal(found[0][name], value) for name, value in expected[0].items())
