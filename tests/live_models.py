"""Small models to play with."""

from functools import partial

import torch

from pianoroll_seq2seq import (
    CopyingLSTM,
    FillingLSTM,
    FrameLayout,
    MonophonicHead,
    NotesHead,
    Part,
    PitchRange,
    Seq2SeqLSTM,
    VelocityHead,
)
from pianoroll_seq2seq.data.condition_sources import JoinedConditions, MetricPosition, PhraseEnds
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel

PITCHES = PitchRange(60, 71)
PARTS = (
    Part("melody", program=73, pitches=PitchRange(60, 67)),
    Part("bass", program=32, pitches=PitchRange(40, 47)),
)
PLANES = ("active", "onset")
SOURCE = JoinedConditions((MetricPosition(), PhraseEnds()))


def trained(kind: str) -> TrainedModel:
    """An untrained model of a kind, always the same."""
    torch.manual_seed(0)
    one, two = FrameLayout(pitches=PITCHES, planes=PLANES), FrameLayout(parts=PARTS, planes=PLANES)
    loud = FrameLayout(pitches=PITCHES, planes=(*PLANES, "velocity"))
    ahead = partial(MonophonicHead, channels=5, lags=(2,), look_ahead=(2, 3))
    small = {"hidden_size": 8}
    model = {
        "continuing": lambda: Seq2SeqLSTM(one, **small, block_frames=8),
        "conditional": lambda: Seq2SeqLSTM(one, **small, condition_size=12),
        "copying": lambda: CopyingLSTM(one, **small, num_copy_heads=1, head=NotesHead),
        "velocities": lambda: CopyingLSTM(
            loud, **small, num_copy_heads=0, head=partial(VelocityHead, channels=5, bins=3)
        ),
        "parts": lambda: CopyingLSTM(two, **small, num_copy_heads=0, head=NotesHead),
        "filling": lambda: FillingLSTM(
            two, **small, encoder_size=4, num_copy_heads=1, head=ahead, condition_source=SOURCE, condition_dropout=0.1
        ),
        "filling one part": lambda: FillingLSTM(one, **small, encoder_size=4, num_copy_heads=0, head=NotesHead),
    }[kind]().eval()
    return TrainedModel(model, model.layout, name=kind)


KINDS = ("continuing", "copying", "velocities", "parts", "filling", "filling one part")
