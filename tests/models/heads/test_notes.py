"""Pitches that are off, held or begin a note: against all possible frames, and on music with repeated notes."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.checkpoint.files import read
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.prediction_scores import evaluate
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.heads.notes import Notes, NotesHead
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import Draw, Sampler, Threshold, generate
from pianoroll_seq2seq.train import fit
from pianoroll_seq2seq.windowing import SlidingWindows

pytestmark = pytest.mark.usefixtures("one_thread")

FEATURES = 3
PAIR = {(0, 0): "off", (1, 0): "held", (1, 1): "onset"}


def head_of(pitches: int, *, seed: int = 0) -> NotesHead:
    torch.manual_seed(seed)
    head = NotesHead(FEATURES, 2 * pitches).double().eval()
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    return head


def features_of(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(*shape, FEATURES)))


def frames_of(*shape: int, pitches: int, seed: int = 0) -> torch.Tensor:
    """Random frames in which every onset is active."""
    random = np.random.default_rng(seed)
    active = random.random((*shape, pitches)) < 0.5
    onset = active & (random.random((*shape, pitches)) < 0.5)
    return torch.from_numpy(np.concatenate([active, onset], axis=-1)).double()


def every_frame(pitches: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=2 * pitches))).double()


def by_hand(head: NotesHead, features: torch.Tensor, before: torch.Tensor, frame: torch.Tensor) -> float:
    """The probability of a frame after another, in loops, from the definition."""
    pitches = len(frame) // 2
    logits = (head.logits.weight @ features + head.logits.bias).detach().reshape(pitches, 3).tolist()
    probability = 1.0
    for pitch, row in enumerate(logits):
        weights = {name: math.exp(logit) for name, logit in zip(("off", "held", "onset"), row, strict=True)}
        if not before[pitch]:
            weights["held"] = 0.0
        happened = PAIR.get((int(frame[pitch]), int(frame[pitches + pitch])), "impossible")
        probability *= weights.get(happened, 0.0) / sum(weights.values())
    return probability


@pytest.mark.parametrize("pitches", [1, 2, 3])
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_agrees_with_loops_over_all_frames(pitches: int, seed: int) -> None:
    """Nats a frame mean nothing unless all frames together have a probability of one."""
    head, features = head_of(pitches, seed=seed), features_of(1, 1, seed=seed)
    past = frames_of(1, 4, pitches=pitches, seed=seed)
    distribution = head(features, past)[:, 0]
    every = every_frame(pitches)
    found = torch.cat([distribution.log_prob(frame[None]) for frame in every]).detach().exp()
    expected = [by_hand(head, features[0, 0], past[0, -1], frame) for frame in every]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-15)
    assert float(found.sum()) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(distribution.mean[0].detach().numpy(), (found @ every).numpy(), atol=1e-12)


@given(pitches=st.integers(1, 3), temperature=st.floats(0.2, 5), seed=st.integers(0, 99))
def test_a_temperature_raises_the_probabilities_of_whole_frames_to_a_power(
    pitches: int, temperature: float, seed: int
) -> None:
    """Music at a temperature of 0.8 does not have the documented distribution."""
    distribution = head_of(pitches, seed=seed)(features_of(1, 1, seed=seed), frames_of(1, 1, pitches=pitches))[:, 0]
    every = every_frame(pitches)
    log_probs = torch.cat([distribution.log_prob(frame[None]) for frame in every]).detach()
    found = torch.cat([distribution.tempered(temperature).log_prob(frame[None]) for frame in every]).detach()
    torch.testing.assert_close(found.exp(), torch.softmax(log_probs / temperature, dim=0))
    for wrong in (0.0, -1.0, math.nan):
        with pytest.raises(SettingsError, match="temperature"):
            distribution.tempered(wrong)


def test_samples_are_as_frequent_as_they_are_likely() -> None:
    """Generated music must have the scored distribution."""
    past = torch.tensor([[[1.0, 0.0, 1.0, 0.0]]]).double()
    distribution = head_of(2)(features_of(1, 1), past)[0, 0]
    many = Notes(distribution.logits.detach().expand(20_000, -1, -1))
    samples = many.sample(generator=torch.Generator().manual_seed(0))
    for frame in every_frame(2):
        expected = float(distribution.log_prob(frame).detach().exp())
        seen = float((samples == frame).all(dim=-1).double().mean())
        assert abs(seen - expected) <= 5 * math.sqrt(expected * (1 - expected) / 20_000)


@given(seed=st.integers(0, 999), temperature=st.sampled_from([0.3, 1.0, 3.0]))
def test_only_active_pitches_can_be_held(seed: int, temperature: float) -> None:
    """A note appears without an onset."""
    past = frames_of(4, 5, pitches=6, seed=seed)
    distribution = head_of(6, seed=seed)(features_of(4, 5, seed=seed), past).tempered(temperature)
    active, onset = distribution.sample(generator=torch.Generator().manual_seed(seed)).bool().chunk(2, dim=-1)
    assert not (onset & ~active).any()
    assert not (active & ~onset & (past[..., :6] == 0)).any()
    assert active.any()


@given(steps=st.integers(1, 5), before=st.integers(0, 4), seed=st.integers(0, 99), data=st.data())
def test_reads_the_frame_before_and_no_other(steps: int, before: int, seed: int, data: st.DataObject) -> None:
    """A look ahead makes training losses wonderful and generation useless."""
    head, features = head_of(4, seed=seed), features_of(2, steps, seed=seed)
    past = frames_of(2, steps + before, pitches=4, seed=seed)
    frame = data.draw(st.integers(0, steps + before - 1))
    changed = past.clone()
    changed[:, frame] = 1 - changed[:, frame]
    assert head.context_frames == 1
    with torch.no_grad():
        difference = (head(features, changed).mean - head(features, past).mean).abs().amax(dim=(0, 2))
    for step in range(steps):
        assert (difference[step] > 0) == (frame == before + step)


def test_held_notes_after_noisy_frames_have_a_finite_loss_without_gradients() -> None:
    """With input_noise the frame before a held note may lack it: an infinite loss would end the training."""
    head = head_of(2).train()
    silence, held = torch.zeros(1, 1, 4).double(), torch.tensor([[[1.0, 1.0, 0.0, 0.0]]]).double()
    distribution = head(features_of(1, 1), silence)
    log_prob = distribution.log_prob(held)
    assert float(log_prob.detach()) == pytest.approx(2 * math.log(1e-4 / 1.0001))
    log_prob.sum().backward()
    assert all(float(parameter.grad.abs().max()) < 1e-12 for parameter in head.parameters())
    total = sum(float(distribution.log_prob(frame[None, None]).detach().exp()) for frame in every_frame(2))
    assert total == pytest.approx(1, abs=1e-12)
    assert float(head.eval()(features_of(1, 1), silence).log_prob(held).detach()) == -math.inf


def test_impossible_frames_do_not_spoil_the_gradients() -> None:
    """One impossible frame in a batch makes every weight NaN."""
    head = head_of(2)
    frames = torch.tensor([[[0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 1.0, 0.0]]]).double()
    log_prob = head(features_of(1, 2), torch.zeros(1, 2, 4).double()).log_prob(frames)
    assert log_prob[0].isinf().tolist() == [True, False]
    log_prob[0, 1].backward()
    assert all(parameter.grad.isfinite().all() for parameter in head.parameters())


def test_half_precision_is_scored_in_single() -> None:
    """Under autocast the sum over 88 pitches loses all that is small."""
    logits = torch.randn(5, 88, 3, generator=torch.Generator().manual_seed(0)).bfloat16()
    frames = frames_of(5, pitches=88).float()
    found = Notes(logits).log_prob(frames)
    assert found.dtype == Notes(logits).mean.dtype == torch.float32
    torch.testing.assert_close(found.double(), Notes(logits.double()).log_prob(frames))


def test_starts_near_silence() -> None:
    mean = NotesHead(3, 176)(torch.zeros(1, 4, 3), torch.zeros(1, 9, 176)).mean.detach()
    assert 0.01 < float(mean.mean()) < 0.15


def test_is_built_again_from_its_settings() -> None:
    head = head_of(3)
    again = checkpoint.build(checkpoint.describe(head)).double().eval()
    again.load_state_dict(head.state_dict())
    features, past = features_of(2, 4), frames_of(2, 4, pitches=3)
    assert torch.equal(again(features, past).mean, head(features, past).mean)


@pytest.mark.parametrize(
    ("in_features", "layout", "message"),
    [
        (3, 7, "two columns for each pitch.*got 3 and 7"),
        (0, 8, "in_features of at least 1.*got 0 and 8"),
        (3, 0, "at least one column, got 0"),
        (3, -2, "at least one column, got -2"),
        (3, FrameLayout(pitches=PitchRange(60, 67), planes=("active",)), r"FrameLayout\.of\(roll, onsets=True\)"),
    ],
)
def test_wrong_sizes_and_layouts_are_errors(in_features: int, layout: FrameLayout | int, message: str) -> None:
    """Half of the columns would be taken for onsets, although they are pitches."""
    with pytest.raises(SettingsError, match=message):
        NotesHead(in_features, layout)


def test_is_built_from_a_layout_with_onsets() -> None:
    layout = FrameLayout(pitches=PitchRange(60, 67), planes=("active", "onset"))
    assert NotesHead(3, layout).frame_size == 16


# ---- Music

LAYOUT = FrameLayout(pitches=PitchRange(60, 62), planes=("active", "onset"))


def repeated(frames: int) -> PianoRoll:
    """One pitch that is repeated every second frame without a gap, and one that is held for four frames."""
    active = np.ones((frames, 3), dtype=bool)
    active[:, 1] = False
    onset = np.zeros_like(active)
    onset[::2, 0] = onset[::4, 2] = True
    return PianoRoll(active, onset, pitches=PitchRange(60, 62), name="repeated")


def trained(**chosen: Any) -> tuple[Seq2SeqLSTM, list[float]]:
    windows = SlidingWindows([repeated(160)], input_frames=8, target_frames=16, hop=1, layout=LAYOUT)
    torch.manual_seed(0)
    settings = {"hidden_size": 16, "num_encoder_layers": 1, "num_decoder_layers": 1, "head": NotesHead} | chosen
    model = Seq2SeqLSTM(windows.layout, **settings)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    history = fit(model, windows, windows, epochs=20, batch_size=16, optimizer=optimizer, progress=False)
    return model, [float(loss) for loss in history.valid_losses]


@pytest.fixture(scope="module")
def model() -> Seq2SeqLSTM:
    return trained()[0]


@pytest.mark.parametrize("sampler", [Draw(0.5), Threshold(0.5)], ids=str)
@pytest.mark.parametrize("cut", [8, 11])
def test_repeated_notes_are_continued_repeated(model: Seq2SeqLSTM, sampler: Sampler, cut: int) -> None:
    """Repeated notes come back as one long note."""
    piece = repeated(64)
    continuation = generate(model, piece[:cut], num_frames=24, sampler=sampler)
    assert continuation == piece[cut : cut + 24]
    assert len((piece[:cut] + continuation).notes().pitch) == len(piece[: cut + 24].notes().pitch)


def test_evaluation_knows_that_notes_are_held(model: Seq2SeqLSTM) -> None:
    """The baseline would repeat every note in every frame, or know when notes are repeated."""
    windows = SlidingWindows([repeated(64)], input_frames=8, target_frames=8, hop=1, layout=LAYOUT)
    found = evaluate(model, windows)
    assert found.model.all.f1 > 0.99
    assert found.model.all.nats < 0.2
    # Both pitches sound in all frames, so that copying is right about them. Of 2 * 8 cells 4 + 2 have an onset, and
    # copying knows only how often: the entropy of that, in nats per frame.
    assert found.copy_last.all.f1 == found.copy_input.all.f1 == 1
    assert found.num_changed_frames == 0
    share = 6 / 16
    entropy = -2 * (share * math.log(share) + (1 - share) * math.log(1 - share))
    assert found.copy_last.all.nats == pytest.approx(entropy)


def test_learns_with_input_noise() -> None:
    _, losses = trained(input_noise=0.05)
    assert all(map(math.isfinite, losses))
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("onsets", [False, True])
def test_a_run_records_its_layout_and_resumes(tmp_path: Path, onsets: bool) -> None:
    """A run could be resumed with frames of another layout."""
    layout = FrameLayout.of(LAYOUT, onsets=onsets)
    windows = SlidingWindows([repeated(40)], input_frames=8, target_frames=8, hop=4, layout=layout)
    for epochs in (1, 2):
        model = Seq2SeqLSTM(layout, hidden_size=4)
        history = fit(model, windows, epochs=epochs, batch_size=4, checkpoint_dir=tmp_path, progress=False)
        assert len(history.epochs) == epochs
    data = read(tmp_path / "last.safetensors")[0]["details"]["data"]
    assert checkpoint.build(data["layout"]) == layout
    assert (data["input_frames"], data["target_frames"]) == (8, 8)
