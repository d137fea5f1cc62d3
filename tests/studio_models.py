"""Models and requests for tests of the studio."""

import time
from typing import Any

import torch
from torch import Tensor, nn

from pianoroll_seq2seq.grid import BeatGrid, FrameGrid, SecondsGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.filling_lstm import FillingLSTM
from pianoroll_seq2seq.models.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.models.heads.monophonic import MonophonicHead
from pianoroll_seq2seq.models.heads.notes import NotesHead
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.serving.limits import RequestLimits
from pianoroll_seq2seq.studio.limits import StudioLimits

PITCHES = PitchRange(55, 72)
LAYOUT = FrameLayout(BeatGrid(4), PITCHES, planes=("active",))


class Slow(nn.Module):
    """Sleeps before each frame, and counts the frames."""

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
    """Fails after some frames."""

    def __init__(self, after: int) -> None:
        super().__init__(0.0)
        self.after = after

    def advance(self, frame: Tensor, state: Any) -> tuple[Bernoulli, Any]:
        if self.frames == self.after:
            raise RuntimeError("broken\n  on purpose")
        return super().advance(frame, state)


def slow_model(frame_seconds: float = 0.02, *, name: str = "slow", grid: FrameGrid = BeatGrid(4)) -> TrainedModel:
    return TrainedModel(Slow(frame_seconds), FrameLayout(grid, PITCHES, planes=("active",)), name=name)


def in_seconds_model() -> TrainedModel:
    """Its frames are counted in seconds."""
    return slow_model(0.0, name="in seconds", grid=SecondsGrid(0.02))


def small_model(*, name: str = "small") -> TrainedModel:
    """A small model, fast even with run-time type checks."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(LAYOUT, hidden_size=16)
    with torch.no_grad():  # so that it plays, and depends on the frames before
        model.head.logits.bias.fill_(-1.5)  # type: ignore[union-attr,operator]
        model.head.logits.weight.mul_(4)  # type: ignore[union-attr,operator]
    return TrainedModel(model.eval(), LAYOUT, name=name)


def conditional_model(*, name: str = "conditional") -> TrainedModel:
    """Needs the pitch classes of a scale as its condition."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(LAYOUT, hidden_size=8, condition_size=12)
    return TrainedModel(model.eval(), LAYOUT, name=name)


def notes_model(*, name: str = "onsets") -> TrainedModel:
    """Reads and writes onsets."""
    torch.manual_seed(0)
    layout = FrameLayout.of(LAYOUT, onsets=True)
    model = Seq2SeqLSTM(layout, hidden_size=8, head=NotesHead)
    with torch.no_grad():  # so that it plays
        model.head.logits.bias.zero_()  # type: ignore[union-attr,operator]
    return TrainedModel(model.eval(), layout, name=name)


def quartet_model(*, name: str = "quartet") -> TrainedModel:
    """A small model of four voices that fills."""
    torch.manual_seed(2)
    ranges = {"soprano": (60, 81), "alto": (53, 74), "tenor": (48, 69), "bass": (36, 62)}
    parts = tuple(Part(voice, 52, pitches=PitchRange(*pitches)) for voice, pitches in ranges.items())
    layout = FrameLayout(BeatGrid(4), planes=("active", "onset"), parts=parts)
    model = FillingLSTM(layout, hidden_size=8, encoder_size=4, num_copy_heads=0, head=MonophonicHead)
    return TrainedModel(model.eval(), layout, name=name)


def filling_model(*, name: str = "filling") -> TrainedModel:
    """Fills what is not given."""
    torch.manual_seed(0)
    layout = FrameLayout.of(LAYOUT, onsets=True)
    model = FillingLSTM(layout, hidden_size=8, encoder_size=4, num_copy_heads=0, head=NotesHead)
    return TrainedModel(model.eval(), layout, name=name)


LIMITS = StudioLimits(
    request=RequestLimits(
        max_request_bytes=20_000,
        max_midi_bytes=5_000,
        max_primer_notes=50,
        max_primer_frames=3000,
        max_num_frames=20_000,
    ),
    max_piece_seconds=120,
    max_jobs=2,
)
HOSTILE = "</script><img src=x onerror=document.title='taken'>"
SMALL = small_model()
SLOW = slow_model()
FAILING = TrainedModel(Failing(after=7), LAYOUT, name="failing")


def all_models() -> list[TrainedModel]:
    """The models of the studio that all tests share."""
    return [SMALL, SLOW, FAILING, in_seconds_model(), conditional_model(), notes_model(), small_model(name=HOSTILE)]
