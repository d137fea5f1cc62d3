"""The training loop."""

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from layouts import active_windows
from run_helpers import (
    FILES,
    PITCHES,
    RecordingSGD,
    RecordingTracker,
    ScriptedModel,
    fit_small,
    have_same_weights,
    make_model,
    make_windows,
    play,
    read_files,
    without_seconds,
)
from torch import Tensor
from typechecker import as_users_have_it

from pianoroll_seq2seq import (
    BeatGrid,
    History,
    NoTracker,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    Threshold,
    cosine_schedule,
    fit,
    generate,
)
from pianoroll_seq2seq.checkpoint import load, read_header
from pianoroll_seq2seq.errors import GridError, PitchRangeError, SettingsError, TrainingDivergedError
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM
from pianoroll_seq2seq.train import mean_loss

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_loss_falls() -> None:
    """Training does not learn."""
    model = make_model(hidden_size=16)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    history = fit_small(model, make_windows(), make_windows(1), epochs=20, batch_size=8, optimizer=optimizer)
    losses = history.train_losses
    assert all(later < sooner for sooner, later in zip(losses, losses[5:], strict=False))
    assert losses[-1] < 0.7 * losses[0]
    assert [epoch.epoch for epoch in history.epochs] == list(range(1, 21))
    assert [epoch.step for epoch in history.epochs] == [3 * epoch for epoch in range(1, 21)]  # 18 windows by 8
    assert all(epoch.seconds > 0 for epoch in history.epochs)


@pytest.mark.parametrize(("kind", "epochs"), [(Seq2SeqLSTM, 150), (ParallelSeq2SeqLSTM, 300)])
def test_learns_two_melodies_by_heart(kind: type[Seq2SeqLSTM | ParallelSeq2SeqLSTM], epochs: int) -> None:
    """The model cannot learn music by heart, so something between frames and loss is wrong."""
    melodies = []
    for step in (1, -1):
        active = np.zeros((12, 5), bool)
        active[np.arange(12), (2 + step * np.arange(12)) % 5] = True
        melodies.append(PianoRoll.from_active(active, pitches=PITCHES))
    windows = active_windows(melodies, input_frames=4, target_frames=8, hop=1)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = kind(5, hidden_size=48, num_encoder_layers=1, num_decoder_layers=1, block_frames=8)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    history = fit_small(model, windows, epochs=epochs, batch_size=2, optimizer=optimizer, schedule=cosine_schedule())
    assert history.train_losses[-1] < 0.1 * history.train_losses[0]
    for melody in melodies:
        assert np.array_equal(
            generate(model, melody[:4], num_frames=8, sampler=Threshold(0.5)).active, melody[4:].active
        )


def test_equal_seeds_give_equal_runs() -> None:
    """A result cannot be reproduced."""
    first, second, other = (make_model(dropout=0.4) for _ in range(3))
    torch.manual_seed(1)
    history = fit_small(first, make_windows(), make_windows(1), seed=3)
    torch.manual_seed(2)  # the program's other random numbers do not matter
    assert without_seconds(fit_small(second, make_windows(), make_windows(1), seed=3)) == without_seconds(history)
    assert have_same_weights(first, second)
    assert without_seconds(fit_small(other, make_windows(), make_windows(1), seed=4)) != without_seconds(history)
    assert not have_same_weights(first, other)


def test_the_global_random_state_does_not_change() -> None:
    """Training changes the program's later random numbers."""
    torch.manual_seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index] # noqa: NPY002
    fit_small(make_model(dropout=0.4, input_noise=0.1), make_windows(), make_windows(1), seed=9)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[index] # noqa: NPY002
    with pytest.raises(TrainingDivergedError):
        play([math.nan])
    assert torch.equal(torch.get_rng_state(), before[0])


class RecordingModel(Seq2SeqLSTM):
    """Records the windows that it is trained on."""

    def forward(self, inputs: Tensor, targets: Tensor) -> Any:
        if self.training:
            self.__dict__.setdefault("batches", []).append(torch.cat([inputs, targets], dim=1).clone())
        return super().forward(inputs, targets)


@pytest.mark.parametrize("batch_size", [1, 4, 18, 100])
def test_every_epoch_reads_every_window_once(batch_size: int) -> None:
    """Some of the music is never learned from, or the order is the same in every epoch."""
    windows = make_windows()
    with torch.random.fork_rng():
        model = RecordingModel(5, hidden_size=4)
    fit_small(model, windows, epochs=2, batch_size=batch_size)
    batches = model.__dict__["batches"]
    steps = math.ceil(18 / batch_size)
    assert len(batches) == 2 * steps
    epochs = [
        [tuple(window.flatten().tolist()) for window in torch.cat(half)] for half in (batches[:steps], batches[steps:])
    ]
    expected = sorted(tuple(torch.cat(windows[index]).flatten().tolist()) for index in range(18))
    assert sorted(epochs[0]) == sorted(epochs[1]) == expected
    assert epochs[0] != epochs[1]


def test_no_batch_has_a_single_window() -> None:
    """Batch normalisation, as in the model of 2017, cannot learn from one window; 17 by 4 would leave one."""
    windows = make_windows(frames=24)
    assert len(windows) % 4 == 1
    model = ParallelSeq2SeqLSTM(5, hidden_size=4, block_frames=4, batch_norm=True)
    assert math.isfinite(fit_small(model, windows, epochs=1).train_losses[0])


@pytest.mark.parametrize("batch_size", [1, 5, 18, 256])
def test_mean_loss_is_the_mean_over_frames(batch_size: int) -> None:
    """Losses depend on the batch size, and cannot be compared."""
    model, windows = make_model(dropout=0.9).train(), make_windows()
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
    history = fit_small(model, make_windows(), epochs=2, optimizer=torch.optim.SGD(model.parameters(), lr=0.0))
    assert history.train_losses == pytest.approx([(15 * 1 + 3 * 9) / 18] * 2)


def test_validation_is_that_of_the_weights_after_the_epoch() -> None:
    """The validation loss belongs to other weights, or is measured with dropout."""
    model, valid = make_model(dropout=0.6), make_windows(1)
    history = fit_small(model, make_windows(), valid, epochs=1)
    assert history.valid_losses == [mean_loss(model, valid)]


def test_auto_precision_is_exact_on_a_cpu() -> None:
    """The default precision is lower on a CPU, without being faster."""
    assert without_seconds(fit_small(make_model(), make_windows(), precision="auto")) == without_seconds(
        fit_small(make_model(), make_windows(), precision="float32")
    )


def test_schedule_reaches_every_group_at_every_step() -> None:
    """The learning rate is not that of the schedule."""
    model = make_model()
    groups = [
        {"params": list(model.encoder.parameters()), "lr": 0.5},
        {"params": [*model.decoder.parameters(), *model.head.parameters()], "lr": 0.1},
    ]
    optimizer = RecordingSGD(groups)
    calls: list[tuple[int, int]] = []

    def schedule(step: int, total: int) -> float:
        calls.append((step, total))
        return 1 / (1 + step)

    history = fit_small(model, make_windows(), epochs=3, optimizer=optimizer, schedule=schedule)
    assert set(calls) == {(step, 15) for step in range(15)}
    assert optimizer.rates == [[0.5 * (1 / (1 + step)), 0.1 * (1 / (1 + step))] for step in range(15)]
    assert [epoch.learning_rate for epoch in history.epochs] == [0.5 / 5, 0.5 / 10, 0.5 / 15]


def test_without_a_schedule_the_rate_stays() -> None:
    """The learning rate changes without a schedule, or a second training begins at the last rate of the first."""
    model = make_model()
    optimizer = RecordingSGD(model.parameters(), lr=0.25)
    fit_small(model, make_windows(), epochs=1, optimizer=optimizer, schedule=cosine_schedule(0.0))
    optimizer.rates.clear()
    fit_small(model, make_windows(), epochs=2, optimizer=optimizer)
    assert optimizer.rates == [[0.25]] * 10


def test_gradients_are_clipped_to_the_norm() -> None:
    """A single bad batch ruins the model although clip_norm is set, or clip_norm=None still clips."""
    norms = {}
    for clip_norm in (0.01, 1e6, None):
        model = make_model()
        optimizer = RecordingSGD(model.parameters(), lr=1e-6)
        fit_small(model, make_windows(), epochs=1, optimizer=optimizer, clip_norm=clip_norm)
        norms[clip_norm] = optimizer.norms
    assert norms[0.01] == pytest.approx([0.01] * 5, rel=1e-3)
    assert norms[1e6] == norms[None]
    assert min(norms[None]) > 0.1


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_the_error_of_a_divergence_names_the_epoch_and_the_fix(tmp_path: Path, loss: float) -> None:
    """Training continues for hours with NaN weights, overwrites good checkpoints, or does not say when it diverged."""
    before: dict[str, bytes] = {}

    def remember(epoch: int) -> None:
        before.update(read_files(tmp_path))

    with pytest.raises(TrainingDivergedError, match=r"in epoch 3, by step 3\. Lower the learning rate") as caught:
        play([3.0, 2.0, loss], checkpoint_dir=tmp_path, tracker=RecordingTracker(remember))
    assert isinstance(caught.value, ArithmeticError)
    assert History.load(tmp_path / "history.jsonl").train_losses == [3.0, 2.0]
    for name in ("best.safetensors", "last.safetensors"):
        assert float(safetensors.torch.load_file(tmp_path / name)["model.weight"]) == -2.0
    assert {path.name for path in tmp_path.iterdir()} == FILES


def test_divergence_of_the_validation_is_named(tmp_path: Path) -> None:
    """An epoch whose validation is NaN counts as the best."""
    with pytest.raises(TrainingDivergedError, match="validation after epoch 2"):
        play([3.0, 2.0], [3.0, math.nan], checkpoint_dir=tmp_path)
    assert History.load(tmp_path / "history.jsonl").valid_losses == [3.0]


def test_a_real_divergence_is_found_and_earlier_checkpoints_remain(tmp_path: Path) -> None:
    """A learning rate that is far too high gives no error, or ruins the earlier checkpoints."""
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    with pytest.raises(TrainingDivergedError, match="in epoch 3"):
        fit_small(
            model,
            make_windows(),
            epochs=4,
            optimizer=optimizer,
            schedule=lambda step, total: 1.0 if step < 10 else 3e38,
            checkpoint_dir=tmp_path,
        )
    for name in ("best.safetensors", "last.safetensors"):
        assert all(bool(value.isfinite().all()) for value in load(tmp_path / name).state_dict().values())
        assert len(read_header(tmp_path / name)["details"]["history"]["epochs"]) == 2


def test_tracker_without_validation() -> None:
    """A run without validation logs a validation loss of None, which no tracker can draw."""
    diary = RecordingTracker()
    fit_small(make_model(), make_windows(), tracker=diary, epochs=1)
    assert set(diary.metrics[0][1]) == {"epoch", "train_loss", "learning_rate", "seconds"}


def test_a_tracker_is_left_open() -> None:
    """Scores and files cannot be logged after training, or the tracker is closed twice."""

    class Door(NoTracker):
        def __enter__(self) -> "Door":
            pytest.fail("fit opened the tracker")

        def __exit__(self, *error: object) -> None:
            pytest.fail("fit closed the tracker")

    fit_small(make_model(), make_windows(), tracker=Door(), epochs=1)


def test_progress_is_shown_only_if_progress(capfd: pytest.CaptureFixture[str]) -> None:
    """Logs fill up with progress bars, or a long training shows no sign of life."""
    fit_small(make_model(), make_windows(), make_windows(1), epochs=2, progress=False)
    assert capfd.readouterr() == ("", "")
    fit_small(make_model(), make_windows(), make_windows(1), epochs=2, progress=True)
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
    """A run with arguments that cannot work starts anyway."""
    model = make_model()
    with pytest.raises(SettingsError, match=named):
        fit_small(model, make_windows(), **{"checkpoint_dir": tmp_path / "run"} | changes)
    assert not list(tmp_path.iterdir())
    assert have_same_weights(model, make_model())


@pytest.mark.parametrize("argument", ["precision", "monitor"])
def test_misspelt_choices_are_named(argument: str) -> None:
    """precision="bf16" silently trains in float32, and monitor="val" fails after the first epoch."""
    unchecked = as_users_have_it(fit)
    with pytest.raises(SettingsError, match=f"{argument}.*'bf16'"):
        unchecked(make_model(), make_windows(), epochs=1, batch_size=4, progress=False, **{argument: "bf16"})


def test_a_model_is_in_training_mode_afterwards() -> None:
    """A second training has no dropout."""
    model = make_model(dropout=0.5)
    fit_small(model, make_windows(), make_windows(1), epochs=1)
    model.eval()
    fit_small(model, make_windows(), epochs=1)
    assert model.training


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grid": BeatGrid(2)}, GridError),
        ({"pitches": PitchRange(61, 65)}, PitchRangeError),
    ],
    ids=["grid", "pitches"],
)
def test_windows_of_another_layout_are_refused(changes: dict[str, Any], error: type[Exception]) -> None:
    """A model trains on frames of another grid or other pitches than it was built for, or is validated on them."""
    windows, others = make_windows(), make_windows(**changes)
    with pytest.raises(error, match=r"train .* model expects"):
        fit_small(make_model(layout=windows.layout), others)
    with pytest.raises(error, match=r"valid .* train expects"):
        fit_small(make_model(), windows, others)
