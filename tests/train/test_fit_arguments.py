"""What ``fit`` refuses before it trains, and what it does with a device, a tracker and the log."""

import json
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from run_helpers import fit_small, have_same_weights, make_model, make_windows, without_seconds

from pianoroll_seq2seq import (
    FanOut,
    History,
    JsonlTracker,
    PianoRoll,
    Tracker,
    cosine_schedule,
    evaluate,
    find_learning_rate,
    fit,
    generate,
    likelihood,
)
from pianoroll_seq2seq.checkpoint import restore
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError, TrainingDivergedError

pytestmark = pytest.mark.usefixtures("one_thread")

ROLL = PianoRoll.from_active(np.eye(5, dtype=bool)[[0, 1, 2, 3, 4, 3, 2, 1, 0]], pitches=make_windows().layout.pitches)


def unchecked(call: Any, *arguments: Any, **named: Any) -> Any:
    """A call as a user without a type checker writes it."""
    return call(*arguments, **named)


@pytest.mark.parametrize(
    "wrong", [[], (), [ROLL], ROLL, {}, "windows", np.zeros((2, 4, 5))], ids=lambda each: str(type(each))
)
def test_what_is_no_windows_is_refused(wrong: Any) -> None:
    """Rolls, or an empty list as validation, end in an error of Python's."""
    model, windows = make_model(), make_windows()
    arguments: dict[str, Any] = {"epochs": 1, "batch_size": 4, "progress": False}
    with pytest.raises(SettingsError, match=r"train must be windows, got an? \w+.*SlidingWindows\("):
        unchecked(fit, model, wrong, **arguments)
    with pytest.raises(SettingsError, match=r"valid must be windows, got .*Pass None to train without validation"):
        unchecked(fit, model, windows, wrong, **arguments)
    with pytest.raises(SettingsError, match="must be windows"):
        unchecked(find_learning_rate, model, wrong, batch_size=4, progress=False)
    with pytest.raises(SettingsError, match=r"evaluate needs windows, got"):
        unchecked(evaluate, model, wrong)
    assert have_same_weights(model, make_model())


class NoExamples:
    layout, input_frames, target_frames, num_target_frames, augmentation = make_windows().layout, 4, 4, 0, None

    def __len__(self) -> int:
        return 0

    def batch(self, indices: Any, *, generator: Any = None, out: Any = None) -> Any:
        raise AssertionError

    def target_mask(self, indices: Any) -> None:
        return None


def test_examples_without_any_are_refused() -> None:
    with pytest.raises(SettingsError, match="train has no examples"):
        unchecked(fit_small, make_model(), NoExamples())


# ---- The type of the weights


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_in_16_bits_are_refused_by_fit(dtype: torch.dtype) -> None:
    """Training ends in an error of PyTorch's."""
    with pytest.raises(SettingsError, match=rf"float32 or float64, but the model's are {dtype}.*model\.float\(\)"):
        fit_small(make_model().to(dtype), make_windows())


def test_float64_trains_like_float32() -> None:
    exact, plain = make_model().double(), make_model()
    history, expected = (fit_small(model, make_windows(), make_windows(1)) for model in (exact, plain))
    assert next(exact.parameters()).dtype == torch.float64
    np.testing.assert_allclose(history.train_losses, expected.train_losses, rtol=1e-4)
    np.testing.assert_allclose(history.valid_losses, expected.valid_losses, rtol=1e-4)


def cpu_has(dtype: torch.dtype) -> bool:
    try:
        torch.nn.LSTM(1, 1).to(dtype)(torch.zeros(1, 1, 1, dtype=dtype))
    except RuntimeError:
        return False
    return True


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_models_of_any_type_are_scored_and_generate(dtype: torch.dtype) -> None:
    """A model in another type than float32 ends in an error of PyTorch's."""
    plain, other = make_model(), make_model().to(dtype)
    windows = make_windows()
    tolerance = 0.05 if dtype.itemsize < 4 else 1e-4
    if not cpu_has(dtype):
        with pytest.raises(SettingsError, match="which this CPU cannot compute with"):
            likelihood(other, [ROLL], input_frames=4)
        return
    scored = likelihood(other, [ROLL], input_frames=4)
    assert scored.nats == pytest.approx(likelihood(plain, [ROLL], input_frames=4).nats, rel=tolerance)
    assert evaluate(other, windows).model.all.nats == pytest.approx(
        evaluate(plain, windows).model.all.nats, rel=tolerance
    )
    assert len(generate(other, [ROLL, ROLL], num_frames=6)[1]) == len(generate(other, ROLL, num_frames=6)) == 6


# ---- The device


def test_the_device_is_chosen_by_fit() -> None:
    """The model has to be moved by hand."""
    model = make_model()
    fit_small(model, make_windows(), epochs=1, device="cpu")
    fit_small(
        model, make_windows(), epochs=1, device=torch.device("cpu"), optimizer=torch.optim.Adam(model.parameters())
    )
    for device in ("teapot", *(() if torch.cuda.is_available() else ("cuda",))):
        with pytest.raises(SettingsError, match=f"The device '{device}' is not available on this machine"):
            fit_small(model, make_windows(), epochs=1, device=device)


# ---- The tracker


def statuses(path: Path) -> list[str]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line["status"] for line in lines if "status" in line]


@pytest.mark.parametrize("kind", ["one", "several"])
def test_a_tracker_that_is_not_open_is_opened(tmp_path: Path, kind: str) -> None:
    """`fit(tracker=JsonlTracker(path))` ends in an error after the data were read."""
    one, other = JsonlTracker(tmp_path / "one.jsonl"), JsonlTracker(tmp_path / "other.jsonl")
    tracker: Tracker = one if kind == "one" else FanOut(one, other)
    fit_small(make_model(), make_windows(), epochs=1, tracker=tracker)
    assert statuses(one.path) == ["running", "finished"]
    assert not one.is_open
    with tracker:
        fit_small(make_model(), make_windows(), epochs=1, tracker=tracker)
        tracker.log_metrics({"score": 1.0}, step=5)
    assert statuses(one.path) == ["running", "finished"] * 2
    with one, other:  # each by itself
        fit_small(make_model(), make_windows(), epochs=1, tracker=tracker)
        one.log_metrics({"score": 1.0}, step=5)
    assert statuses(one.path) == ["running", "finished"] * 3


def test_a_tracker_that_fit_opened_knows_of_a_failure(tmp_path: Path) -> None:
    """A run that failed is recorded as finished."""
    model = make_model()
    torch.nn.init.constant_(model.head.logits.bias, float("nan"))  # type: ignore[union-attr, arg-type]
    with pytest.raises(TrainingDivergedError):
        fit_small(model, make_windows(), tracker=JsonlTracker(tmp_path / "run.jsonl"))
    assert statuses(tmp_path / "run.jsonl") == ["running", "failed"]
    with pytest.raises(SettingsError):
        fit_small(make_model(), make_windows(), epochs=0, tracker=JsonlTracker(tmp_path / "never.jsonl"))
    assert not (tmp_path / "never.jsonl").exists()


# ---- The log and the table


def test_the_log_follows_a_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A job without a terminal shows no sign of life; or the library prints without being asked."""
    fit_small(make_model(), make_windows(), make_windows(1), epochs=2, checkpoint_dir=tmp_path)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    caplog.set_level(logging.INFO, logger="pianoroll_seq2seq")
    history = fit_small(make_model(), make_windows(), make_windows(1), epochs=3, checkpoint_dir=tmp_path)
    assert {record.name for record in caplog.records} == {"pianoroll_seq2seq"}
    resumed, epoch, stopped = caplog.messages
    assert resumed.startswith(f"resumed from {tmp_path / 'last.safetensors'}: 2 epochs")
    last = history.epochs[-1]
    assert epoch.startswith(f"epoch 3 of 3: train_loss {last.train_loss:.4f}, valid_loss {last.valid_loss:.4f} (")
    assert stopped == f"stopped by epochs, best epoch {history.best_epoch}"


def test_warnings_of_long_work_are_in_the_log_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A log has no trace of a damaged checkpoint."""
    history = fit_small(make_model(), make_windows(), epochs=2, checkpoint_dir=tmp_path)
    (tmp_path / "last.safetensors").write_bytes(b"")
    with pytest.warns(UserWarning, match="Training resumes from"):
        again = fit_small(make_model(), make_windows(), epochs=2, checkpoint_dir=tmp_path)
    assert without_seconds(again) == without_seconds(history)
    assert "Training resumes from" in caplog.text


@pytest.mark.parametrize("seed", [-1, 1.5, "7", None])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    arguments: dict[str, Any] = {"epochs": 1, "batch_size": 4, "progress": False, "seed": seed}
    with pytest.raises(SettingsError, match="seed must be an integer, at least 0, got"):
        fit(make_model(), make_windows(), **arguments)


@pytest.mark.parametrize("schedule", [None, cosine_schedule()])
def test_the_learning_rate_of_an_optimizer_that_is_used_again(tmp_path: Path, schedule: Any) -> None:
    """A user lowers the rate between two runs, which has no effect; or the second run goes on with a rate of 0."""
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for rate in (0.5, 0.5, 0.25):
        optimizer.param_groups[0]["lr"] = rate
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        rates: list[float] = []
        history = fit_small(
            model,
            make_windows(),
            optimizer=optimizer,
            schedule=schedule,
            checkpoint_dir=folder,
            on_step=[lambda event, rates=rates: rates.append(event.learning_rate)],
        )
        factors = [1.0 if schedule is None else schedule(step, len(rates)) for step in range(len(rates))]
        assert rates == [rate * factor for factor in factors]
        assert history.epochs[-1].learning_rate == rates[-1]
        assert optimizer.param_groups[0]["lr"] == rate
        restore(folder / "last.safetensors", model, optimizer)
        assert optimizer.param_groups[0]["lr"] == rate


def test_an_optimizer_that_needs_a_closure_is_refused() -> None:
    model = make_model()
    with pytest.raises(SettingsError, match=r"LBFGS needs a function .*closure"):
        fit_small(model, make_windows(), optimizer=torch.optim.LBFGS(model.parameters()))
    with pytest.raises(SettingsError, match="'meta' holds no weights"):
        fit_small(model, make_windows(), device="meta")
    assert have_same_weights(model, make_model())


def test_a_history_as_a_table() -> None:
    pandas = pytest.importorskip("pandas")
    history = fit_small(make_model(), make_windows(), make_windows(1), epochs=2)
    table = history.to_frame()
    assert table.index.tolist() == [1, 2]
    assert list(table) == ["step", "train_loss", "valid_loss", "learning_rate", "seconds"]
    assert table["valid_loss"].tolist() == history.valid_losses
    assert fit_small(make_model(), make_windows(), epochs=1).to_frame()["valid_loss"].isna().all()
    assert isinstance(History().to_frame(), pandas.DataFrame)
    assert History().to_frame().empty
    assert (History().to_frame().dtypes == table.dtypes).all()  # so that nsmallest and means work


def test_a_table_needs_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"History\.to_frame needs .*pianoroll-seq2seq\[pandas\]"):
        History().to_frame()
