"""The causal Transformer: causality, stepping with a cache, and that it learns what repeats."""

from typing import Any

import numpy as np
import pytest
import torch
from layouts import active_pieces, active_windows
from torch import nn

from pianoroll_seq2seq import (
    CausalTransformer,
    CopyingLSTM,
    FrameLayout,
    PianoRoll,
    PitchRange,
    fit,
    generate,
    likelihood,
)
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.models.heads.bernoulli import BernoulliHead

PITCHES = 13
SMALL: dict[str, Any] = {"hidden_size": 16, "num_layers": 2, "num_heads": 2}

pytestmark = pytest.mark.usefixtures("one_thread")


def model_of(**settings: Any) -> CausalTransformer:
    torch.manual_seed(0)
    model = CausalTransformer(PITCHES, **SMALL | {"num_copy_heads": 3} | settings).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


def piece(frames: int = 80) -> torch.Tensor:
    """Music with a repetition that is longer than the longest span of a match."""
    music = (torch.rand(2, frames, PITCHES, generator=torch.Generator().manual_seed(1)) < 0.3).double()
    if frames > 75:
        music[:, 38:76] = music[:, 2:40].clone()
    return music


@pytest.mark.parametrize("num_copy_heads", [0, 3])
def test_no_frame_is_predicted_from_itself_or_from_later_ones(num_copy_heads: int) -> None:
    model, music = model_of(num_copy_heads=num_copy_heads), piece()
    plain = model(music[:, :0], music).log_prob(music).detach()
    for frame in (0, 40, 79):
        changed = music.clone()
        changed[:, frame] = 1 - changed[:, frame]
        change = (model(changed[:, :0], changed).log_prob(changed).detach() - plain).abs()
        assert frame == 0 or change[:, :frame].max() == 0
        assert change[:, frame:].min() > 0  # and every later frame reads it


@pytest.mark.parametrize(
    ("num_copy_heads", "known", "frames", "context"),
    [
        (0, 3, 8, torch.inference_mode),
        (3, 33, 40, torch.inference_mode),
        (3, 70, 80, torch.inference_mode),
        (3, 1, 9, torch.no_grad),
        (3, 1, 9, torch.enable_grad),
    ],
)
def test_step_by_step_gives_what_forward_gives(num_copy_heads: int, known: int, frames: int, context: Any) -> None:
    model, music = model_of(num_copy_heads=num_copy_heads), piece()[:, :frames]
    with torch.no_grad():
        expected = model(music[:, :known], music[:, known:]).log_prob(music[:, known:])
    with context():
        distribution, state = model.start(music[:, :known])
        found = [distribution.log_prob(music[:, known])]
        for frame in range(known, frames - 1):
            # Another continuation of the same state, which must change nothing.
            model.advance(1 - music[:, frame], state)
            distribution, state = model.advance(music[:, frame], state)
            found.append(distribution.log_prob(music[:, frame + 1]))
    torch.testing.assert_close(torch.stack(found, dim=1).detach(), expected)


def test_two_continuations_of_one_state_do_not_disturb_each_other() -> None:
    """Both share the memory of the cache: one writes its frames where the other reads its own."""
    model, music = model_of(), piece()
    with torch.inference_mode():
        _, state = model.start(music[:, :3])
        _, state = model.advance(music[:, 3], state)
        branches = [(music, state), (1 - music, state)]
        for frame in range(4, 12):
            branches = [(own, model.advance(own[:, frame], before)[1]) for own, before in branches]
        for own, last in branches:
            found, _ = model.advance(own[:, 12], last)
            expected, _ = model.start(torch.cat([music[:, :4], own[:, 4:13]], dim=1))
            torch.testing.assert_close(found.log_prob(music[:, 13]), expected.log_prob(music[:, 13]))


def test_a_state_may_be_made_and_used_in_different_modes() -> None:
    """A cache made in inference mode cannot be written outside of it."""
    model, music = model_of(), piece()
    with torch.inference_mode():
        _, state = model.start(music[:, :8])
        _, state = model.advance(music[:, 8], state)
    with torch.no_grad():
        _, state = model.advance(music[:, 9], state)
        found, state = model.advance(music[:, 10], state)
        expected, _ = model.start(music[:, :11])
    torch.testing.assert_close(found.log_prob(music[:, 11]), expected.log_prob(music[:, 11]))
    with torch.inference_mode():
        found, _ = model.advance(music[:, 11], state)
        expected, _ = model.start(music[:, :12])
        torch.testing.assert_close(found.log_prob(music[:, 12]), expected.log_prob(music[:, 12]))


def test_gradients_reach_the_weights_through_steps() -> None:
    model, music = model_of(), piece(6)
    gradients = []
    for by_steps in (False, True):
        model.zero_grad()
        if by_steps:
            distribution, state = model.start(music[:, :3])
            nats = distribution.log_prob(music[:, 3]).sum()
            for frame in (3, 4):
                distribution, state = model.advance(music[:, frame], state)
                nats = nats + distribution.log_prob(music[:, frame + 1]).sum()
        else:
            nats = model(music[:, :3], music[:, 3:]).log_prob(music[:, 3:]).sum()
        torch.autograd.backward(nats)
        gradients.append(model.blocks[0].attention.qkv.weight.grad.clone())  # type: ignore[union-attr]
    torch.testing.assert_close(gradients[0], gradients[1])


def test_the_boundary_between_inputs_and_targets_changes_nothing() -> None:
    model, music = model_of(), piece()
    whole = model(music[:, :0], music).log_prob(music)
    torch.testing.assert_close(model(music[:, :20], music[:, 20:]).log_prob(music[:, 20:]), whole[:, 20:])


@pytest.mark.parametrize("frames", [1, 2])
def test_shortest_pieces(frames: int) -> None:
    music = piece(frames)
    assert model_of()(music[:, :0], music).log_prob(music).isfinite().all()


def test_the_probabilities_of_all_first_two_frames_sum_to_one() -> None:
    """Nats of whole pieces mean nothing otherwise."""
    torch.manual_seed(0)
    model = CausalTransformer(3, **SMALL, num_copy_heads=1, head=BernoulliHead).double().eval()
    frames = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 6).double().reshape(64, 2, 3)
    with torch.no_grad():
        total = model(frames[:, :0], frames).log_prob(frames).sum(dim=1).exp().sum()
    assert float(total) == pytest.approx(1)


def test_half_precision_is_close() -> None:
    model, music = model_of().float(), piece(12).float()
    with torch.no_grad():
        exact = model(music[:, :0], music).log_prob(music)
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(music[:, :0], music).log_prob(music)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.1, atol=1.0)


def test_weights_in_bfloat16_count_more_than_256_frames() -> None:
    """In 16 bits frame 257 is frame 256: rotation and clock would stand still."""
    model = model_of(head=BernoulliHead, num_copy_heads=0).bfloat16()
    music = piece(300).bfloat16()
    with torch.no_grad():
        features = model.past_features(music, music)[0, -60:, -23:]  # the clock
        expected = model(music[:, :0], music).log_prob(music)
        distribution, state = model.start(music[:, :290])
        for frame in range(290, 299):
            torch.testing.assert_close(distribution.log_prob(music[:, frame]), expected[:, frame], rtol=0.05, atol=0.3)
            distribution, state = model.advance(music[:, frame], state)
    assert len(features.unique(dim=0)) == 60


def test_a_repeated_melody_is_recognised() -> None:
    """Attention finds what came before without copy heads too: no weights could have memorised the second half."""
    generator = np.random.default_rng(0)

    def tune(name: int) -> PianoRoll:
        half = np.zeros((12, PITCHES), dtype=bool)
        half[np.arange(12), generator.integers(PITCHES, size=12)] = True
        return PianoRoll.from_active(np.concatenate([half, half]), pitches=PitchRange(60, 72), name=str(name))

    tunes = [tune(name) for name in range(60)]
    torch.manual_seed(0)
    model = CausalTransformer(PITCHES, hidden_size=32, num_layers=2, num_heads=2, num_copy_heads=1, head=BernoulliHead)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    pieces = active_pieces(tunes[:50], max_frames_per_batch=240)
    fit(model, pieces, epochs=25, batch_size=1, optimizer=optimizer, progress=False)
    frames = torch.from_numpy(np.stack([roll.active for roll in tunes[50:]]).astype(np.float32))
    with torch.no_grad():
        nats = -model.eval()(frames[:, :0], frames).log_prob(frames).mean(dim=0)
    assert nats[14:].mean() < 0.5 * nats[2:12].mean(), nats


def test_input_noise_acts_on_inputs_in_training_only() -> None:
    music = piece(60)
    plain, noisy = (model_of(input_noise=p).train() for p in (0.0, 0.9))
    torch.manual_seed(0)
    change = (noisy(music[:, :0], music).log_prob(music) - plain(music[:, :0], music).log_prob(music)).detach()
    assert change[:, 0].abs().max() == 0  # there are no inputs before it
    assert (change[:, 1:] != 0).double().mean() > 0.8
    assert torch.equal(
        noisy.eval()(music[:, :0], music).log_prob(music), plain.eval()(music[:, :0], music).log_prob(music)
    )


def test_trains_on_windows_is_scored_and_generates() -> None:
    rolls = [PianoRoll.from_active(piece(40)[0].bool().numpy(), pitches=PitchRange(60, 72))]
    settings = {"num_copy_heads": 2, "dropout": 0.1, "input_dropout": 0.2, "head": BernoulliHead}
    model = CausalTransformer(FrameLayout.of(rolls[0], onsets=False), **SMALL, **settings)
    windows = active_windows(rolls, input_frames=8, target_frames=8, hop=4)
    history = fit(model, windows, epochs=2, batch_size=4, progress=False)
    assert history.train_losses[1] < history.train_losses[0]
    assert likelihood(model, rolls).num_frames == 40
    primers = [rolls[0][:5], rolls[0][7:12]]
    together = generate(model, primers, num_frames=20, seed=3)
    assert generate(model, primers[0], num_frames=20, seed=3) == together[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_size": 0}, "hidden_size"),
        ({"num_layers": 0}, "num_layers"),
        ({"num_heads": 0}, "num_heads"),
        ({"num_copy_heads": -1}, "num_copy_heads"),
        ({"input_dropout": 1.0}, "input_dropout"),
        ({"input_noise": -0.1}, "input_noise"),
        ({"hidden_size": 30}, "multiple of 8, got 30. Choose 32"),
        ({"num_heads": 16}, "multiple of 32, got 16"),
        ({"head": BernoulliHead(192, PITCHES)}, "in_features=192.*head=BernoulliHead"),
    ],
)
def test_wrong_arguments_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        CausalTransformer(PITCHES, **{"hidden_size": 16} | settings)


def test_a_primer_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match="13"):
        model_of().start(torch.zeros(1, 4, 12).double())
    with pytest.raises(ShapeError, match="frames >= 1"):
        model_of().start(torch.zeros(1, 0, PITCHES).double())


def test_it_reads_what_a_copying_lstm_reads() -> None:
    """The two are compared, so the one must not know more than the other."""
    assert model_of().input_proj.in_features == CopyingLSTM(PITCHES).input_proj.in_features
