"""A model and a head of a user's own go everywhere that the library's own go."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.errors import CheckpointError, ShapeError
from pianoroll_seq2seq.evaluation import evaluate
from pianoroll_seq2seq.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.models.copying_lstm import CopyingLSTM
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import Threshold, generate
from pianoroll_seq2seq.train import fit
from pianoroll_seq2seq.windowing import SlidingWindows

PITCHES = PitchRange(60, 67)


class Ten(nn.Module):
    """The next frame from the last one: ten lines, nothing of the library but a distribution."""

    def __init__(self, pitches: int) -> None:
        super().__init__()
        self.pitches, self.next = pitches, nn.Linear(pitches, pitches)

    def forward(self, inputs: Tensor, targets: Tensor) -> Bernoulli:
        return Bernoulli(self.next(torch.cat([inputs[:, -1:], targets[:, :-1]], 1)))

    def start(self, primer: Tensor) -> tuple[Bernoulli, None]:
        return Bernoulli(self.next(primer[:, -1])), None

    def advance(self, frame: Tensor, state: None) -> tuple[Bernoulli, None]:
        return Bernoulli(self.next(frame)), None


class TenThatCanBeSaved(Ten):
    def settings(self) -> dict[str, Any]:
        return {"pitches": self.pitches}


class StepHead(nn.Module):
    """Log-odds from the features, and from the last frame shifted up by a step."""

    context_frames: int | None = 1

    def __init__(self, features: int, pitches: int, weight: float = 1.0) -> None:
        super().__init__()
        self.features, self.pitches, self.weight = features, pitches, weight
        self.linear = nn.Linear(features, pitches)

    def forward(self, features: Tensor, past: Tensor) -> Bernoulli:
        last = past[:, past.shape[1] - features.shape[1] :]
        return Bernoulli(self.linear(features) + self.weight * last.roll(1, dims=-1))

    def settings(self) -> dict[str, Any]:
        return {"features": self.features, "pitches": self.pitches, "weight": self.weight}


def scales() -> list[PianoRoll]:
    """Up, a step a frame, over and over, from each of the eight tones."""
    return [
        PianoRoll.from_active(np.roll(np.tile(np.eye(8, dtype=bool), (4, 1)), first, axis=1), pitches=PITCHES)
        for first in range(8)
    ]


MODELS: dict[str, Any] = {
    "own model": lambda: TenThatCanBeSaved(8),
    "own head": lambda: Seq2SeqLSTM(8, hidden=8, head=StepHead(8, 8, weight=8.0)),
}
CLASSES: dict[str, type] = {"own model": TenThatCanBeSaved, "own head": StepHead}


@pytest.mark.parametrize("name", MODELS)
def test_goes_through_fit_evaluate_generate_and_a_checkpoint(name, tmp_path):
    """Whoever brings a model of their own must not have to bring a training loop as well."""
    torch.manual_seed(0)
    model = MODELS[name]()
    windows = SlidingWindows(scales(), input_frames=4, target_frames=4, hop=4)
    history = fit(
        model,
        windows,
        windows,
        epochs=15,
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
    continuation = generate(model, primer, frames=8, sampler=Threshold())
    np.testing.assert_array_equal(continuation.active.argmax(axis=1), [4, 5, 6, 7, 0, 1, 2, 3])

    for path in (checkpoint.save(model, tmp_path / "own.safetensors"), tmp_path / "run" / "best.safetensors"):
        loaded = checkpoint.load(path, classes=[CLASSES[name]])
        assert type(loaded) is type(model)
        assert not loaded.training
        assert generate(loaded, primer, frames=20, seed=1) == generate(model, primer, frames=20, seed=1)
        assert evaluate(loaded, windows) == evaluation
        with pytest.raises(CheckpointError, match=rf"classes=\[{CLASSES[name].__name__}\]"):
            checkpoint.load(path)


def test_resumes_to_the_same_weights(tmp_path):
    """A night's training that was cut off must go on for a model of one's own, too."""
    windows = SlidingWindows(scales(), input_frames=4, target_frames=4, hop=4)

    def run(epochs: int, folder: str) -> dict[str, Tensor]:
        torch.manual_seed(0)
        model = Ten(8)
        fit(model, windows, epochs=epochs, batch_size=4, checkpoint_dir=tmp_path / folder, progress=False)
        return model.state_dict()

    run(2, "halves")
    resumed, whole = run(4, "halves"), run(4, "whole")
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_without_settings_it_is_saved_and_restored_but_not_built(tmp_path):
    """The error must say what to write, since the library cannot guess a constructor's arguments."""
    torch.manual_seed(0)
    model = Ten(8)
    path = checkpoint.save(model, tmp_path / "ten.safetensors", details={"note": "hello"})
    with pytest.raises(CheckpointError, match=r"settings\(\).*restore"):
        checkpoint.load(path, classes=[Ten])
    again = Ten(8)
    assert checkpoint.restore(path, again) == {"note": "hello"}
    assert torch.equal(again.next.weight, model.next.weight)


def test_a_model_without_weights_is_scored_and_plays():
    """A rule by hand, such as a baseline of one's own, needs no parameters."""

    class Up(nn.Module):
        def forward(self, inputs: Tensor, targets: Tensor) -> Bernoulli:
            return Bernoulli(torch.cat([inputs[:, -1:], targets[:, :-1]], 1).roll(1, dims=-1) * 20 - 10)

        def start(self, primer: Tensor) -> tuple[Bernoulli, None]:
            return self.advance(primer[:, -1], None)

        def advance(self, frame: Tensor, state: None) -> tuple[Bernoulli, None]:
            return Bernoulli(frame.roll(1, dims=-1) * 20 - 10), None

    windows = SlidingWindows(scales(), input_frames=4, target_frames=4, hop=4)
    assert evaluate(Up(), windows).model.all.f1 == 1
    assert generate(Up(), scales()[0][:1], frames=7).active.argmax(axis=1).tolist() == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("model", [Seq2SeqLSTM(5, hidden=4), CopyingLSTM(5, hidden=4, copies=1)])
def test_music_of_other_pitches_is_named(model: Seq2SeqLSTM | CopyingLSTM) -> None:
    """A piece read with another PitchRange than the model's fails somewhere inside PyTorch."""
    with pytest.raises(ShapeError, match=r"frames of 5 columns, got frames of shape \(1, 3, 6\)"):
        model(torch.zeros(1, 3, 6), torch.zeros(1, 2, 6))
