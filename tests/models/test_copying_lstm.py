"""The LSTM that copies: causality, stepping, copy attention, and the noise in training."""

from typing import Any

import numpy as np
import pytest
import torch
from layouts import active_pieces, active_windows
from torch import nn

from pianoroll_seq2seq import CopyingLSTM, PianoRoll, PitchRange, fit, likelihood
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.models.heads.bernoulli import BernoulliHead
from pianoroll_seq2seq.models.layers.blocked_copies import SPANS, match_levels
from pianoroll_seq2seq.models.layers.copy_attention import CopyAttention

PITCHES = 13


def model_of(**settings: Any) -> CopyingLSTM:
    torch.manual_seed(0)
    model = CopyingLSTM(PITCHES, hidden_size=16, **{"num_copy_heads": 3} | settings).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


def piece(frames: int = 80) -> torch.Tensor:
    """Music with a repetition that is longer than the longest span."""
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
        assert change[:, frame].min() > 0


@pytest.mark.parametrize(("num_copy_heads", "known", "frames"), [(0, 3, 8), (3, 1, 9), (3, 33, 40), (3, 74, 80)])
def test_step_by_step_gives_what_forward_gives(num_copy_heads: int, known: int, frames: int) -> None:
    model, music = model_of(num_copy_heads=num_copy_heads), piece()[:, :frames]
    with torch.inference_mode():
        expected = model(music[:, :known], music[:, known:]).log_prob(music[:, known:])
        distribution, state = model.start(music[:, :known])
        found = [distribution.log_prob(music[:, known])]
        for frame in range(known, frames - 1):
            model.advance(
                1 - music[:, frame], state
            )  # another continuation of the same state, which must change nothing
            distribution, state = model.advance(music[:, frame], state)
            found.append(distribution.log_prob(music[:, frame + 1]))
    torch.testing.assert_close(torch.stack(found, dim=1), expected)


def test_the_boundary_between_inputs_and_targets_changes_nothing() -> None:
    model, music = model_of(), piece()
    whole = model(music[:, :0], music).log_prob(music)
    torch.testing.assert_close(model(music[:, :20], music[:, 20:]).log_prob(music[:, 20:]), whole[:, 20:])


@pytest.mark.parametrize("frames", [1, 2])
def test_shortest_pieces(frames: int) -> None:
    music = piece(frames)
    assert model_of()(music[:, :0], music).log_prob(music).isfinite().all()


def test_match_lengths_are_those_of_a_plain_loop() -> None:
    attention = CopyAttention(4, 3)
    music = (torch.rand(1, 60, 3, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    music[:, 20:58] = music[:, 1:39].clone()
    hashes = attention.frame_hash(music)
    assert [len(set(hashes[0, :, kind].tolist())) for kind in range(3)] == [8, 4, 4]
    levels = match_levels(hashes, 0, 60)
    for now in range(60):
        for then in range(now):
            for kind in range(3):
                run = 0
                while run < then and hashes[0, now - 1 - run, kind] == hashes[0, then - 1 - run, kind]:
                    run += 1
                longest = max([span for span in SPANS if span <= run], default=0)
                assert (0, *SPANS)[levels[0, kind, 59 - now, then]] == longest, (now, then, kind)


def test_weights_are_on_earlier_frames_or_on_none() -> None:
    attention = CopyAttention(4, PITCHES).double()
    music = torch.ones(1, 9, PITCHES).double()
    candidates = attention(torch.randn(1, 9, 4).double(), music)
    torch.testing.assert_close(
        candidates.frames + candidates.no_copy_prob.unsqueeze(3), torch.ones_like(candidates.frames)
    )
    torch.testing.assert_close(candidates.no_copy_prob[:, 0], torch.ones(1, 6).double())


def test_a_repeated_melody_is_recognised() -> None:
    """The purpose of copy attention: the second half repeats the first, which no weights could have memorised."""
    generator = np.random.default_rng(0)

    def tune(name: int) -> PianoRoll:
        half = np.zeros((24, PITCHES), dtype=bool)
        half[np.arange(24), generator.integers(PITCHES, size=24)] = True
        return PianoRoll.from_active(np.concatenate([half, half]), pitches=PitchRange(60, 72), name=str(name))

    tunes = [tune(name) for name in range(60)]
    torch.manual_seed(0)
    model = CopyingLSTM(PITCHES, hidden_size=24, num_copy_heads=2, head=BernoulliHead)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    fit(
        model,
        active_pieces(tunes[:50], max_frames_per_batch=480),
        epochs=12,
        batch_size=1,
        optimizer=optimizer,
        progress=False,
    )
    log_probs = torch.stack(
        [
            model(torch.zeros(1, 0, PITCHES), frames).log_prob(frames)[0].detach()
            for frames in (torch.from_numpy(roll.active.astype(np.float32))[None] for roll in tunes[50:])
        ]
    )
    first, second = -log_probs[:, 4:24].mean(), -log_probs[:, 28:].mean()
    assert second < 0.5 * first, (first, second)


def test_input_noise_acts_on_inputs_in_training_only() -> None:
    """Noise in the targets would teach the mistakes, not how to continue after them."""
    music = piece(60)
    plain, noisy = (model_of(input_noise=p).train() for p in (0.0, 0.9))
    torch.manual_seed(0)
    change = (noisy(music[:, :0], music).log_prob(music) - plain(music[:, :0], music).log_prob(music)).detach()
    assert change[:, 0].abs().max() == 0  # there are no inputs before it
    assert (change[:, 1:] != 0).double().mean() > 0.8
    assert torch.equal(
        noisy.eval()(music[:, :0], music).log_prob(music), plain.eval()(music[:, :0], music).log_prob(music)
    )


def test_trains_on_windows_and_with_other_heads() -> None:
    rolls = [PianoRoll.from_active(piece(40)[0].bool().numpy(), pitches=PitchRange(60, 72))]
    settings = {"hidden_size": 8, "num_copy_heads": 2, "dropout": 0.1, "input_dropout": 0.2, "head": BernoulliHead}
    model = CopyingLSTM(PITCHES, **settings)
    windows = active_windows(rolls, input_frames=8, target_frames=8, hop=4)
    history = fit(model, windows, epochs=2, batch_size=4, progress=False)
    assert history.train_losses[1] < history.train_losses[0]
    assert likelihood(model, rolls).num_frames == 40


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_size": 0}, "hidden_size"),
        ({"num_copy_heads": -1}, "num_copy_heads"),
        ({"input_dropout": 1.0}, "input_dropout"),
        ({"input_noise": -0.1}, "input_noise"),
        ({"head": BernoulliHead(192, PITCHES)}, "in_features=192.*head=BernoulliHead"),
    ],
)
def test_wrong_arguments_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        CopyingLSTM(PITCHES, **settings)


def test_a_primer_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match="13"):
        model_of().start(torch.zeros(1, 4, 12).double())
    with pytest.raises(ShapeError, match="frames >= 1"):
        model_of().start(torch.zeros(1, 0, PITCHES).double())
