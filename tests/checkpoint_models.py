"""Models and checkpoints for the tests of checkpoints."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from pianoroll_seq2seq import (
    BernoulliHead,
    FrameDistribution,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
)
from pianoroll_seq2seq.checkpoint.files import CHECKSUM, checksum

PITCHES = PitchRange(60, 66)
HEADER = "pianoroll_seq2seq"


def tiny_model(kind: Any = Seq2SeqLSTM, **changes: Any) -> Any:
    """A model with large weights, so that it generates notes."""
    settings = {"layout": 7, "hidden_size": 6, "num_encoder_layers": 1, "num_decoder_layers": 2} | changes
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = kind(**settings)
        for parameter in model.parameters():
            nn.init.normal_(parameter)
    return model


def some_frames(count: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((2, count, 7)) < 0.3).float()


def some_primer() -> PianoRoll:
    return PianoRoll.from_active(np.random.default_rng(3).random((8, 7)) < 0.4, pitches=PITCHES)


def rewrite_header(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Changes the header of a checkpoint, with a valid checksum."""
    with safetensors.safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()[HEADER])
    header = change(header) or header
    text, tensors = json.dumps(header), safetensors.torch.load_file(path)
    metadata = {HEADER: text, CHECKSUM: checksum(text, tensors)}  # otherwise the checksum alone would be refused
    safetensors.torch.save_file(tensors, path, metadata=metadata)


class Echo(nn.Module):
    """A custom model with custom parts that repeats the last frame."""

    def __init__(self, frame_size: int, certainty: float = 2.0, heads: list[BernoulliHead] | None = None) -> None:
        super().__init__()
        self.frame_size, self.certainty = frame_size, certainty
        self.heads = nn.ModuleList(heads or [BernoulliHead(frame_size, frame_size)])

    def _after(self, frames: Tensor) -> FrameDistribution:
        return self.heads[0](self.certainty * frames, frames)

    def forward(self, inputs: Tensor, targets: Tensor) -> FrameDistribution:
        return self._after(torch.cat([inputs, targets], dim=1)[:, inputs.shape[1] - 1 : -1])

    def start(self, primer: Tensor) -> tuple[FrameDistribution, Any]:
        return self._after(primer)[:, -1], None

    def advance(self, frame: Tensor, state: Any) -> tuple[FrameDistribution, Any]:
        return self._after(frame.unsqueeze(1))[:, 0], None

    def settings(self) -> dict[str, Any]:
        return {"frame_size": self.frame_size, "certainty": self.certainty, "heads": list(self.heads)}


class WithoutSettings(Echo):
    """A model without settings()."""

    settings = None  # type: ignore[assignment]


def stepped(model: Seq2SeqLSTM, optimizer: torch.optim.Optimizer, steps: int = 3) -> torch.optim.Optimizer:
    """The optimizer after some training steps."""
    for step in range(steps):
        optimizer.zero_grad()
        torch.autograd.backward(
            -model(some_frames(4, step), some_frames(3, step + 9)).log_prob(some_frames(3, step + 9)).mean()
        )
        optimizer.step()
    return optimizer


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
