"""What ``fit`` is made of: batches made ahead, averaged weights, precision, learning rates."""

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pianoroll_seq2seq import (
    Augmentation,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    SequenceModel,
    SlidingWindows,
    find_learning_rate,
    fit,
)
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.train import precision
from pianoroll_seq2seq.train.averaging import AveragedModel
from pianoroll_seq2seq.train.batches import Batches, Pick
from pianoroll_seq2seq.train.precision import Arithmetic, cpu_knows_bfloat16

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")


def windows(augmentation: Augmentation | None = None) -> SlidingWindows:
    active = np.random.default_rng(0).random((40, 5)) < 0.3
    rolls = [PianoRoll.from_active(active, pitches=PitchRange(60, 64))]
    return SlidingWindows(rolls, input_frames=4, target_frames=3, hop=1, augmentation=augmentation)


def model(**changes: Any) -> Seq2SeqLSTM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Seq2SeqLSTM(5, **{"hidden": 6} | changes)


# ---- Batches


def test_batches_are_the_ones_asked_for() -> None:
    """A batch is overwritten by a later one while it is in use, or they come in another order."""
    data = windows()
    picks = [Pick(np.random.default_rng(seed).integers(0, len(data), 1 + seed % 4), [seed]) for seed in range(50)]
    for pick, batch in zip(picks, Batches(data, CPU, 4)(picks), strict=True):
        expected = data.batch(pick.windows)
        for _ in range(3):  # however long it is used
            torch.rand(1000).sum()
        assert torch.equal(batch.inputs, expected[0])
        assert torch.equal(batch.targets, expected[1])


def test_variations_follow_from_the_seed_alone() -> None:
    """A resumed run hears other variations than one that never stopped."""
    data = windows(Augmentation(semitones=(-2, 2)))
    picks = [Pick(np.arange(4), [seed]) for seed in range(6)]
    whole = [batch.inputs.clone() for batch in Batches(data, CPU, 4)(picks)]
    rest = [batch.inputs.clone() for batch in Batches(data, CPU, 4)(picks[3:])]
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(rest, whole[3:], strict=True))
    assert not torch.equal(whole[0], whole[1])


def test_an_error_in_the_thread_is_raised_here() -> None:
    """Windows that cannot be read leave training waiting for ever."""
    batches = Batches(windows(), CPU, 4)([Pick(np.array([0]), [0]), Pick(np.array([10_000]), [0])])
    next(batches)
    with pytest.raises(IndexError):
        next(batches)


def test_no_thread_is_left_behind() -> None:
    """Every interrupted epoch leaves a thread that holds its windows in memory."""
    before = threading.active_count()
    batches = Batches(windows(), CPU, 4)(Pick(np.array([index]), [0]) for index in range(20))
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


# ---- Averages


def test_an_average_follows_its_formula() -> None:
    """The average is not the one in the documentation."""
    trained = model()
    average = AveragedModel(trained, 0.5)
    expected = trained.head.logits.weight.detach().clone()  # type: ignore[union-attr]
    for step in range(1, 6):
        with torch.no_grad():
            trained.head.logits.weight += 1.0  # type: ignore[union-attr, operator]
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * trained.head.logits.weight.detach()  # type: ignore[union-attr]
        torch.testing.assert_close(average.model.head.logits.weight.detach(), expected)


def test_an_average_takes_the_statistics_along() -> None:
    """An averaged model with batch normalisation keeps the statistics from before training."""
    changes: dict[str, Any] = {"decoder": "parallel", "block_frames": 3, "batch_norm": True}
    trained = model(**changes)
    fit(trained, windows(), epochs=1, batch_size=8, ema_decay=0.9, progress=False)
    assert int(trained.encoder_norm.num_batches_tracked) > 0  # type: ignore[arg-type]


def test_an_average_is_smoother() -> None:
    """Averaging is switched on and does nothing."""
    losses = {}
    for decay in (None, 0.9):
        optimizer_model = model(hidden=12)
        optimizer = torch.optim.Adam(optimizer_model.parameters(), lr=0.1)
        history = fit(
            optimizer_model, windows(), windows(), epochs=8, batch_size=4, optimizer=optimizer, ema_decay=decay,
            progress=False,
        )  # fmt: skip
        losses[decay] = history.valid_losses
    assert np.abs(np.diff(losses[0.9])).mean() < np.abs(np.diff(losses[None])).mean()


# ---- Precision


@pytest.mark.skipif(not cpu_knows_bfloat16(), reason="this CPU has no bfloat16")
def test_fewer_digits_learn_the_same() -> None:
    """bfloat16 is ignored, changes the weights' type, or does not learn."""
    exact, rough = model(dropout=0.2), model(dropout=0.2)
    expected = fit(exact, windows(), windows(), epochs=6, batch_size=4, precision="float32", progress=False)
    found = fit(rough, windows(), windows(), epochs=6, batch_size=4, precision="bfloat16", progress=False)
    assert found.train_losses != expected.train_losses
    assert found.valid_losses == pytest.approx(expected.valid_losses, rel=0.02)
    assert {parameter.dtype for parameter in rough.parameters()} == {torch.float32}


def test_digits_that_a_cpu_does_not_know_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU without AVX-512 the error speaks of primitive descriptors."""
    monkeypatch.setattr(precision, "cpu_knows_bfloat16", lambda: False)
    with pytest.raises(SettingsError, match="Choose 'float32', or 'auto'"):
        fit(model(), windows(), epochs=1, batch_size=4, precision="bfloat16", progress=False)


def test_float16_on_a_cpu_is_refused() -> None:
    """The error speaks of primitive descriptors."""
    with pytest.raises(SettingsError, match="On a CPU choose 'bfloat16'"):
        fit(model(), windows(), epochs=1, batch_size=4, precision="float16", progress=False)


def test_a_step_that_overflows_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """One overflow in float16 fills the weights with NaN; or the scale of the loss is forgotten at a restart."""
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scaled, again = Arithmetic("float32", CPU, clip_norm=1.0), Arithmetic("float32", CPU, clip_norm=1.0)
    for arithmetic in (scaled, again):  # as on a GPU
        monkeypatch.setattr(arithmetic, "scaler", torch.amp.GradScaler("cpu"))
    scale = scaled.state()["scale"]
    scaled.backward((weight * torch.tensor(math.inf)).sum())
    scaled.update(optimizer, [weight])
    assert weight.tolist() == [1.0, 1.0]
    assert scaled.state()["scale"] == scale / 2
    again.load_state(scaled.state())
    assert again.state() == scaled.state()
    optimizer.zero_grad()
    scaled.backward((weight * 0.1).sum())
    scaled.update(optimizer, [weight])
    torch.testing.assert_close(weight.detach(), torch.full((2,), 0.9))


# ---- Learning rates


def test_a_learning_rate_is_found() -> None:
    """The suggested rate does not train, or looking for it trains the model."""
    untouched = model()
    before = {name: value.clone() for name, value in untouched.state_dict().items()}
    curve = find_learning_rate(untouched, windows(), batch_size=8, steps=60, progress=False)
    assert all(torch.equal(value, before[name]) for name, value in untouched.state_dict().items())
    assert len(curve.rates) == len(curve.losses) <= 60
    assert curve.rates[0] == pytest.approx(1e-5)
    np.testing.assert_allclose(np.diff(np.log(curve.rates)), np.log(1e5) / 59)
    assert curve.suggestion == curve.rates[int(np.argmin(curve.losses))] / 10
    assert 1e-3 < curve.suggestion < 1.0
    trained = model()
    optimizer = torch.optim.Adam(trained.parameters(), lr=curve.suggestion)
    history = fit(trained, windows(), epochs=10, batch_size=8, optimizer=optimizer, progress=False)
    assert history.train_losses[-1] < 0.9 * history.train_losses[0]


def test_a_search_ends_when_the_loss_explodes() -> None:
    """The search goes on for ever with NaN, or ends in an error."""
    make: Callable[[SequenceModel, float], torch.optim.Optimizer] = lambda trial, rate: torch.optim.SGD(  # noqa: E731
        trial.parameters(), lr=rate
    )
    curve = find_learning_rate(
        model(), windows(), batch_size=8, lowest=1e-2, highest=1e12, steps=50, optimizer=make, progress=False
    )
    assert 1 < len(curve.rates) < 50
    assert all(math.isfinite(loss) for loss in curve.losses)


def test_a_curve_can_be_drawn() -> None:
    """One cannot see which rate is suggested."""
    axes = find_learning_rate(model(), windows(), batch_size=8, steps=20, progress=False).plot()
    assert axes.get_xscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate", "loss (nats per frame)")


@pytest.mark.parametrize("change", [{"lowest": 0.0}, {"lowest": 1.0, "highest": 0.1}, {"steps": 2}])
def test_a_search_out_of_range_is_refused(change: dict[str, Any]) -> None:
    """Rates in the wrong order fail somewhere inside."""
    with pytest.raises(SettingsError, match="Rates must rise"):
        find_learning_rate(model(), windows(), batch_size=8, progress=False, **change)


# ---- Arguments


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
    """A mistake is found after hours, or never."""
    with pytest.raises(SettingsError, match=named):
        fit(model(), windows(), **{"epochs": 1, "batch_size": 8} | change)
