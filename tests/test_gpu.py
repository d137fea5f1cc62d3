"""What is only to be seen on a GPU; elsewhere these tests are skipped."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from layouts import active_windows

from pianoroll_seq2seq import (
    PianoRoll,
    PitchRange,
    RelativeBernoulliHead,
    Seq2SeqLSTM,
    SlidingWindows,
    Threshold,
    evaluate,
    fit,
    generate,
)
from pianoroll_seq2seq.train import StepEnd
from pianoroll_seq2seq.train.loop import STEPS_BETWEEN_CHECKS

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def roll(frames: int) -> PianoRoll:
    active = np.random.default_rng(0).random((frames, 12)) < 0.2
    return PianoRoll.from_active(active, pitches=PitchRange(60, 71))


def windows() -> SlidingWindows:
    return active_windows([roll(600)], input_frames=8, target_frames=8, hop=1)


def model(**changes: object) -> Seq2SeqLSTM:
    torch.manual_seed(0)
    return Seq2SeqLSTM(12, **{"hidden_size": 32, "dropout": 0.1} | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_every_precision_learns(precision: Literal["float32", "bfloat16", "float16"]) -> None:
    """A precision does not run on a GPU, or does not learn what float32 learns."""
    losses = {}
    for kind in ("float32", precision):
        history = fit(
            model().cuda(), windows(), windows(), epochs=4, batch_size=32, precision=kind, progress=False
        )  # fmt: skip
        losses[kind] = history.valid_losses
    assert losses[precision][-1] < losses[precision][0]
    assert losses[precision] == pytest.approx(losses["float32"], rel=0.05)


def test_a_step_does_not_wait_for_the_gpu() -> None:
    """The GPU idles at every step, since something of it is read."""

    def watch(event: StepEnd) -> None:
        first, last = event.step == 1, (event.step + 1) % STEPS_BETWEEN_CHECKS == 0
        if first or last:
            torch.cuda.set_sync_debug_mode("error" if first else "default")

    try:
        fit(model().cuda(), windows(), epochs=1, batch_size=16, on_step=[watch], progress=False)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_run_resumes_on_the_gpu(tmp_path: Path) -> None:
    """A checkpoint of a GPU cannot be resumed."""
    fit(model().cuda(), windows(), epochs=1, batch_size=32, ema_decay=0.9, checkpoint_dir=tmp_path, progress=False)
    history = fit(
        model().cuda(), windows(), epochs=2, batch_size=32, ema_decay=0.9, checkpoint_dir=tmp_path, progress=False
    )
    assert len(history.epochs) == 2


@pytest.mark.parametrize("head", ["bernoulli", "relative"])
def test_scores_and_music_are_those_of_the_cpu(head: str) -> None:
    """A model plays other music on a GPU."""
    changes = {} if head == "bernoulli" else {"head": RelativeBernoulliHead}
    trained = model(**changes)
    on_cpu = evaluate(trained, windows()).model.all.nats
    expected = generate(trained, roll(16), num_frames=20, sampler=Threshold(0.2)).active
    trained.cuda()
    assert evaluate(trained, windows()).model.all.nats == pytest.approx(on_cpu, rel=1e-4)
    found = generate(trained, roll(16), num_frames=20, sampler=Threshold(0.2)).active
    assert (found == expected).mean() > 0.99
