"""Small runs, a model with given losses, and recorders of what an optimizer and a tracker get."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from layouts import active_windows
from torch import Tensor, nn

from pianoroll_seq2seq import BeatGrid, History, NoTracker, PianoRoll, PitchRange, Seq2SeqLSTM, SlidingWindows, fit

PITCHES = PitchRange(60, 64)
FILES = {"best.safetensors", "last.safetensors", "previous.safetensors", "history.jsonl"}


def make_windows(seed: int = 0, frames: int = 25, pitches: PitchRange = PITCHES, **changes: Any) -> SlidingWindows:
    active = np.random.default_rng(seed).random((frames, len(pitches))) < 0.3
    roll = PianoRoll.from_active(active, grid=changes.pop("grid", BeatGrid(4)), pitches=pitches)
    return active_windows([roll], **{"input_frames": 4, "target_frames": 4, "hop": 1} | changes)


def make_model(**changes: Any) -> Seq2SeqLSTM:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return Seq2SeqLSTM(
            **{"layout": 5, "hidden_size": 6, "num_encoder_layers": 1, "num_decoder_layers": 1} | changes
        )


def fit_small(model: Any, train: SlidingWindows, valid: SlidingWindows | None = None, **changes: Any) -> History:
    return fit(model, train, valid, **{"epochs": 3, "batch_size": 4, "progress": False} | changes)


def without_seconds(history: History) -> History:
    """A history without its durations, which no two runs share."""
    return replace(history, epochs=tuple(replace(epoch, seconds=0.0) for epoch in history.epochs))


def have_same_weights(first: nn.Module, second: nn.Module) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def read_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@dataclass(frozen=True)
class Scripted:
    """A distribution with a given loss, whose gradient lowers the weight by the learning rate at each step."""

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
    """A model with given losses, one for each call. After ``n`` steps of rate 1 its weight is ``-n``."""

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


def play(train: Sequence[float], valid: Sequence[float] | None = None, **changes: Any) -> tuple[History, ScriptedModel]:
    """Trains on a single window, so that each epoch uses one loss of each kind."""
    model = ScriptedModel(train, valid or ())
    window = make_windows(frames=8)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    validation = None if valid is None else window
    return fit_small(
        model, window, validation, **{"epochs": len(train), "optimizer": optimizer, "clip_norm": None} | changes
    ), model


class RecordingSGD(torch.optim.SGD):
    """Records the learning rates of its groups and the norm of the gradient at each step."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.rates: list[list[float]] = []
        self.norms: list[float] = []

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        gradients = [parameter.grad for group in self.param_groups for parameter in group["params"]]
        self.rates.append([group["lr"] for group in self.param_groups])
        self.norms.append(float(torch.linalg.vector_norm(torch.cat([g.flatten() for g in gradients if g is not None]))))
        super().step(closure)


class RecordingTracker(NoTracker):
    """Records its calls, and calls ``at_epoch`` with each epoch."""

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
