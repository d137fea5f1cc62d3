"""Every model with the heads for parts, onsets and velocities: causality, stepping, generation and checkpoints."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pianoroll_seq2seq import (
    CausalTransformer,
    CopyingLSTM,
    FillingLSTM,
    FrameLayout,
    Part,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    WholePieces,
    checkpoint,
    fit,
    generate,
)
from pianoroll_seq2seq.models.heads.monophonic import MonophonicHead
from pianoroll_seq2seq.models.heads.nade import NADEHead
from pianoroll_seq2seq.models.heads.notes import NotesHead
from pianoroll_seq2seq.models.heads.relative_bernoulli import RelativeBernoulliHead
from pianoroll_seq2seq.models.heads.relative_window import RelativeWindowHead
from pianoroll_seq2seq.models.heads.velocity import VelocityHead
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM

pytestmark = pytest.mark.usefixtures("one_thread")

PARTS = (Part("high", pitches=PitchRange(60, 64)), Part("low", pitches=PitchRange(50, 53)))
PLANES = ("active", "onset", "velocity")
MONOPHONIC = partial(MonophonicHead, channels=5, lags=(2,))
WINDOW = partial(RelativeWindowHead, channels=5, window=2)
HEADS: dict[str, tuple[int, Any]] = {
    "MonophonicHead": (1, MONOPHONIC),
    "MonophonicHead with onsets": (2, MONOPHONIC),
    "NADEHead with onsets": (2, partial(NADEHead, hidden_size=5)),
    "RelativeBernoulliHead with onsets": (2, partial(RelativeBernoulliHead, channels=5, window=2)),
    "RelativeWindowHead with onsets": (2, WINDOW),
    "velocities of MonophonicHead": (3, partial(VelocityHead, channels=5, inner=MONOPHONIC)),
    "velocities of NotesHead": (3, partial(VelocityHead, channels=5, inner=NotesHead)),
    "velocities of RelativeWindowHead": (3, partial(VelocityHead, channels=5, inner=WINDOW)),
}
MODELS: dict[str, Any] = {
    "CausalTransformer": partial(CausalTransformer, num_layers=1, num_heads=3, num_copy_heads=2),
    "CopyingLSTM": partial(CopyingLSTM, num_copy_heads=2),
    "FillingLSTM": partial(FillingLSTM, encoder_size=5, num_copy_heads=2),
    "Seq2SeqLSTM": partial(Seq2SeqLSTM, num_encoder_layers=1, num_decoder_layers=1),
    "Seq2SeqLSTM with all": partial(
        Seq2SeqLSTM, attention=True, num_copy_heads=2, block_frames=3, condition_size=2, condition_dropout=0.5
    ),
}
every_head = pytest.mark.parametrize(("num_planes", "head"), HEADS.values(), ids=HEADS)
every_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def layout_of(num_planes: int) -> FrameLayout:
    return FrameLayout(planes=PLANES[:num_planes], parts=PARTS)


def model_of(make: Any, head: Any, layout: FrameLayout, **settings: Any) -> Any:
    torch.manual_seed(0)
    model = make(layout, hidden_size=6, head=head, **settings).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


def music(layout: FrameLayout, frames: int, *, seed: int = 0) -> np.ndarray:
    """One pitch or none in each part; every change has an onset."""
    rng = np.random.default_rng(seed)
    planes = np.zeros((3, frames, layout.plane_size), dtype=np.uint8)
    for part in layout.parts:
        columns = layout.columns("active", part.name)
        pitch = -1
        for frame in range(frames):
            held = pitch >= 0 and rng.random() < 0.5
            pitch = pitch if held else int(rng.integers(-1, len(part.pitches)))
            if pitch >= 0:
                planes[0, frame, columns.start + pitch] = 1
                planes[1:, frame, columns.start + pitch] = [0, 0] if held else [1, rng.integers(1, 128)]
    whole = np.concatenate(list(planes[: len(layout.planes)]), axis=1)
    return whole if layout.has_velocity else whole.astype(bool)


def tensor_of(layout: FrameLayout, frames: int, *, seed: int = 0) -> Tensor:
    return torch.from_numpy(layout.to_float(music(layout, frames, seed=seed)))[None].double()


@every_head
@every_model
def test_predicts_each_frame_from_earlier_ones_only_and_the_same_step_by_step(
    make: Any, num_planes: int, head: Any
) -> None:
    """A leak gives splendid losses and a model that cannot play."""
    layout = layout_of(num_planes)
    model, frames = model_of(make, head, layout).double(), tensor_of(layout, 9)
    inputs, targets = frames[:, :4], frames[:, 4:7]
    with torch.no_grad():
        expected = model(inputs, targets).log_prob(targets)
        assert expected.isfinite().all()
        for frame in range(3):
            other = targets.clone()
            other[:, frame] = tensor_of(layout, 9, seed=5)[:, 8]
            changed = model(inputs, other).log_prob(targets)
            torch.testing.assert_close(changed[:, : frame + 1], expected[:, : frame + 1])
        distribution, state = model.start(inputs)
        for step in range(3):
            torch.testing.assert_close(distribution.log_prob(targets[:, step]), expected[:, step])
            model.advance(targets[:, step] * 0, state)  # another continuation, which changes nothing here
            distribution, state = model.advance(targets[:, step], state)
        for _ in range(4):  # past what it was trained to write
            distribution, state = model.advance(targets[:, 0], state)
            assert distribution.log_prob(targets[:, 1]).shape == (1,)


@every_head
def test_a_piece_is_learned_continued_and_kept(num_planes: int, head: Any, tmp_path: Path) -> None:
    """With noise and dropout, as whole pieces; the music that is written has consistent planes."""
    layout = layout_of(num_planes)
    rolls = [PianoRoll.from_frames(music(layout, 20, seed=seed), layout, name=str(seed)) for seed in range(3)]
    torch.manual_seed(0)
    settings = {"dropout": 0.1, "input_noise": 0.2, "input_dropout": 0.1}
    model = CopyingLSTM(layout, hidden_size=8, num_copy_heads=2, head=head, **settings)
    examples = WholePieces(rolls, max_frames_per_batch=60, repeats=6, layout=layout)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    history = fit(model, examples, epochs=3, batch_size=1, optimizer=optimizer, progress=False)
    assert history.train_losses[-1] < history.train_losses[0]
    played = generate(model, rolls[0], num_frames=12, seed=1)
    assert (played.velocity is not None) == layout.has_velocity
    assert played.parts == layout.parts
    again = checkpoint.load(checkpoint.save(model, tmp_path / "model.safetensors"))
    assert checkpoint.describe(again) == checkpoint.describe(model)
    assert generate(again, rolls[0], num_frames=12, seed=1) == played


@every_head
def test_half_precision_is_close(num_planes: int, head: Any) -> None:
    """Probabilities are in single precision under autocast, and velocities are not rounded."""
    layout = layout_of(num_planes)
    model = model_of(MODELS["CopyingLSTM"], head, layout)
    frames = tensor_of(layout, 12).float()
    with torch.no_grad():
        exact = model(frames[:, :0], frames).log_prob(frames)
        with torch.autocast("cpu", torch.bfloat16):
            distribution = model(frames[:, :0], frames)
            rough = distribution.log_prob(frames)
            drawn = distribution.sample(generator=torch.Generator().manual_seed(0))
    assert rough.dtype == drawn.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.1, atol=0.6)
    steps = drawn * 127
    torch.testing.assert_close(steps, steps.round(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("num_planes", [1, 2])
def test_repeats_of_each_part_are_counted(num_planes: int) -> None:
    layout = layout_of(num_planes)
    model, frames = model_of(MODELS["CopyingLSTM"], MONOPHONIC, layout), torch.zeros(1, 4, layout.frame_size)
    frames[0, :, 0] = 1  # the upper part stays
    frames[0, [0, 1, 2, 3], [5, 5, 6, 6]] = 1
    assert model.past_features._repeats(frames)[0].tolist() == [[1, 1, 1], [2, 2, 2], [1, 3, 1], [2, 4, 2]]


def test_matches_are_found_for_each_part_and_without_velocities() -> None:
    """A melody that returns over another bass, or softer, is a repetition."""
    layout = layout_of(3)
    copy = model_of(MODELS["CopyingLSTM"], HEADS["velocities of NotesHead"][1], layout).copy
    frames = tensor_of(layout, 6)
    softer = frames.clone()
    softer[..., layout.columns("velocity")] *= 0.5
    assert torch.equal(copy.frame_hash(frames), copy.frame_hash(softer))
    other = frames.clone()
    other[..., layout.columns("active", "low")] = 0
    same = copy.frame_hash(frames) == copy.frame_hash(other)
    assert same[..., 1].all()
    assert not same[..., [0, 2]].all()


def test_a_parallel_decoder_has_no_velocities() -> None:
    with pytest.raises(ValueError, match="Use Seq2SeqLSTM"):
        ParallelSeq2SeqLSTM(layout_of(3), block_frames=4, head=VelocityHead)
