"""Models for the studio that do as a test wants."""

import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pianoroll_seq2seq.grid import BeatGrid, FrameGrid
from pianoroll_seq2seq.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.heads.notes import NotesHead
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import Draw, Sampler
from pianoroll_seq2seq.studio.wishes import Wish
from pianoroll_seq2seq.trained import TrainedModel

PITCHES = PitchRange(55, 72)


class Slow(nn.Module):
    """Takes its time for every frame, and counts them."""

    def __init__(self, frame_seconds: float = 0.02) -> None:
        super().__init__()
        self.frame_seconds = frame_seconds
        self.frames = 0

    def forward(self, inputs: Tensor, targets: Tensor) -> Bernoulli:
        return Bernoulli(torch.zeros_like(targets))

    def start(self, primer: Tensor) -> tuple[Bernoulli, Any]:
        return self.advance(primer[:, -1], None)

    def advance(self, frame: Tensor, state: Any) -> tuple[Bernoulli, Any]:
        time.sleep(self.frame_seconds)
        self.frames += 1
        return Bernoulli(torch.full_like(frame, -1.0)), None


class Failing(Slow):
    """Breaks after some frames."""

    def __init__(self, after: int) -> None:
        super().__init__(0.0)
        self.after = after

    def advance(self, frame: Tensor, state: Any) -> tuple[Bernoulli, Any]:
        if self.frames == self.after:
            raise RuntimeError("broken\n  on purpose")
        return super().advance(frame, state)


def slow_model(frame_seconds: float = 0.02, *, name: str = "slow", grid: FrameGrid = BeatGrid(4)) -> TrainedModel:
    return TrainedModel(Slow(frame_seconds), grid, PITCHES, name=name)


def small_model(*, name: str = "small") -> TrainedModel:
    """Quick also where every call is checked, as in tests."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(len(PITCHES), hidden=16)
    with torch.no_grad():  # so that it plays, and hears what it played
        model.head.logits.bias.fill_(-1.5)  # type: ignore[union-attr,operator]
        model.head.logits.weight.mul_(4)  # type: ignore[union-attr,operator]
    return TrainedModel(model.eval(), BeatGrid(4), PITCHES, name=name)


def told_model(*, name: str = "told") -> TrainedModel:
    """Hears the pitch classes of a scale, and has not learned to do without."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(len(PITCHES), hidden=8, condition_size=12)
    return TrainedModel(model.eval(), BeatGrid(4), PITCHES, name=name, condition_size=12)


def notes_model(*, name: str = "onsets") -> TrainedModel:
    """Hears and writes what is struck."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(2 * len(PITCHES), hidden=8, head=NotesHead(8, 2 * len(PITCHES)))
    with torch.no_grad():  # so that it plays
        model.head.logits.bias.zero_()  # type: ignore[union-attr,operator]
    return TrainedModel(model.eval(), BeatGrid(4), PITCHES, name=name, onsets=True)


def wish_for(trained: TrainedModel, *, frames: int, sampler: Sampler = Draw(), seed: int = 0) -> Wish:
    active = np.zeros((9, len(trained.pitches)), dtype=bool)
    active[0:4, 1] = active[4:9, 2] = active[2:9, 3] = True
    primer = PianoRoll.from_active(active, grid=trained.grid, pitches=trained.pitches)
    return Wish(trained, primer, frames, sampler, seed, None)
