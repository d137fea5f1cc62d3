"""Custom models and heads work everywhere that the library's own do."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from layouts import active_windows
from torch import Tensor, nn

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.errors import CheckpointError, GridError, PitchRangeError, ShapeError
from pianoroll_seq2seq.evaluation.prediction_scores import evaluate
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import SequenceModel, choose_layout
from pianoroll_seq2seq.models.copying_lstm import CopyingLSTM
from pianoroll_seq2seq.models.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.models.transformer import CausalTransformer
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import Threshold, generate
from pianoroll_seq2seq.train import fit

PITCHES = PitchRange(60, 67)


class TenLines(nn.Module):
    """The next frame from the last one: ten lines that use only a distribution of the library."""

    def __init__(self, frame_size: int) -> None:
        super().__init__()
        self.frame_size, self.next = frame_size, nn.Linear(frame_size, frame_size)

    def forward(self, inputs: Tensor, targets: Tensor) -> Bernoulli:
        return Bernoulli(self.next(torch.cat([inputs[:, -1:], targets[:, :-1]], 1)))

    def start(self, primer: Tensor) -> tuple[Bernoulli, None]:
        return Bernoulli(self.next(primer[:, -1])), None

    def advance(self, frame: Tensor, state: None) -> tuple[Bernoulli, None]:
        return Bernoulli(self.next(frame)), None


class Saveable(TenLines):
    def settings(self) -> dict[str, Any]:
        return {"frame_size": self.frame_size}


class StepHead(nn.Module):
    """Log-odds from the features, and from the last frame shifted up by a step."""

    context_frames: int | None = 1

    def __init__(self, in_features: int, layout: int, weight: float = 1.0) -> None:
        super().__init__()
        self.in_features, self.frame_size, self.weight = in_features, layout, weight
        self.linear = nn.Linear(in_features, layout)

    def forward(self, features: Tensor, past: Tensor) -> Bernoulli:
        last = past[:, past.shape[1] - features.shape[1] :]
        return Bernoulli(self.linear(features) + self.weight * last.roll(1, dims=-1))

    def settings(self) -> dict[str, Any]:
        return {"in_features": self.in_features, "layout": self.frame_size, "weight": self.weight}


def scales() -> list[PianoRoll]:
    """Up, a step a frame, over and over, from each of the eight tones."""
    return [
        PianoRoll.from_active(np.roll(np.tile(np.eye(8, dtype=bool), (4, 1)), first, axis=1), pitches=PITCHES)
        for first in range(8)
    ]


MODELS: dict[str, Any] = {
    "own model": lambda: Saveable(8),
    "own head": lambda: Seq2SeqLSTM(8, hidden_size=8, head=partial(StepHead, weight=8.0)),
}
CLASSES: dict[str, type] = {"own model": Saveable, "own head": StepHead}


@pytest.mark.parametrize("name", MODELS)
def test_works_with_fit_evaluate_generate_and_checkpoints(name, tmp_path):
    """A custom model must not need a custom training loop."""
    torch.manual_seed(0)
    model = MODELS[name]()
    windows = active_windows(scales(), input_frames=4, target_frames=4, hop=4)
    history = fit(
        model,
        windows,
        windows,
        epochs=8,
        batch_size=4,
        optimizer=torch.optim.Adam(model.parameters(), lr=0.1),
        checkpoint_dir=tmp_path / "run",
        progress=False,
    )
    assert history.valid_losses[-1] < history.valid_losses[0]
    evaluation = evaluate(model, windows)
    assert evaluation.model.all.nats == pytest.approx(min(history.valid_losses), rel=1e-4)
    assert evaluation.model.all.nats < evaluation.copy_last.all.nats / 4
    assert evaluation.model.all.f1 > 0.95 > evaluation.copy_last.all.f1

    primer = scales()[0][:4]
    continuation = generate(model, primer, num_frames=8, sampler=Threshold())
    np.testing.assert_array_equal(continuation.active.argmax(axis=1), [4, 5, 6, 7, 0, 1, 2, 3])

    for path in (checkpoint.save(model, tmp_path / "own.safetensors"), tmp_path / "run" / "best.safetensors"):
        loaded = checkpoint.load(path, classes=[CLASSES[name]])
        assert type(loaded) is type(model)
        assert not loaded.training
        assert generate(loaded, primer, num_frames=20, seed=1) == generate(model, primer, num_frames=20, seed=1)
        assert evaluate(loaded, windows) == evaluation
        with pytest.raises(CheckpointError, match=rf"classes=\[{CLASSES[name].__name__}\]"):
            checkpoint.load(path)


def test_resumes_to_the_same_weights(tmp_path):
    """The interrupted training of a custom model must be resumable."""
    windows = active_windows(scales(), input_frames=4, target_frames=4, hop=4)

    def run(epochs: int, folder: str) -> dict[str, Tensor]:
        torch.manual_seed(0)
        model = TenLines(8)
        fit(model, windows, epochs=epochs, batch_size=4, checkpoint_dir=tmp_path / folder, progress=False)
        return model.state_dict()

    run(2, "halves")
    resumed, whole = run(4, "halves"), run(4, "whole")
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_without_settings_it_can_be_restored_but_not_built(tmp_path):
    """The error must say what to add, because the library cannot guess a constructor's arguments."""
    torch.manual_seed(0)
    model = TenLines(8)
    path = checkpoint.save(model, tmp_path / "ten.safetensors", details={"note": "hello"})
    with pytest.raises(CheckpointError, match=r"settings\(\).*restore"):
        checkpoint.load(path, classes=[TenLines])
    again = TenLines(8)
    assert checkpoint.restore(path, again) == {"note": "hello"}
    assert torch.equal(again.next.weight, model.next.weight)


def test_a_model_without_weights_can_be_scored_and_sampled():
    """A rule, such as a baseline, needs no parameters."""

    class Up(nn.Module):
        def forward(self, inputs: Tensor, targets: Tensor) -> Bernoulli:
            return Bernoulli(torch.cat([inputs[:, -1:], targets[:, :-1]], 1).roll(1, dims=-1) * 20 - 10)

        def start(self, primer: Tensor) -> tuple[Bernoulli, None]:
            return self.advance(primer[:, -1], None)

        def advance(self, frame: Tensor, state: None) -> tuple[Bernoulli, None]:
            return Bernoulli(frame.roll(1, dims=-1) * 20 - 10), None

    windows = active_windows(scales(), input_frames=4, target_frames=4, hop=4)
    assert evaluate(Up(), windows).model.all.f1 == 1
    assert generate(Up(), scales()[0][:1], num_frames=7).active.argmax(axis=1).tolist() == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    "model",
    [
        Seq2SeqLSTM(5, hidden_size=4),
        ParallelSeq2SeqLSTM(5, hidden_size=4, block_frames=2),
        CopyingLSTM(5, hidden_size=4),
        CausalTransformer(5, hidden_size=8),
    ],
)
def test_frames_of_another_size_are_named(model: SequenceModel) -> None:
    """Not an error from somewhere inside PyTorch."""
    with pytest.raises(ShapeError, match=r"frames of 5 columns, got frames of shape \(1, 3, 6\)"):
        model(torch.zeros(1, 3, 6), torch.zeros(1, 2, 6))


@pytest.mark.parametrize(
    ("layout", "error"),
    [
        (FrameLayout(BeatGrid(8), PITCHES, planes=("active",)), GridError),
        (FrameLayout(pitches=PitchRange(61, 68), planes=("active",)), PitchRangeError),
        (FrameLayout(pitches=PITCHES, planes=("active", "onset")), ShapeError),
    ],
)
def test_fit_refuses_windows_of_another_layout(layout: FrameLayout, error: type[Exception]) -> None:
    """The model would be trained on frames that mean something else than its checkpoint says."""
    windows = active_windows(scales(), input_frames=4, target_frames=4, hop=4)
    with pytest.raises(error):
        fit(Seq2SeqLSTM(layout, hidden_size=4), windows, epochs=1, batch_size=4, progress=False)
    model = Seq2SeqLSTM(windows.layout, hidden_size=4)
    assert len(fit(model, windows, windows, epochs=1, batch_size=4, progress=False).epochs) == 1


def test_choose_layout() -> None:
    """A layout that contradicts the model's own must not be ignored in silence."""
    layout, other = (
        FrameLayout(pitches=PITCHES, planes=("active",)),
        FrameLayout(BeatGrid(8), PITCHES, planes=("active",)),
    )
    own, bare = Seq2SeqLSTM(layout, hidden_size=4), Seq2SeqLSTM(8, hidden_size=4)
    assert choose_layout(own, None) == choose_layout(own, layout) == choose_layout(bare, layout) == layout
    assert choose_layout(bare, None) is None
    with pytest.raises(GridError, match="The layout is on"):
        choose_layout(own, other)
