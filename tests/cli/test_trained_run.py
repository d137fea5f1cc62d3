from pathlib import Path

import pytest

from pianoroll_seq2seq import History
from pianoroll_seq2seq.cli.trained_run import TrainedRun
from pianoroll_seq2seq.display.tables import epochs_summary
from pianoroll_seq2seq.train.history import Epoch


@pytest.mark.parametrize(("number", "epochs"), [(1, "1 epoch"), (2, "2 epochs")])
def test_the_end_of_a_run_in_words(number: int, epochs: str) -> None:
    """One epoch is called "1 epochs", or the end of all epochs "stopped by epochs"."""
    ended = [Epoch(n, n, 1.0 / n, 1.0 / n, 0.001, 1.0) for n in range(1, number + 1)]
    complete = History(ended, best_epoch=number, stopped_by="epochs")
    assert str(TrainedRun(Path("mine"), complete, None)).startswith(f"mine: {epochs}, complete\n")
    early = History(ended, best_epoch=number, stopped_by="patience")
    assert str(TrainedRun(Path("mine"), early, None)).startswith(f"mine: {epochs}, stopped by patience\n")
    assert epochs_summary(complete) == f"{epochs}, the best after epoch {number}; losses in nats per frame"
