"""Velocities: against enumeration, what a head promises, and whether notes are as likely as without them."""

import itertools
import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pianoroll_seq2seq import (
    FrameLayout,
    Part,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    SlidingWindows,
    checkpoint,
    fit,
    likelihood,
)
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.copying_lstm import CopyingLSTM
from pianoroll_seq2seq.models.heads.bernoulli import BernoulliHead
from pianoroll_seq2seq.models.heads.head_state import init_head_state
from pianoroll_seq2seq.models.heads.monophonic import MonophonicHead
from pianoroll_seq2seq.models.heads.nade import NADEHead
from pianoroll_seq2seq.models.heads.notes import NotesHead
from pianoroll_seq2seq.models.heads.random_numbers import RowGenerators
from pianoroll_seq2seq.models.heads.relative_bernoulli import RelativeBernoulliHead
from pianoroll_seq2seq.models.heads.relative_window import RelativeWindowHead
from pianoroll_seq2seq.models.heads.velocity import VelocityHead

pytestmark = pytest.mark.usefixtures("one_thread")

FEATURES = 5
PLANES = ("active", "onset", "velocity")
ONE = FrameLayout(pitches=PitchRange(60, 60), planes=PLANES)
TWO = FrameLayout(
    planes=PLANES, parts=(Part("high", pitches=PitchRange(60, 60)), Part("low", pitches=PitchRange(58, 58)))
)
WIDE = FrameLayout(
    planes=PLANES, parts=(Part("high", pitches=PitchRange(60, 64)), Part("low", pitches=PitchRange(48, 50)))
)
INNER = {
    "NotesHead": NotesHead,
    "NADEHead": partial(NADEHead, hidden_size=4),
    "RelativeBernoulliHead": partial(RelativeBernoulliHead, channels=4, window=2),
    "RelativeWindowHead": partial(RelativeWindowHead, channels=4, window=2),
    "MonophonicHead": partial(MonophonicHead, channels=4, lags=(2,)),
}


def head_of(layout: FrameLayout, *, seed: int = 0, features: int = FEATURES, **settings: Any) -> VelocityHead:
    torch.manual_seed(seed)
    head = VelocityHead(features, layout, **{"channels": 4} | settings).double().eval()
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=0.5)
    return head


def features_of(*shape: int, seed: int = 0, size: int = FEATURES) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(*shape, size)))


def frames_of(layout: FrameLayout, *shape: int, seed: int = 0) -> Tensor:
    """Random frames, consistent over the planes, at most one pitch of a part."""
    rng = np.random.default_rng(seed)
    active = np.zeros((*shape, layout.plane_size), dtype=bool)
    for part in layout.parts:
        columns = layout.columns("active", part.name)
        place = rng.integers(-1, len(part.pitches), size=shape)
        active[..., columns] = place[..., None] == np.arange(len(part.pitches))
    onset = active & (rng.random(active.shape) < 0.6)
    velocity = onset * rng.integers(1, 128, size=active.shape) / 127
    return torch.from_numpy(np.concatenate([active, onset, velocity], axis=-1).astype(np.float64))


def every_frame(layout: FrameLayout) -> Tensor:
    cells = [(0, 0, 0.0), (1, 0, 0.0), *((1, 1, velocity / 127) for velocity in range(1, 128))]
    frames = itertools.product(cells, repeat=layout.plane_size)
    return torch.tensor([[cell[plane] for plane in range(3) for cell in frame] for frame in frames]).double()


@pytest.mark.parametrize("inner", INNER.values(), ids=INNER)
@pytest.mark.parametrize("bins", [1, 32, 127])
def test_all_frames_of_one_pitch_sum_to_one(inner: Any, bins: int) -> None:
    every, head = every_frame(ONE), head_of(ONE, inner=inner, bins=bins)
    distribution = head(features_of(1, 1), frames_of(ONE, 1, 5))[:, 0]
    many = distribution[torch.zeros(len(every), dtype=torch.long)]
    probabilities = many.log_prob(every).detach().exp()
    assert float(probabilities.sum()) == pytest.approx(1, abs=1e-9)
    torch.testing.assert_close(distribution.mean[0].detach(), probabilities @ every, atol=1e-7, rtol=0)
    for temperature in (0.5, 2.0):
        assert float(many.tempered(temperature).log_prob(every).detach().exp().sum()) == pytest.approx(1, abs=1e-9)


def test_all_frames_of_two_parts_sum_to_one_and_are_drawn_as_often_as_they_are_likely() -> None:
    """What is scored and what is played must be one distribution, and the second velocity depends on the first."""
    every, head = every_frame(TWO), head_of(TWO, bins=4)
    distribution = head(features_of(1, 1), frames_of(TWO, 1, 5))[:, 0]
    probabilities = distribution[torch.zeros(len(every), dtype=torch.long)].log_prob(every).detach().exp()
    assert float(probabilities.sum()) == pytest.approx(1, abs=1e-9)
    draws = distribution[torch.zeros(20_000, dtype=torch.long)].sample(generator=torch.Generator().manual_seed(0))
    loud = [(draws[:, 4] > 0.5) & (draws[:, 5] > 0.5), (draws[:, 4] > 0.5) & (draws[:, 5] <= 0.5)]
    likely = [(every[:, 4] > 0.5) & (every[:, 5] > 0.5), (every[:, 4] > 0.5) & (every[:, 5] <= 0.5)]
    for seen, expected in zip(loud, likely, strict=True):
        chance = float(probabilities[expected].sum())
        assert abs(float(seen.double().mean()) - chance) < 5 * math.sqrt(chance * (1 - chance) / 20_000)
    torch.testing.assert_close(distribution.mean[0].detach(), probabilities @ every, atol=0.06, rtol=0)
    torch.testing.assert_close(draws.mean(dim=0), probabilities @ every, atol=0.02, rtol=0)
    assert ((draws[:, 4:] * 127).round() / 127 - draws[:, 4:]).abs().max() < 1e-9


def test_log_prob_is_that_of_the_notes_plus_that_of_the_velocities() -> None:
    head = head_of(WIDE)
    features, past, frames = features_of(2, 3), frames_of(WIDE, 2, 7), frames_of(WIDE, 2, 3, seed=1)
    distribution = head(features, past)
    notes, velocities = distribution.log_prob_parts(frames)
    torch.testing.assert_close(distribution.log_prob(frames), notes + velocities)
    torch.testing.assert_close(notes, head.inner(features, past[..., :16]).log_prob(frames[..., :16]))
    predictions = distribution.predictions(frames)
    assert len(predictions.velocities) == int((frames[..., 8:16] > 0).sum())
    torch.testing.assert_close(-predictions.nats.sum(), velocities.sum())
    torch.testing.assert_close(predictions.probabilities.sum(dim=1), torch.ones(len(predictions.columns)).double())


@pytest.mark.parametrize("change", ["velocity without onset", "onset without velocity"])
def test_inconsistent_planes_have_no_probability(change: str) -> None:
    """A velocity that belongs to no note would be free to carry information."""
    frames = frames_of(ONE, 1, 1) * 0
    frames[..., 0] = 1
    frames[..., 2 if change.startswith("velocity") else 1] = 0.5 if change.startswith("velocity") else 1
    past = frames_of(ONE, 1, 3) * 0
    past[..., 0] = 1
    log_prob = head_of(ONE)(features_of(1, 1), past).log_prob(frames)
    assert log_prob.isneginf().all()


def test_single_precision_keeps_every_velocity() -> None:
    """Tensors hold velocity / 127 in float32."""
    values = torch.arange(1, 128).float() / 127
    head = head_of(ONE, bins=127).float()
    frames = torch.stack([torch.ones(127), torch.ones(127), values], dim=1)
    _, velocities = head(torch.zeros(1, 1, FEATURES), torch.zeros(1, 1, 3))[0]._listed(frames)
    assert velocities.tolist() == list(range(1, 128))
    assert sum(int((head._bins == number).sum()) for number in range(127)) == 127


@pytest.mark.parametrize("inner", INNER.values(), ids=INNER)
class TestPromisesOfAHead:
    """The contract of a head, on frames with velocities."""

    def test_steps_together_one_by_one_and_by_state_agree(self, inner: Any) -> None:
        head, known = head_of(WIDE, inner=inner), 4
        features, past = features_of(2, 6), frames_of(WIDE, 2, known + 5)
        targets = frames_of(WIDE, 2, 6, seed=2)
        with torch.no_grad():
            together = head(features, past).log_prob(targets)
            state = init_head_state(head, past[:, :known])
            for step in range(6):
                alone = head(features[:, [step]], past[:, : known + step]).log_prob(targets[:, [step]])[:, 0]
                torch.testing.assert_close(alone, together[:, step])
                torch.testing.assert_close(state.predict(features[:, step]).log_prob(targets[:, step]), alone)
                if step < 5:
                    state.update(past[:, known + step] * 0)  # another continuation, which changes nothing here
                    state = state.update(past[:, known + step])

    def test_reads_no_later_frame(self, inner: Any) -> None:
        head, features, past = head_of(WIDE, inner=inner), features_of(2, 3), frames_of(WIDE, 2, 6)
        targets = frames_of(WIDE, 2, 3, seed=2)
        with torch.no_grad():
            expected = head(features, past).log_prob(targets).clamp(min=-1e3)
            for frame in range(6):
                changed = past.clone()
                changed[:, frame] = frames_of(WIDE, 2, 6, seed=3)[:, frame]
                found = head(features, changed).log_prob(targets).clamp(min=-1e3)
                assert torch.equal(found[:, : max(0, frame - 3)], expected[:, : max(0, frame - 3)])

    def test_every_weight_learns(self, inner: Any) -> None:
        head = head_of(WIDE, inner=inner)
        log_prob = head(features_of(4, 9), frames_of(WIDE, 4, 12)).log_prob(frames_of(WIDE, 4, 9, seed=1))
        log_prob[log_prob.isfinite()].mean().neg().backward()
        for name, parameter in head.named_parameters():
            if not name.startswith("inner."):
                assert parameter.grad is not None, name
                assert parameter.grad.abs().max() > 0, name

    def test_settings_build_it_again(self, inner: Any) -> None:
        head = head_of(WIDE, inner=inner)
        again = checkpoint.build(checkpoint.describe(head)).double().eval()
        assert checkpoint.describe(again) == checkpoint.describe(head)
        again.load_state_dict(head.state_dict())
        features, past, frames = features_of(2, 3), frames_of(WIDE, 2, 4), frames_of(WIDE, 2, 3, seed=1)
        assert torch.equal(again(features, past).log_prob(frames), head(features, past).log_prob(frames))

    def test_rows_of_a_batch_have_numbers_of_their_own(self, inner: Any) -> None:
        """Music must not depend on how many pieces are generated at once."""
        distribution = head_of(WIDE, inner=inner)(features_of(5, 1), frames_of(WIDE, 5, 4))[:, 0]
        assert distribution.rowwise
        many = distribution.sample(generator=RowGenerators(3, 5))
        assert torch.equal(distribution[:2].sample(generator=RowGenerators(3, 2)), many[:2])

    def test_a_threshold_gives_consistent_planes(self, inner: Any) -> None:
        frames = head_of(WIDE, inner=inner)(features_of(4, 5), frames_of(WIDE, 4, 8)).threshold(0.05)
        active, onset, velocity = frames.chunk(3, dim=-1)
        assert not ((onset > 0) & (active == 0)).any()
        assert torch.equal(velocity > 0, onset > 0)
        assert onset.any()


def test_reads_velocities_of_the_past_and_of_the_same_frame() -> None:
    head = head_of(WIDE)
    features, past, frames = features_of(1, 1), frames_of(WIDE, 1, 6), frames_of(WIDE, 1, 1)
    frames[..., :16] = 0
    frames[..., [0, 5, 8, 13]] = 1  # a note in each part
    frames[..., [16, 21]] = 90 / 127
    plain = head(features, past).predictions(frames).nats.detach()
    softer = past.clone()
    softer[..., 16:] *= 0.5
    assert (head(features, softer).predictions(frames).nats.detach() != plain).all()
    other = frames.clone()
    other[..., 16] = 30 / 127
    changed = head(features, past).predictions(other).nats.detach()
    assert changed[1] != plain[1]
    other = frames.clone()
    other[..., 21] = 30 / 127
    assert head(features, past).predictions(other).nats.detach()[0] == plain[0]


@pytest.mark.parametrize("detach", [True, False])
def test_velocities_leave_the_features_to_the_notes(detach: bool) -> None:
    """The likelihood of the notes would suffer from what the velocities need."""
    head, features = head_of(WIDE, detach=detach), features_of(2, 3).requires_grad_()
    _, velocities = head(features, frames_of(WIDE, 2, 4)).log_prob_parts(frames_of(WIDE, 2, 3, seed=1))
    if detach:
        velocities.sum().backward()
        assert features.grad is None
    else:
        velocities.sum().backward()
        assert features.grad is not None
        assert features.grad.abs().max() > 0


def test_copied_velocities_are_read() -> None:
    size = WIDE.frame_size
    head = head_of(WIDE, features=FEATURES + size, num_candidates=1, inner=INNER["RelativeWindowHead"])
    features, past, frames = features_of(1, 1, size=FEATURES + size), frames_of(WIDE, 1, 4), frames_of(WIDE, 1, 1)
    frames[..., [0, 8, 16]] = 1
    features[..., FEATURES:] = 0.5
    plain = head(features, past).predictions(frames).nats.detach()
    features[..., FEATURES + 16] = 0.1
    assert head(features, past).predictions(frames).nats.detach()[0] != plain[0]


def dynamic_rolls(count: int = 8, frames: int = 32) -> list[PianoRoll]:
    """Each piece has a loudness of its own, and every second beat is softer."""
    rng = np.random.default_rng(0)
    rolls = []
    for piece in range(count):
        planes = np.zeros((3, frames, WIDE.plane_size), dtype=np.uint8)
        base = rng.integers(50, 120)
        for frame in range(0, frames, 2):
            for column in (rng.integers(5), 5 + rng.integers(3)):
                planes[:2, frame, column] = 1
                planes[0, frame + 1, column] = 1
                planes[2, frame, column] = base - (20 if frame % 4 else 0) + rng.integers(-2, 3)
        rolls.append(PianoRoll.from_frames(np.concatenate(list(planes), axis=1), WIDE, name=f"piece {piece}"))
    return rolls


def test_learns_dynamics_and_reports_notes_and_velocities_apart() -> None:
    torch.manual_seed(0)
    rolls = dynamic_rolls()
    windows = SlidingWindows(rolls, input_frames=8, target_frames=8, hop=2, layout=WIDE)
    model = Seq2SeqLSTM(WIDE, hidden_size=12, num_encoder_layers=1, num_decoder_layers=1)
    assert isinstance(model.head, VelocityHead)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    fit(model, windows, epochs=12, batch_size=16, optimizer=optimizer, progress=False)
    scores = likelihood(model, rolls, input_frames=8, target_frames=8)
    assert set(scores.velocities) == {"high", "low"}
    assert scores.velocities["low"].nats < 3.4  # of a uniform distribution 4.84
    assert scores.velocities["low"].mean_absolute_error < 6
    notes = sum(one.num_notes for one in scores.velocities.values())
    assert notes == sum(int(roll.onset.sum()) for roll in rolls)
    nats = sum(one.nats * one.num_notes for one in scores.velocities.values())
    assert scores.note_nats is not None
    assert scores.nats == pytest.approx(scores.note_nats + nats / scores.num_frames, rel=1e-5)
    assert "velocities of low" in str(scores)


@pytest.mark.parametrize("kind", [Seq2SeqLSTM, partial(Seq2SeqLSTM, num_copy_heads=2), CopyingLSTM])
def test_models_choose_it_for_layouts_with_velocities(kind: Any) -> None:
    head = kind(WIDE, hidden_size=8).head
    assert isinstance(head, VelocityHead)
    assert isinstance(head.inner, RelativeWindowHead if kind is CopyingLSTM else NotesHead)


@pytest.mark.parametrize(
    ("layout", "settings", "message"),
    [
        (FrameLayout(planes=("active",)), {}, "layout with velocities"),
        (9, {}, "layout with velocities"),
        (WIDE, {"bins": 0}, r"bins in 1\.\.127"),
        (WIDE, {"bins": 128}, r"bins in 1\.\.127"),
        (WIDE, {"dropout": 1.0}, "dropout"),
        (WIDE, {"num_candidates": 1}, "leave no state"),
        (WIDE, {"inner": BernoulliHead(4, 4)}, "in_features=4"),
    ],
)
def test_wrong_arguments_are_refused(layout: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        VelocityHead(FEATURES, layout, **settings)


@pytest.mark.parametrize("head", [BernoulliHead, NADEHead, NotesHead, RelativeBernoulliHead, RelativeWindowHead])
def test_heads_of_notes_refuse_velocities(head: Any) -> None:
    """Velocities would be taken for pitches."""
    with pytest.raises(SettingsError, match=f"VelocityHead, inner={head.__name__}"):
        head(FEATURES, WIDE)
