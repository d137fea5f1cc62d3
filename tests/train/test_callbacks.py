"""Callbacks during training."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from layouts import active_windows

from pianoroll_seq2seq import (
    FrameLayout,
    History,
    NotesHead,
    PianoRoll,
    PitchRange,
    SampleMusic,
    Seq2SeqLSTM,
    SlidingWindows,
    StopAfter,
    fit,
    generate,
)
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.trackers.base import NoTracker
from pianoroll_seq2seq.train import EpochEnd, StepEnd

pytestmark = pytest.mark.usefixtures("one_thread")

PITCHES = PitchRange(60, 64)


def roll(frames: int, seed: int = 0) -> PianoRoll:
    return PianoRoll.from_active(np.random.default_rng(seed).random((frames, 5)) < 0.3, pitches=PITCHES)


def train(folder: Path | None = None, **changes: Any) -> tuple[Seq2SeqLSTM, History]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Seq2SeqLSTM(5, hidden_size=4, dropout=0.3)
    windows = active_windows([roll(25)], input_frames=4, target_frames=4, hop=1)
    arguments: dict[str, Any] = {"epochs": 4, "batch_size": 4, "progress": False, "checkpoint_dir": folder}
    return model, fit(model, windows, windows, **arguments | changes)


def test_on_epoch_gets_the_model_and_the_history(tmp_path: Path) -> None:
    """A callback has no access to the losses, or gets other weights than those that were validated."""
    seen: list[tuple[int, Path | None]] = []

    def look(event: EpochEnd) -> None:
        seen.append((len(event.history.epochs), event.folder))
        assert event.history.best_epoch is not None

    train(tmp_path, on_epoch=[look])
    assert seen == [(epoch, tmp_path) for epoch in (1, 2, 3, 4)]


def test_on_epoch_sees_the_averaged_weights() -> None:
    """Samples come from the weights of the last step, not from those that are kept."""
    kept: list[dict[str, torch.Tensor]] = []
    model, history = train(
        ema_decay=0.9,
        on_epoch=[lambda event: kept.append({name: value.clone() for name, value in event.model.state_dict().items()})],
    )
    assert history.best_epoch is not None
    best = kept[history.best_epoch - 1]
    assert all(torch.equal(value, best[name]) for name, value in model.state_dict().items())


def test_on_step_gets_every_step() -> None:
    """Steps are left out, numbered again in each epoch, or have the loss of another step."""
    seen: list[StepEnd] = []
    _, history = train(on_step=[seen.append])
    assert [(event.epoch, event.step) for event in seen] == [(1 + step // 5, step + 1) for step in range(20)]
    sizes = [4, 4, 4, 3, 3]
    for epoch in history.epochs:
        losses = [float(event.loss) for event in seen if event.epoch == epoch.epoch]
        assert np.average(losses, weights=sizes) == pytest.approx(epoch.train_loss, rel=1e-6)


@pytest.mark.parametrize("epoch", [1, 3, 4])
def test_a_callback_ends_training(tmp_path: Path, epoch: int) -> None:
    """A callback cannot stop a run, or the run continues when it is started again."""
    _, history = train(tmp_path, on_epoch=[lambda event: len(event.history.epochs) == epoch])
    assert len(history.epochs) == epoch
    assert history.stopped_by == ("callback" if epoch < 4 else "epochs")
    assert train(tmp_path)[1] == history


@pytest.mark.parametrize("step", [1, 5, 7])
def test_a_step_callback_ends_training(step: int) -> None:
    """Training continues after a callback has ended it, or the steps of its last epoch are not counted."""
    _, history = train(on_step=[lambda event: event.step == step])
    assert history.stopped_by == "callback"
    assert history.epochs[-1].step == step
    assert len(history.epochs) == -(-step // 5)
    assert all(np.isfinite(history.train_losses + history.valid_losses))


def test_only_true_ends_training() -> None:
    """A callback that happens to return something ends training."""
    _, history = train(on_epoch=[lambda event: "written"], on_step=[lambda event: event])  # type: ignore[list-item, arg-type, return-value]
    assert history.stopped_by == "epochs"


def test_numpys_true_ends_training() -> None:
    """A NumPy boolean, such as Optuna returns, has no effect."""
    _, history = train(on_epoch=[lambda event: np.float64(1) > 0])
    assert history.stopped_by == "callback"
    assert len(history.epochs) == 1


def test_callbacks_do_not_change_training() -> None:
    """A run with callbacks gets other weights."""

    def sample(event: EpochEnd) -> None:
        torch.rand(7)
        generate(event.model, roll(4), num_frames=3)

    first, history = train()
    second, again = train(on_epoch=[sample], on_step=[lambda event: torch.rand(3) is None])
    assert history.train_losses == again.train_losses
    assert all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


def test_samples_are_written_every_few_epochs(tmp_path: Path) -> None:
    """There is no music before the end of training, or none of the last epoch."""
    primers = [roll(6, seed) for seed in (1, 2)]
    model, _ = train(epochs=3, on_epoch=[SampleMusic(primers, num_frames=8, folder=tmp_path / "samples", every=2)])
    names = {f"epoch_{epoch:04}_piece_{piece}" for epoch in (2, 3) for piece in (1, 2)}
    assert {path.name for path in (tmp_path / "samples").iterdir()} == {
        name + ending for name in names for ending in (".mid", ".png")
    }
    written = PianoRoll.from_midi(tmp_path / "samples" / "epoch_0002_piece_1.mid", pitches=PITCHES)
    assert np.array_equal(written.active[:6], primers[0].active)
    assert model.training


def test_samples_of_models_of_onsets(tmp_path: Path) -> None:
    """Repeated notes are merged into one."""
    layout = FrameLayout.of(roll(25), onsets=True)
    windows = SlidingWindows([roll(25)], input_frames=4, target_frames=4, hop=1, layout=layout)
    model = Seq2SeqLSTM(layout, hidden_size=4, head=NotesHead)
    sample = SampleMusic([roll(4)], num_frames=6, folder=tmp_path, picture=False)
    fit(model, windows, epochs=1, batch_size=8, on_epoch=[sample], progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_0001_piece_1.mid"]


def test_samples_of_conditional_models(tmp_path: Path) -> None:
    """No samples can be written of a model that is conditioned on scales."""
    condition = np.array([1.0, 0.0])
    windows = active_windows([roll(25)], input_frames=4, target_frames=4, hop=1, conditions=[condition])
    sample = SampleMusic([roll(4), roll(4, 1)], num_frames=6, folder=tmp_path, condition=condition, picture=False)
    fit(
        Seq2SeqLSTM(5, hidden_size=4, condition_size=2),
        windows,
        epochs=1,
        batch_size=8,
        on_epoch=[sample],
        progress=False,
    )
    assert len(list(tmp_path.iterdir())) == 2


def test_samples_without_pictures(tmp_path: Path) -> None:
    """Sampling needs matplotlib even without pictures."""
    train(epochs=1, on_epoch=[SampleMusic([roll(6)], num_frames=8, folder=tmp_path, picture=False)])
    assert [path.suffix for path in tmp_path.iterdir()] == [".mid"]


@pytest.mark.parametrize("change", [{"primers": []}, {"num_frames": 0}, {"every": 0}])
def test_samples_out_of_range_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    """The error appears only at the end of the first epoch."""
    with pytest.raises(SettingsError, match="SampleMusic needs"):
        SampleMusic(**{"primers": [roll(4)], "num_frames": 4, "folder": tmp_path} | change)


def test_training_ends_at_its_time_limit() -> None:
    """A job with a time limit is killed in its last epoch."""
    assert len(train(on_epoch=[StopAfter(0.0)])[1].epochs) == 1
    assert len(train(on_epoch=[StopAfter(1e6)])[1].epochs) == 4


def test_samples_go_to_the_tracker_of_the_run(tmp_path: Path) -> None:
    """Music is written, and whoever follows the run elsewhere does not hear of it."""
    logged: list[tuple[str, str, int]] = []

    class Gallery(NoTracker):
        def log_media(self, name: str, path: Any, *, step: int) -> None:
            assert Path(path).exists()
            logged.append((name, Path(path).name, step))

    sample = SampleMusic([roll(6), roll(6, seed=1)], num_frames=4, folder=tmp_path, every=4, sound=True)
    _, history = train(on_epoch=[sample], tracker=Gallery())
    names = [f"epoch_0004_piece_{piece}.{ending}" for piece in (1, 2) for ending in ("mid", "png", "wav")]
    assert logged == [(f"piece_{name[17]}", name, history.epochs[-1].step) for name in names]
