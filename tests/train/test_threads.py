"""``fit`` beside other threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from layouts import active_windows

from pianoroll_seq2seq.errors import ModelInUseError
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import generate
from pianoroll_seq2seq.train import fit
from pianoroll_seq2seq.train.events import EpochEnd

ROLL = PianoRoll.from_active(np.random.default_rng(0).random((60, 6)) < 0.3, pitches=PitchRange(60, 65))
WINDOWS = active_windows([ROLL], input_frames=8, target_frames=4, hop=1)


def model(seed: int) -> Seq2SeqLSTM:
    torch.manual_seed(seed)
    return Seq2SeqLSTM(WINDOWS.layout, hidden_size=8, dropout=0.5)


def losses(trained: Seq2SeqLSTM, seed: int) -> list[float]:
    return list(fit(trained, WINDOWS, epochs=3, batch_size=4, progress=False, seed=seed).train_losses)


def test_two_trainings_at_once_are_as_each_alone() -> None:
    """The dropout of one training takes random numbers of the other."""
    alone = [losses(model(seed), seed) for seed in range(3)]
    models = [model(seed) for seed in range(3)]
    before = torch.get_rng_state()
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(losses, models, range(3)))
    assert together == alone
    assert torch.equal(torch.get_rng_state(), before)


def test_generation_beside_training_is_refused_and_changes_nothing() -> None:
    """Music of a model with dropout, and a training without it."""
    alone = losses(model(0), 0)
    trained, refused = model(0), []

    def on_epoch(event: EpochEnd) -> None:
        generate(trained, ROLL, num_frames=2)  # in the thread that trains
        with ThreadPoolExecutor(1) as pool:
            refused.append(type(pool.submit(lambda: generate(trained, ROLL, num_frames=2)).exception()))

    history = fit(trained, WINDOWS, epochs=3, batch_size=4, progress=False, seed=0, on_epoch=[on_epoch])
    assert refused == [ModelInUseError] * 3
    assert list(history.train_losses) == alone
    generate(trained, ROLL, num_frames=2)


def test_training_beside_generation_is_refused() -> None:
    trained, started = model(0), []

    def sampler(distribution, *, generator):  # type: ignore[no-untyped-def]
        with ThreadPoolExecutor(1) as pool:
            started.append(pool.submit(losses, trained, 0).exception())
        return distribution.mean.round()

    generate(trained, ROLL, num_frames=1, sampler=sampler)
    with pytest.raises(ModelInUseError, match="generates or scores"):
        raise started[0]  # type: ignore[misc]


def test_models_of_several_threads_generate_as_alone() -> None:
    """A model in training mode generates with dropout while another thread ends."""
    shared = model(0).train()
    alone = [generate(shared, ROLL, num_frames=12, seed=seed) for seed in range(6)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda seed: generate(shared, ROLL, num_frames=12, seed=seed), range(6)))
    assert together == alone
    assert shared.training
