"""The training loop."""

import json
import math
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from typechecker import as_users_have_it

from pianoroll_seq2seq import (
    BeatGrid,
    History,
    JsonlTracker,
    NoTracker,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    SlidingWindows,
    Threshold,
    Tracker,
    cosine_schedule,
    fit,
    generate,
    load,
)
from pianoroll_seq2seq.checkpoint import read_header
from pianoroll_seq2seq.errors import (
    CheckpointError,
    OverwriteError,
    SettingsError,
    TrainingDivergedError,
)
from pianoroll_seq2seq.train import mean_loss
from pianoroll_seq2seq.train.precision import cpu_knows_bfloat16

PITCHES = PitchRange(60, 64)
FILES = {"best.safetensors", "last.safetensors", "previous.safetensors", "history.jsonl"}


pytestmark = pytest.mark.usefixtures("one_thread")


def _windows(seed: int = 0, frames: int = 25, pitches: PitchRange = PITCHES, **changes: Any) -> SlidingWindows:
    active = np.random.default_rng(seed).random((frames, len(pitches))) < 0.3
    roll = PianoRoll.from_active(active, grid=changes.pop("grid", BeatGrid(4)), pitches=pitches)
    return SlidingWindows([roll], **{"input_frames": 4, "target_frames": 4, "hop": 1} | changes)


def _model(**changes: Any) -> Seq2SeqLSTM:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return Seq2SeqLSTM(**{"pitches": 5, "hidden": 6, "encoder_layers": 1, "decoder_layers": 1} | changes)


def _fit(model: Any, train: SlidingWindows, valid: SlidingWindows | None = None, **changes: Any) -> History:
    return fit(model, train, valid, **{"epochs": 3, "batch_size": 4, "progress": False} | changes)


def _timeless(history: History) -> History:
    """Everything of a history that can be the same twice."""
    return replace(history, epochs=tuple(replace(epoch, seconds=0.0) for epoch in history.epochs))


def _same_weights(first: nn.Module, second: nn.Module) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- Stand-ins: a model whose losses are written down, an optimizer that tells what it is asked


@dataclass(frozen=True)
class Scripted:
    """A distribution of a given loss; its weight goes down by the learning rate with each step."""

    loss: float
    weight: Tensor
    shape: tuple[int, ...]

    def log_prob(self, frames: Tensor) -> Tensor:
        return -(self.loss + self.weight - self.weight.detach()).expand(frames.shape[:-1])

    def sample(self, *, generator: torch.Generator) -> Tensor:
        return torch.zeros(self.shape)

    @property
    def mean(self) -> Tensor:
        return torch.zeros(self.shape)

    def __getitem__(self, index: Any) -> "Scripted":
        return self

    def tempered(self, temperature: float) -> "Scripted":
        return self


class ScriptedModel(nn.Module):
    """Plays back losses, one for each time it is asked. After ``n`` steps of rate 1 its weight is ``-n``."""

    def __init__(self, train: Sequence[float], valid: Sequence[float] = ()) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self._train_losses, self._valid_losses = list(train), list(valid)

    def forward(self, inputs: Tensor, targets: Tensor) -> Scripted:
        losses = self._train_losses if self.training else self._valid_losses
        return Scripted(losses.pop(0), self.weight, tuple(targets.shape))

    def start(self, primer: Tensor) -> tuple[Scripted, Any]:
        raise NotImplementedError

    def advance(self, frame: Tensor, state: Any) -> tuple[Scripted, Any]:
        raise NotImplementedError


def _play(
    train: Sequence[float], valid: Sequence[float] | None = None, **changes: Any
) -> tuple[History, ScriptedModel]:
    """Trains on a single window, so that each epoch asks for one loss of each kind."""
    model = ScriptedModel(train, valid or ())
    window = _windows(frames=8)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    validation = None if valid is None else window
    return _fit(
        model, window, validation, **{"epochs": len(train), "optimizer": optimizer, "clip_norm": None} | changes
    ), model


class Listening(torch.optim.SGD):
    """Notes the rates of its groups and the length of the gradient at each step."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.rates: list[list[float]] = []
        self.norms: list[float] = []

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        gradients = [parameter.grad for group in self.param_groups for parameter in group["params"]]
        self.rates.append([group["lr"] for group in self.param_groups])
        self.norms.append(float(torch.linalg.vector_norm(torch.cat([g.flatten() for g in gradients if g is not None]))))
        super().step(closure)


class Diary(NoTracker):
    """Remembers what it was told; may be told to interrupt."""

    def __init__(self, at_epoch: Callable[[int], None] = lambda epoch: None) -> None:
        self.params: list[dict[str, Any]] = []
        self.metrics: list[tuple[int, dict[str, float]]] = []
        self.flushed_after: list[int] = []
        self._at_epoch = at_epoch

    def log_params(self, params: Mapping[str, Any]) -> None:
        self.params.append(dict(params))

    def log_metrics(self, metrics: Mapping[str, float], *, step: int) -> None:
        self.metrics.append((step, dict(metrics)))
        self._at_epoch(int(metrics["epoch"]))

    def flush(self) -> None:
        self.flushed_after.append(len(self.metrics))


# ---- Learning


def test_the_loss_falls() -> None:
    """Training does not learn."""
    model = _model(hidden=16)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    history = _fit(model, _windows(), _windows(1), epochs=20, batch_size=8, optimizer=optimizer)
    losses = history.train_losses
    assert all(later < sooner for sooner, later in zip(losses, losses[5:], strict=False))
    assert losses[-1] < 0.7 * losses[0]
    assert [epoch.epoch for epoch in history.epochs] == list(range(1, 21))
    assert [epoch.step for epoch in history.epochs] == [3 * epoch for epoch in range(1, 21)]  # 18 windows by 8
    assert all(epoch.seconds > 0 for epoch in history.epochs)


@pytest.mark.parametrize(("decoder", "epochs"), [("autoregressive", 150), ("parallel", 300)])
def test_learns_two_melodies_by_heart(decoder: Literal["autoregressive", "parallel"], epochs: int) -> None:
    """The model cannot learn even what it hears over and over, so something between frames and loss is wrong."""
    melodies = []
    for step in (1, -1):
        active = np.zeros((12, 5), bool)
        active[np.arange(12), (2 + step * np.arange(12)) % 5] = True
        melodies.append(PianoRoll.from_active(active, pitches=PITCHES))
    windows = SlidingWindows(melodies, input_frames=4, target_frames=8, hop=1)
    model = _model(hidden=48, decoder=decoder, block_frames=8)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    history = _fit(model, windows, epochs=epochs, batch_size=2, optimizer=optimizer, schedule=cosine_schedule())
    assert history.train_losses[-1] < 0.1 * history.train_losses[0]
    for melody in melodies:
        assert np.array_equal(generate(model, melody[:4], frames=8, sampler=Threshold(0.5)).active, melody[4:].active)


def test_equal_seeds_give_equal_runs() -> None:
    """A result cannot be had again."""
    first, second, other = (_model(dropout=0.4) for _ in range(3))
    torch.manual_seed(1)
    history = _fit(first, _windows(), _windows(1), seed=3)
    torch.manual_seed(2)  # what else goes on in the program does not matter
    assert _timeless(_fit(second, _windows(), _windows(1), seed=3)) == _timeless(history)
    assert _same_weights(first, second)
    assert _timeless(_fit(other, _windows(), _windows(1), seed=4)) != _timeless(history)
    assert not _same_weights(first, other)


def test_randomness_of_the_program_is_left_alone() -> None:
    """Training in the middle of a program changes what its random numbers are afterwards."""
    torch.manual_seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index] # noqa: NPY002
    _fit(_model(dropout=0.4, frame_noise=0.1), _windows(), _windows(1), seed=9)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[index] # noqa: NPY002
    with pytest.raises(TrainingDivergedError):
        _play([math.nan])
    assert torch.equal(torch.get_rng_state(), before[0])


class Listener(Seq2SeqLSTM):
    """Notes which windows it is trained on."""

    def forward(self, inputs: Tensor, targets: Tensor) -> Any:
        if self.training:
            self.__dict__.setdefault("heard", []).append(torch.cat([inputs, targets], dim=1).clone())
        return super().forward(inputs, targets)


@pytest.mark.parametrize("batch_size", [1, 4, 18, 100])
def test_every_epoch_hears_every_window_once(batch_size: int) -> None:
    """Some of the music is never learned from, or the order is the same in every epoch."""
    windows = _windows()
    with torch.random.fork_rng():
        model = Listener(5, hidden=4)
    _fit(model, windows, epochs=2, batch_size=batch_size)
    batches = model.__dict__["heard"]
    steps = math.ceil(18 / batch_size)
    assert len(batches) == 2 * steps
    epochs = [
        [tuple(window.flatten().tolist()) for window in torch.cat(half)] for half in (batches[:steps], batches[steps:])
    ]
    expected = sorted(tuple(torch.cat(windows[index]).flatten().tolist()) for index in range(18))
    assert sorted(epochs[0]) == sorted(epochs[1]) == expected
    assert epochs[0] != epochs[1]


def test_no_batch_of_a_single_window_is_left_over() -> None:
    """Batch normalisation, as in the model of 2017, cannot learn from one window; 17 by 4 would leave one."""
    windows = _windows(frames=24)
    assert len(windows) % 4 == 1
    model = Seq2SeqLSTM(len(windows.pitches), hidden=4, decoder="parallel", block_frames=4, batch_norm=True)
    assert math.isfinite(_fit(model, windows, epochs=1).train_losses[0])


@pytest.mark.parametrize("batch_size", [1, 5, 18, 256])
def test_mean_loss_is_the_mean_over_frames(batch_size: int) -> None:
    """Losses depend on the batch size, and cannot be compared."""
    model, windows = _model(dropout=0.9).train(), _windows()
    found = mean_loss(model, windows, batch_size=batch_size)
    assert model.training  # as it was before
    model.eval()
    with torch.no_grad():
        each = [
            -model(x[None], y[None]).log_prob(y[None]).double().mean() for x, y in map(windows.__getitem__, range(18))
        ]
    assert found == pytest.approx(float(torch.stack(each).mean()), rel=1e-6)


def test_train_loss_is_the_mean_over_windows() -> None:
    """If a smaller batch counted as much as a whole one, losses would depend on the batch size."""
    model = ScriptedModel([1.0, 1.0, 1.0, 1.0, 9.0] * 2)  # 18 windows by 4: batches of 4, 4, 4, 3 and 3
    history = _fit(model, _windows(), epochs=2, optimizer=torch.optim.SGD(model.parameters(), lr=0.0))
    assert history.train_losses == pytest.approx([(15 * 1 + 3 * 9) / 18] * 2)


def test_validation_is_that_of_the_weights_after_the_epoch() -> None:
    """The validation loss belongs to other weights, or is measured with dropout."""
    model, valid = _model(dropout=0.6), _windows(1)
    history = _fit(model, _windows(), valid, epochs=1)
    assert history.valid_losses == [mean_loss(model, valid)]


@pytest.mark.skipif(not cpu_knows_bfloat16(), reason="this CPU has no bfloat16")
def test_bfloat16_trains_on_a_cpu() -> None:
    """precision="bfloat16" does not run where there is no GPU, is ignored, or changes the weights' type."""
    exact, rough = _model(), _model()
    exact_history = _fit(exact, _windows(), _windows(1), epochs=5, precision="float32")
    rough_history = _fit(rough, _windows(), _windows(1), epochs=5, precision="bfloat16")
    assert rough_history.train_losses != exact_history.train_losses
    assert rough_history.train_losses == pytest.approx(exact_history.train_losses, rel=0.02)
    assert rough_history.train_losses[-1] < rough_history.train_losses[0]
    assert {parameter.dtype for parameter in rough.parameters()} == {torch.float32}


def test_auto_precision_is_exact_on_a_cpu() -> None:
    """The default loses digits on a CPU, for nothing."""
    assert _timeless(_fit(_model(), _windows(), precision="auto")) == _timeless(
        _fit(_model(), _windows(), precision="float32")
    )


# ---- The best epoch, and when to stop

_eighths = st.integers(0, 40).map(lambda eighths: eighths / 8)  # exact in every float type


@settings(deadline=None, max_examples=40)
@given(
    losses=st.lists(st.tuples(_eighths, _eighths), min_size=1, max_size=8),
    patience=st.none() | st.integers(1, 4),
    min_delta=st.sampled_from([0.0, 0.25, 1.0]),
    monitor=st.sampled_from(["auto", "train_loss", "valid_loss"]),
)
def test_ends_with_the_best_weights_when_patience_is_out(
    losses: list[tuple[float, float]], patience: int | None, min_delta: float, monitor: str
) -> None:
    """Training stops too soon or too late, or the model ends with weights of an epoch that was not the best."""
    train, valid = ([pair[kind] for pair in losses] for kind in (0, 1))
    history, model = _play(train, valid, patience=patience, min_delta=min_delta, monitor=monitor)
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


def test_a_run_that_does_not_move_is_stopped() -> None:
    """A run with nothing to gain goes on through all its epochs."""
    model = _model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    history = _fit(model, _windows(), _windows(1), epochs=50, optimizer=optimizer, patience=3)
    assert (len(history.epochs), history.best_epoch, history.stopped_by) == (4, 1, "patience")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_without_validation_the_training_loss_decides() -> None:
    """Training without validation windows keeps the weights of any epoch."""
    history, model = _play([3.0, 1.0, 2.0])
    assert (history.best_epoch, float(model.weight.detach())) == (2, -2.0)
    assert history.valid_losses == []


def test_best_weights_are_those_of_the_best_checkpoint(tmp_path: Path) -> None:
    """The model in memory and the one in best.safetensors are different models."""
    model = _model(hidden=12)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.2)  # overfits at once
    history = _fit(model, _windows(), _windows(1), epochs=12, optimizer=optimizer, checkpoint_dir=tmp_path)
    assert history.best_epoch is not None
    assert history.best_epoch < 12
    best = load(tmp_path / "best.safetensors")
    assert _same_weights(model, best)
    assert not _same_weights(model, load(tmp_path / "last.safetensors"))
    assert mean_loss(best, _windows(1)) == min(history.valid_losses)


# ---- Learning rate and gradients


def test_schedule_reaches_every_group_at_every_step() -> None:
    """The learning rate is not the one that was asked for."""
    model = _model()
    groups = [
        {"params": list(model.encoder_lstm.parameters()), "lr": 0.5},
        {"params": [*model.decoder_lstm.parameters(), *model.head.parameters()], "lr": 0.1},  # type: ignore[attr-defined]
    ]
    optimizer = Listening(groups)
    asked: list[tuple[int, int]] = []

    def schedule(step: int, total: int) -> float:
        asked.append((step, total))
        return 1 / (1 + step)

    history = _fit(model, _windows(), epochs=3, optimizer=optimizer, schedule=schedule)
    assert set(asked) == {(step, 15) for step in range(15)}
    assert optimizer.rates == [[0.5 * (1 / (1 + step)), 0.1 * (1 / (1 + step))] for step in range(15)]
    assert [epoch.learning_rate for epoch in history.epochs] == [0.5 / 5, 0.5 / 10, 0.5 / 15]


def test_without_a_schedule_the_rate_stays() -> None:
    """The learning rate changes unasked; or a second training goes on at the last rate of the first."""
    model = _model()
    optimizer = Listening(model.parameters(), lr=0.25)
    _fit(model, _windows(), epochs=1, optimizer=optimizer, schedule=cosine_schedule(0.0))
    optimizer.rates.clear()
    _fit(model, _windows(), epochs=2, optimizer=optimizer)
    assert optimizer.rates == [[0.25]] * 10


@settings(deadline=None)
@given(warmup=st.floats(0, 0.99), total=st.integers(1, 400))
def test_cosine_goes_up_once_and_then_down(warmup: float, total: int) -> None:
    """The learning rate jumps, turns negative, or never reaches what was asked for."""
    schedule = cosine_schedule(warmup)
    factors = [schedule(step, total) for step in range(total)]
    top = int(np.argmax(factors))
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[top] == 1.0
    assert top <= math.ceil(warmup * total)
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top:] == sorted(factors[top:], reverse=True)


@pytest.mark.parametrize("warmup", [-0.1, 1.0, math.nan])
def test_cosine_refuses_a_warmup_out_of_range(warmup: float) -> None:
    """A warmup given in steps or percent is taken for a share."""
    with pytest.raises(SettingsError, match="warmup"):
        cosine_schedule(warmup)


def test_gradients_are_cut_to_the_norm() -> None:
    """A single bad batch throws the model off, though clip_norm was set; or clip_norm=None still cuts."""
    norms = {}
    for clip_norm in (0.01, 1e6, None):
        model = _model()
        optimizer = Listening(model.parameters(), lr=1e-6)
        _fit(model, _windows(), epochs=1, optimizer=optimizer, clip_norm=clip_norm)
        norms[clip_norm] = optimizer.norms
    assert norms[0.01] == pytest.approx([0.01] * 5, rel=1e-3)
    assert norms[1e6] == norms[None]
    assert min(norms[None]) > 0.1


# ---- Divergence


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_divergence_names_the_epoch_and_the_way_out(tmp_path: Path, loss: float) -> None:
    """Training goes on for hours with NaN weights, overwrites good checkpoints with them, or does not say where."""
    before: dict[str, bytes] = {}

    def remember(epoch: int) -> None:
        before.update(_files(tmp_path))

    with pytest.raises(TrainingDivergedError, match=r"in epoch 3, by step 3\. Lower the learning rate") as caught:
        _play([3.0, 2.0, loss], checkpoint_dir=tmp_path, tracker=Diary(remember))
    assert isinstance(caught.value, ArithmeticError)
    assert History.load(tmp_path / "history.jsonl").train_losses == [3.0, 2.0]
    for name in ("best.safetensors", "last.safetensors"):
        assert float(safetensors.torch.load_file(tmp_path / name)["model.weight"]) == -2.0
    assert {path.name for path in tmp_path.iterdir()} == FILES


def test_divergence_of_the_validation_is_named(tmp_path: Path) -> None:
    """An epoch whose validation is NaN counts as the best."""
    with pytest.raises(TrainingDivergedError, match="validation after epoch 2"):
        _play([3.0, 2.0], [3.0, math.nan], checkpoint_dir=tmp_path)
    assert History.load(tmp_path / "history.jsonl").valid_losses == [3.0]


def test_a_real_explosion_is_found_and_can_be_gone_back_on(tmp_path: Path) -> None:
    """A learning rate that is far too high ends in silence, or ruins the checkpoints before."""
    model = _model()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    with pytest.raises(TrainingDivergedError, match="in epoch 3"):
        _fit(
            model,
            _windows(),
            epochs=4,
            optimizer=optimizer,
            schedule=lambda step, total: 1.0 if step < 10 else 3e38,
            checkpoint_dir=tmp_path,
        )
    for name in ("best.safetensors", "last.safetensors"):
        assert all(bool(value.isfinite().all()) for value in load(tmp_path / name).state_dict().values())
        assert len(read_header(tmp_path / name)["details"]["history"]["epochs"]) == 2


# ---- Going on


def run(folder: Path | None, tracker: Tracker = NoTracker(), **changes: Any) -> tuple[Seq2SeqLSTM, Any, History]:
    """A run with all that could differ after a restart: dropout, noise, schedule, the optimizer's memory."""
    model = _model(dropout=0.3, frame_noise=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.1)
    arguments = {"epochs": 4, "schedule": cosine_schedule(0.2), "seed": 11} | changes
    history = _fit(
        model, _windows(), _windows(1), optimizer=optimizer, checkpoint_dir=folder, tracker=tracker, **arguments
    )
    return model, optimizer, history


def _assert_same_run(resumed: tuple[Seq2SeqLSTM, Any, History], whole: tuple[Seq2SeqLSTM, Any, History]) -> None:
    assert _timeless(resumed[2]) == _timeless(whole[2])
    assert _same_weights(resumed[0], whole[0])
    ours, theirs = resumed[1].state_dict()["state"], whole[1].state_dict()["state"]
    assert ours.keys() == theirs.keys()
    for index, entries in theirs.items():
        assert all(torch.equal(ours[index][key], value) for key, value in entries.items())


@pytest.fixture(scope="module")
def whole() -> tuple[Seq2SeqLSTM, Any, History]:
    """The run that nothing disturbs."""
    return run(None)


@pytest.mark.parametrize("epoch", [1, 2, 3, 4])
def test_interrupted_and_gone_on_with(tmp_path: Path, whole: tuple[Seq2SeqLSTM, Any, History], epoch: int) -> None:
    """After Ctrl-C and a restart, a run ends with another model than if it had never stopped."""

    def interrupt(now: int) -> None:
        if now == epoch:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Diary(interrupt))
    diary = Diary()
    _assert_same_run(run(tmp_path, diary), whole)
    assert [metrics["epoch"] for _, metrics in diary.metrics] == list(range(epoch, 5))


@pytest.mark.parametrize("write", range(1, 13))
def test_stopped_at_any_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: tuple[Seq2SeqLSTM, Any, History], write: int
) -> None:
    """A run that was stopped just while it wrote its checkpoints cannot go on, or goes on differently."""
    count = 0
    fsync = os.fsync

    def stop(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == write:
            raise KeyboardInterrupt
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", stop)
    try:
        run(tmp_path)
    except KeyboardInterrupt:
        monkeypatch.undo()
        _assert_same_run(run(tmp_path), whole)
    else:
        assert count < write  # the run writes less often than this


def test_two_epochs_and_then_two_more(tmp_path: Path) -> None:
    """Asking for more epochs of a finished run gives another model than asking for all of them at once."""
    whole = run(None, schedule=None)
    first = run(tmp_path, epochs=2, schedule=None)
    assert first[2].stopped_by == "epochs"
    _assert_same_run(run(tmp_path, schedule=None), whole)


def test_going_on_keeps_an_earlier_best(tmp_path: Path) -> None:
    """After a restart the best weights are forgotten when all later epochs are worse."""
    history, _ = _play([1.0, 3.0], checkpoint_dir=tmp_path)
    assert history.best_epoch == 1
    history, model = _play([2.0, 2.0], checkpoint_dir=tmp_path, epochs=4)
    assert history.train_losses == [1.0, 3.0, 2.0, 2.0]
    assert (history.best_epoch, float(model.weight.detach())) == (1, -1.0)


def test_patience_counts_across_a_restart(tmp_path: Path) -> None:
    """Each restart begins to be patient anew, so a run that is restarted often never stops."""
    _play([1.0, 3.0], checkpoint_dir=tmp_path, patience=3)
    history, _ = _play([2.0, 2.0, 2.0], checkpoint_dir=tmp_path, epochs=9, patience=3)
    assert (len(history.epochs), history.stopped_by) == (4, "patience")


@pytest.mark.parametrize("stopped_by", ["epochs", "patience"])
def test_a_finished_run_returns_at_once(tmp_path: Path, stopped_by: str) -> None:
    """Running a notebook again trains again."""
    patience = 1 if stopped_by == "patience" else None
    history, model = _play([1.0, 2.0, 3.0], checkpoint_dir=tmp_path, patience=patience)
    assert history.stopped_by == stopped_by
    before = _files(tmp_path)
    diary = Diary()
    again, model_again = _play([], checkpoint_dir=tmp_path, epochs=3, patience=patience, tracker=diary)
    assert again == history
    assert _same_weights(model, model_again)
    assert diary.metrics == []
    assert _files(tmp_path) == before


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    """A second experiment in the same folder destroys the first."""
    run(tmp_path)
    before = _files(tmp_path)
    with pytest.raises(OverwriteError, match="checkpoint_dir"):
        run(tmp_path, resume=False)
    assert _files(tmp_path) == before


def test_resume_may_be_off_for_a_new_run(tmp_path: Path, whole: tuple[Seq2SeqLSTM, Any, History]) -> None:
    """resume=False refuses an empty folder."""
    _assert_same_run(run(tmp_path / "new", resume=False), whole)


@pytest.mark.parametrize(
    ("change", "key", "named"),
    [
        ({"seed": 12}, "run", "'seed': 11.*'seed': 12"),
        ({"batch_size": 6}, "run", "'batch_size': 4.*'batch_size': 6"),
        ({"clip_norm": None}, "run", "'clip_norm': 1.0.*'clip_norm': None"),
        ({"epochs": 5}, "run", "'scheduled_epochs': 4.*'scheduled_epochs': 5"),
        ({"schedule": None}, "run", "'scheduled_epochs': 4.*'scheduled_epochs': None"),
        ({"monitor": "train_loss"}, "run", "'monitor': 'valid_loss'.*'monitor': 'train_loss'"),
        ({"optimizer": "rate"}, "run", "'learning_rate': 0.05.*'learning_rate': 0.01"),
        ({"optimizer": "kind"}, "run", "'optimizer': 'AdamW'.*'optimizer': 'Adam'"),
        ({"model": {"hidden": 7}}, "model", "'hidden': 6.*'hidden': 7"),
        ({"model": {"dropout": 0.2}}, "model", "'dropout': 0.3.*'dropout': 0.2"),
        ({"train": {"frames": 30}}, "run", "'windows': 18.*'windows': 23"),
        ({"train": {"grid": BeatGrid(2)}}, "data", "'frames_per_beat': 4.*'frames_per_beat': 2"),
        ({"train": {"pitches": PitchRange(59, 63)}}, "data", "'lowest': 60.*'lowest': 59"),
        ({"train": {"input_frames": 3, "target_frames": 5}}, "data", "'input_frames': 4.*'input_frames': 3"),
    ],
    ids=str,
)
def test_another_run_is_not_gone_on_with(tmp_path: Path, change: dict[str, Any], key: str, named: str) -> None:
    """A run goes on with another model, other data or other settings, and its history mixes both."""
    run(tmp_path)
    before = _files(tmp_path)
    change = dict(change)
    model = _model(**{"dropout": 0.3, "frame_noise": 0.1} | change.pop("model", {}))
    kind = change.pop("optimizer", "")
    optimizer = (torch.optim.Adam if kind == "kind" else torch.optim.AdamW)(
        model.parameters(), lr=0.01 if kind == "rate" else 0.05, weight_decay=0.1
    )
    arguments = {"epochs": 4, "schedule": cosine_schedule(0.2), "seed": 11}
    windows = _windows(**change.pop("train", {}))
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=rf"last\.safetensors: cannot go on .* Its {key}: .*{named}"):
        _fit(model, windows, _windows(1), optimizer=optimizer, checkpoint_dir=tmp_path, **arguments | change)
    assert _files(tmp_path) == before
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_validation_windows_cannot_appear_halfway(tmp_path: Path) -> None:
    """Going on with validation windows that the first half lacked fails deep inside, or compares unlike losses."""
    _fit(_model(), _windows(), epochs=1, checkpoint_dir=tmp_path)
    with pytest.raises(CheckpointError, match=r"'monitor': 'train_loss'.*'monitor': 'valid_loss'"):
        _fit(_model(), _windows(), _windows(1), epochs=2, checkpoint_dir=tmp_path)
    history = _fit(_model(), _windows(), _windows(1), epochs=2, monitor="train_loss", checkpoint_dir=tmp_path)
    assert [epoch.valid_loss is None for epoch in history.epochs] == [True, False]


@pytest.mark.parametrize("damage", ["gone", "cut short"])
def test_a_lost_best_checkpoint_is_written_again(tmp_path: Path, damage: str) -> None:
    """A run whose best weights were deleted or damaged ends with others, or without a file of them."""
    whole = run(tmp_path)
    best = tmp_path / "best.safetensors"
    if damage == "gone":
        best.unlink()
    else:
        best.write_bytes(best.read_bytes()[:100])
    _assert_same_run(run(tmp_path), whole)
    assert _same_weights(load(best), whole[0])


def test_checkpoint_folder_holds_the_history(tmp_path: Path) -> None:
    """The record in the run's folder is not that of the run."""
    *_, history = run(tmp_path / "runs" / "first")
    assert History.load(tmp_path / "runs" / "first" / "history.jsonl") == history
    assert set(_files(tmp_path / "runs" / "first")) == FILES
    details = read_header(tmp_path / "runs" / "first" / "best.safetensors")["details"]
    assert details["data"]["pitches"] == {"lowest": 60, "highest": 64}
    assert details["data"]["grid"]["settings"] == {"frames_per_beat": 4}


def test_history_so_far_is_there_while_training_goes_on(tmp_path: Path) -> None:
    """A long run cannot be watched."""
    seen: list[int] = []

    def look(epoch: int) -> None:
        if epoch > 1:
            history = History.load(tmp_path / "history.jsonl")
            assert history.stopped_by is None
            seen.append(len(history.epochs))

    run(tmp_path, Diary(look))
    assert seen == [1, 2, 3]


# ---- Trackers, output and arguments


def test_tracker_gets_every_epoch(whole: tuple[Seq2SeqLSTM, Any, History]) -> None:
    """Curves in the tracker differ from the history, lack epochs, or stand at the wrong steps."""
    diary = Diary()
    run(None, diary)
    epochs = whole[2].epochs
    assert [step for step, _ in diary.metrics] == [epoch.step for epoch in epochs] == [5, 10, 15, 20]
    for (_, metrics), epoch in zip(diary.metrics, epochs, strict=True):
        assert metrics.pop("seconds") > 0
        assert metrics == {
            "epoch": epoch.epoch,
            "train_loss": epoch.train_loss,
            "valid_loss": epoch.valid_loss,
            "learning_rate": epoch.learning_rate,
        }
    assert diary.params == [
        {
            "seed": 11,
            "batch_size": 4,
            "accumulate": 1,
            "windows": 18,
            "optimizer": "AdamW",
            "learning_rate": 0.05,
            "clip_norm": 1.0,
            "ema_decay": None,
            "augmentation": None,
            "scheduled_epochs": 4,
            "epochs": 4,
            "monitor": "valid_loss",
            "model": "Seq2SeqLSTM",
        }
    ]
    assert diary.flushed_after == [4]


def test_tracker_without_validation() -> None:
    """A run without validation logs a validation loss of None, which no tracker can draw."""
    diary = Diary()
    _fit(_model(), _windows(), tracker=diary, epochs=1)
    assert set(diary.metrics[0][1]) == {"epoch", "train_loss", "learning_rate", "seconds"}


def test_tracker_of_a_resumed_run_goes_on(tmp_path: Path) -> None:
    """The lines of a resumed run are not those that were missing."""

    def train(epochs: int) -> None:
        with JsonlTracker(tmp_path / "events.jsonl") as tracker:
            run(tmp_path, tracker, epochs=epochs, schedule=None)

    train(2)
    train(4)
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["metrics"]["epoch"] for line in lines if "metrics" in line] == [1, 2, 3, 4]
    assert [line["step"] for line in lines if "metrics" in line] == [5, 10, 15, 20]


def test_a_tracker_is_left_open() -> None:
    """Scores and files cannot be logged after training, or the tracker is closed twice."""

    class Door(NoTracker):
        def __enter__(self) -> "Door":
            pytest.fail("fit opened the tracker")

        def __exit__(self, *error: object) -> None:
            pytest.fail("fit closed the tracker")

    _fit(_model(), _windows(), tracker=Door(), epochs=1)


def test_progress_is_shown_only_when_asked(capfd: pytest.CaptureFixture[str]) -> None:
    """Logs fill up with progress bars, or a long training shows no sign of life."""
    _fit(_model(), _windows(), _windows(1), epochs=2, progress=False)
    assert capfd.readouterr() == ("", "")
    _fit(_model(), _windows(), _windows(1), epochs=2, progress=True)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "epoch 2/2" in shown.err
    assert "10/10" in shown.err
    assert "valid_loss=" in shown.err


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"patience": 0}, "patience"),
        ({"monitor": "valid_loss"}, "needs validation windows"),
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"clip_norm": -1.0}, "clip_norm"),
        ({"clip_norm": math.nan}, "clip_norm"),
        ({"min_delta": -0.1}, "min_delta"),
        ({"min_delta": math.nan}, "min_delta"),
    ],
    ids=str,
)
def test_arguments_out_of_range_are_named(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    """A run that cannot learn, or would climb instead of descend, starts all the same."""
    model = _model()
    with pytest.raises(SettingsError, match=named):
        _fit(model, _windows(), **{"checkpoint_dir": tmp_path / "run"} | changes)
    assert not list(tmp_path.iterdir())
    assert _same_weights(model, _model())


@pytest.mark.parametrize("argument", ["precision", "monitor"])
def test_misspelt_choices_are_named(argument: str) -> None:
    """precision="bf16" trains in float32 without a word, and monitor="val" fails after the first epoch."""
    unchecked = as_users_have_it(fit)
    with pytest.raises(SettingsError, match=f"{argument}.*'bf16'"):
        unchecked(_model(), _windows(), epochs=1, batch_size=4, progress=False, **{argument: "bf16"})


def test_a_model_ends_in_the_mode_it_can_be_trained_in_again() -> None:
    """Training a second time goes on without dropout."""
    model = _model(dropout=0.5)
    _fit(model, _windows(), _windows(1), epochs=1)
    model.eval()
    _fit(model, _windows(), epochs=1)
    assert model.training
